//! `print` and `for_each_batch`.

use crate::bench::Bench;
use downbeat_engine::Settings;
use downbeat_engine::record::Text;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left on device"))
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn print_writes_exactly_what_spark_writes() {
    let mut bench = Bench::new(Settings { partitions: Some(1), ..Settings::default() });
    let (feed, lines) = bench.context.queue_stream::<Text>();
    lines.map_to_pair::<Text, u64>(|line| (line, 1)).print(2);
    let page = Page::default();
    bench.context.print_to(Box::new(page.clone()));
    bench.context.start().expect("starts");
    feed.push([&b"a"[..], b"\xff"]).expect("not stopped");
    bench.tick();
    feed.push([&b"a"[..], b"b", b"c"]).expect("not stopped");
    bench.tick();
    bench.tick();
    let rule = "-".repeat(43);
    let head = |ms: u64| format!("{rule}\nTime: {ms} ms\n{rule}\n");
    let expected = format!("{}(a,1)\n(\u{FFFD},1)\n\n{}(a,1)\n(b,1)\n...\n\n{}\n", head(1100), head(1200), head(1300));
    assert_eq!(String::from_utf8(page.0.lock().expect("no panic").clone()).expect("text"), expected);
}

#[test]
fn print_without_a_sink_is_refused() {
    let error = crate::bench::refusal(|lines| lines.print(10));
    assert!(error.to_string().contains("call `print_to`"), "{error}");
}

#[test]
fn a_sink_that_is_full_fails_the_batch_by_name() {
    let mut bench = Bench::new(Settings::default());
    let (_feed, lines) = bench.context.queue_stream::<Text>();
    lines.print(1);
    bench.context.print_to(Box::new(Full));
    bench.context.start().expect("starts");
    bench.tick();
    let failure = bench.reports()[0].failure.clone().expect("failed").to_string();
    assert!(failure.contains("print at") && failure.contains("no space left"), "{failure}");
}
