//! The top hashtags of a stream of tweets over HTTP, of the last minute and of the last ten seconds, every two seconds.
//!
//! The server sends a JSON text per line, with the tweet in `text` or `data.text`, as the filtered and sampled streams do.
//! `TOKEN=… cargo run -p downbeat-engine --example top_hashtags -- http://127.0.0.1:8080/stream`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

mod support;

use downbeat_engine::record::{Pair, Text};
use downbeat_engine::source::HttpOptions;
use downbeat_engine::{DStream, EngineError, Settings, StreamingContext};
use std::time::Duration;

const TOP: usize = 10;

fn main() -> Result<(), EngineError> {
    let ([url], time) = support::arguments("top_hashtags URL");
    let slide = Duration::from_secs(2);
    let context = StreamingContext::new(Settings::default().interval(slide))?;
    let options = HttpOptions { bearer_token: std::env::var("TOKEN").ok(), ..HttpOptions::default() };
    let tweets = context.http_lines_stream(&url, options);
    let hashtags = tweets.flat_map_copied::<Text>(|tweet, out| {
        let text = text_of(tweet);
        text.split_whitespace()
            .filter(|word| word.len() > 1 && word.starts_with('#'))
            .for_each(|tag| out(tag.as_bytes()));
    });
    let ones = hashtags.map_to_pair::<Text, u64>(|tag| (tag, 1));
    for window in [60, 10].map(Duration::from_secs) {
        print_top(&ones.reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, window, slide), window);
    }
    support::run(&context, time)
}

/// The text of a tweet; empty for what is none.
fn text_of(tweet: &[u8]) -> String {
    let tweet: serde_json::Value = serde_json::from_slice(tweet).unwrap_or_default();
    let text = tweet.get("text").or_else(|| tweet.get("data")?.get("text"));
    text.and_then(|text| text.as_str()).unwrap_or_default().to_owned()
}

/// The most frequent tags first; those of equal count by name, so that the answer is always the same.
fn print_top(counts: &DStream<Pair<Text, u64>>, window: Duration) {
    let sorted = counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    sorted.for_each_batch(move |batch| {
        let time = batch.time();
        println!("\n{time}: popular topics in the last {} seconds ({} total):", window.as_secs(), batch.len());
        let mut shown = 0;
        batch.for_each(|(tag, count)| {
            shown += 1;
            if shown <= TOP {
                println!("{} ({count} tweets)", String::from_utf8_lossy(tag));
            }
        });
    });
}
