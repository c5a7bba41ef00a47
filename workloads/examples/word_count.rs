//! Word count of a file through the public API, back to back: for measuring beside other programs.
//! Usage: word_count FILE THREADS [LINES-PER-BATCH [BATCHES [CODEC]]]

// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::record::Text;
use downbeat_engine::settings::{KNOBS, find_knob};
use downbeat_engine::{Settings, StreamingContext};
use downbeat_workloads::generator::Generator;
use downbeat_workloads::load::LoadSettings;
use downbeat_workloads::payload::{Payload, read_file};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex};

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

#[derive(Default)]
struct Reports(Mutex<Vec<BatchReport>>);

impl BatchListener for Reports {
    fn batch_completed(&self, report: &BatchReport) {
        self.0.lock().expect("no listener panics").push(report.clone());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (Some(file), Some(threads)) = (arguments.get(1), arguments.get(2)) else {
        return Err("usage: word_count FILE THREADS [LINES-PER-BATCH [BATCHES [CODEC]]]".into());
    };
    let mut settings = Settings::default().threads(threads.parse()?);
    if let Some(codec) = arguments.get(5) {
        (find_knob(KNOBS, "codec").ok_or("the engine has no codec")?.set)(&mut settings, codec)?;
    }
    let ring = read_file(Path::new(file), settings.line_limit_bytes)?;
    let lines = arguments.get(3).map_or(Ok(ring.lines()), |lines| lines.parse())?.min(ring.lines());
    let batches: u64 = arguments.get(4).map_or(Ok(9), |batches| batches.parse())?;
    let bytes: u64 = (0..lines).map(|line| ring.line(line).len() as u64 + 1).sum();

    let load = LoadSettings { rate_per_s: lines as f64 * 1e9 / settings.interval_ns as f64, ..LoadSettings::default() };
    let schedule = Arc::new(load.schedule(batches * settings.interval_ns, None)?);
    let (generator, _) = Generator::new(Payload::replayed(ring), schedule, 0);
    let context = StreamingContext::new(settings)?;
    let counted = Arc::new(Mutex::new((0, 0)));
    let into = counted.clone();
    let stream = context.planned_stream("file", generator);
    stream.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b).for_each_batch(
        move |batch| {
            let (mut words, mut distinct) = (0, 0);
            batch.for_each(|(_, count)| {
                words += count;
                distinct += 1;
            });
            let mut counted = into.lock().expect("no output panics");
            *counted = (words.max(counted.0), distinct.max(counted.1));
        },
    );
    context.prime(batches);
    let reports = Arc::new(Reports::default());
    context.add_listener(reports.clone());
    context.start()?;
    context.await_termination()?;

    let reports = reports.0.lock().expect("no listener panics");
    let primed = reports.iter().filter(|report| report.primed).skip(batches as usize / 4);
    let mut times: Vec<u64> = primed.map(|report| report.done_ns - report.started_ns).collect();
    times.sort_unstable();
    let (p50, p99) = (times[times.len() / 2] as f64 / 1e6, times[times.len() * 99 / 100] as f64 / 1e6);
    let (words, distinct) = *counted.lock().expect("no output panics");
    let rate = bytes as f64 / 1e3 / p50;
    println!(
        "downbeat threads={threads} words={words} distinct={distinct} p50={p50:.3} ms p99={p99:.3} ms {rate:.1} MB/s"
    );
    Ok(())
}
