//! Spark's first example: words of lines from a TCP peer, counted every second.
//!
//! `nc -lk 9999` in one terminal, `cargo run -p downbeat-engine --example network_word_count -- 127.0.0.1:9999` in another.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

mod support;

use downbeat_engine::record::Text;
use downbeat_engine::{EngineError, Settings, StreamingContext};
use std::time::Duration;

fn main() -> Result<(), EngineError> {
    let ([address], time) = support::arguments("network_word_count HOST:PORT");
    let context = StreamingContext::new(Settings::default().interval(Duration::from_secs(1)))?;
    let lines = context.socket_text_stream(&address);
    let words = lines.flat_map::<Text>(|line, out| line.split(|byte| *byte == b' ').for_each(out));
    words.map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b).print(10);
    support::run(&context, time)
}
