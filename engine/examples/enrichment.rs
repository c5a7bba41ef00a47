//! Orders from a TCP peer, joined with a file of prices that may change at any time: each batch sees the prices of one version.
//!
//! `nc -lk 9999` in one terminal, `cargo run -p downbeat-engine --example enrichment -- 127.0.0.1:9999 prices.txt` in another.
//! Lines of `prices.txt` are an article and its price; orders are lines of an article and a number.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

mod support;

use downbeat_engine::dstream::Dataset;
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::{EngineError, Settings, StreamingContext};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

fn main() -> Result<(), EngineError> {
    let ([address, prices], time) = support::arguments("enrichment HOST:PORT PRICES");
    let context = StreamingContext::new(Settings::default().interval(Duration::from_secs(1)))?;
    let dataset = Dataset::<Text, u64>::new([])?;
    let orders = context.socket_text_stream(&address).flat_map::<Pair<Text, u64>>(|line, out| {
        article_and_number(line).into_iter().for_each(out);
    });
    let priced = orders.left_outer_join_dataset(&dataset);
    let totals = priced.flat_map_copied::<Text>(|(article, (number, price)), out| {
        let article = String::from_utf8_lossy(article);
        match price {
            Some(price) => out(format!("{number} {article} cost {}", number * price).as_bytes()),
            None => out(format!("{article} has no price").as_bytes()),
        }
    });
    totals.print(10);
    std::thread::spawn(move || follow(&PathBuf::from(prices), &dataset));
    support::run(&context, time)
}

/// Replaces the dataset whenever the file has changed. Until it can be read, the last prices stay.
fn follow(prices: &PathBuf, dataset: &Dataset<Text, u64>) {
    let mut seen: Option<SystemTime> = None;
    loop {
        let modified = std::fs::metadata(prices).and_then(|metadata| metadata.modified()).ok();
        if modified.is_some()
            && modified != seen
            && let Ok(text) = std::fs::read(prices)
        {
            let records = text.split(|byte| *byte == b'\n').filter_map(article_and_number);
            match dataset.replace(records) {
                Ok(()) => eprintln!("{} prices", dataset.len()),
                Err(error) => eprintln!("{error}"),
            }
            seen = modified;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A word, a space and a number; anything else is none.
fn article_and_number(line: &[u8]) -> Option<(&[u8], u64)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let number = std::str::from_utf8(&line[space + 1..]).ok()?.trim().parse().ok()?;
    Some((&line[..space], number))
}
