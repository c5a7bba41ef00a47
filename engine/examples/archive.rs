//! The batch half of a lambda architecture: files that are moved into a directory become an archive, a directory per batch,
//! written whole or not at all; and while we are at it, the lines are counted.
//!
//! `cargo run -p downbeat-engine --example archive -- incoming archive/lines`, then `mv` files into `incoming`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

mod support;

use downbeat_engine::{EngineError, Settings, StreamingContext};
use std::time::Duration;

fn main() -> Result<(), EngineError> {
    let ([incoming, prefix], time) = support::arguments("archive DIRECTORY PREFIX");
    let context = StreamingContext::new(Settings::default().interval(Duration::from_secs(1)))?;
    let lines = context.text_file_stream(&incoming);
    // Two outputs read the lines; kept, the files are read once.
    let lines = lines.persist(downbeat_engine::dstream::StorageLevel::Deserialized);
    lines.save_as_text_files(&prefix, "txt");
    lines.count().print(1);
    support::run(&context, time)
}
