//! Each job of the catalog agrees with its oracle, whatever the settings, and not when something is planted.

use crate::harness::{MS, run_job};
use downbeat_engine::record::{Column, TextColumn};
use downbeat_engine::settings::{CodecKind, Compression, Hasher, KNOBS, KnobKind, Settings, find_knob};
use downbeat_engine::{EngineError, StreamingContext};
use downbeat_workloads::answers::{Answers, BatchKey};
use downbeat_workloads::catalog::{CATALOG, Job, find_job};
use downbeat_workloads::load::{LOAD_KNOBS, LoadSettings, TextMode};
use downbeat_workloads::oracle::BatchRanges;
use downbeat_workloads::schedule::Arrivals;
use std::sync::{Arc, Mutex};

const INTERVAL_NS: u64 = 20 * MS;

fn settings() -> Settings {
    Settings { interval_ns: INTERVAL_NS, threads: 2, ..Settings::default() }
}

/// 400 records a batch out of a ring of some 80 to 600 lines, so that it wraps; a window of 3 batches; sessions that one batch
/// without a request ends.
fn load() -> LoadSettings {
    LoadSettings {
        rate_per_s: 20_000.0,
        ring_bytes: 20_000,
        window_ns: 3 * INTERVAL_NS,
        session_timeout_ns: INTERVAL_NS,
        ..LoadSettings::default()
    }
}

/// The load of a job. Jobs whose answers come from few of their records need more of them, and no session would end if every line
/// came again with each batch.
fn load_of(job: &dyn Job) -> LoadSettings {
    match job.name() {
        "sessions" => LoadSettings { ring_bytes: 1_000_000, ..load() },
        // A window that holds the whole ring has all its users: one more line of them would go unseen.
        "distinct-users" => LoadSettings { ring_bytes: 3_000_000, ..load() },
        "ads" | "log-errors" | "enrich" => LoadSettings { ring_bytes: 350_000, ..load() },
        name if name.starts_with("nexmark-") => LoadSettings { rate_per_s: 50_000.0, ring_bytes: 700_000, ..load() },
        _ => load(),
    }
}

/// A way to run a job, as the values of knobs.
type Setting = Vec<(&'static str, &'static str)>;

/// Knobs whose choices must not change an answer, in all combinations; those that do not exist are left out.
const TURNED: [&str; 4] = ["codec", "pool", "records", "combine"];

fn choices(name: &str) -> Option<&'static [&'static str]> {
    let kind = find_knob(KNOBS, name).map(|knob| knob.kind).or(find_knob(LOAD_KNOBS, name).map(|knob| knob.kind))?;
    let KnobKind::Choice(words) = kind else { panic!("{name} is no choice of words") };
    Some(words)
}

/// Every combination of the choices of [`TURNED`].
fn all_settings() -> Vec<Setting> {
    let mut all: Vec<Setting> = vec![Vec::new()];
    for name in TURNED {
        let Some(words) = choices(name) else { continue };
        let with = |setting: &Setting, word| setting.iter().copied().chain([(name, word)]).collect();
        all = all.iter().flat_map(|setting| words.iter().map(move |word| with(setting, *word))).collect();
    }
    all
}

/// The settings, and this load, with these knobs turned.
fn turned(setting: &Setting, mut load: LoadSettings) -> (Settings, LoadSettings) {
    let mut settings = settings();
    for (name, word) in setting {
        match (find_knob(KNOBS, name), find_knob(LOAD_KNOBS, name)) {
            (Some(knob), _) => (knob.set)(&mut settings, word).expect("one of its choices"),
            (None, Some(knob)) => (knob.set)(&mut load, word).expect("one of its choices"),
            (None, None) => unreachable!("its choices were found"),
        }
    }
    (settings, load)
}

/// Batches after the primed ones: more than the window has, so that batches leave it.
const LIVE_BATCHES: u64 = 4;

#[test]
fn every_job_agrees_with_its_oracle_under_every_codec_pool_kind_of_record_and_number_of_partitions() {
    let all = all_settings();
    assert!(all.len() >= 18, "three codecs, three pools, two kinds of records at least: {all:?}");
    let jobs = Mutex::new(CATALOG.iter());
    let next = || jobs.lock().unwrap().next();
    // Runs wait for their threads half of the time: two at once take half as long.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| std::iter::from_fn(next).for_each(|job| check_under_all(*job, &all)));
        }
    });
}

/// Runs a job under each of these settings; its answers are those of the oracle, and the same.
fn check_under_all(job: &dyn Job, all: &[Setting]) {
    let mut finals = Vec::new();
    for (number, setting) in all.iter().enumerate() {
        let (settings, load) = turned(setting, load_of(job));
        // Steps without a common divisor, so that each value of the one meets each of the others.
        let compressions = [Compression::None, Compression::Lz4, Compression::Zstd];
        let compression =
            if settings.codec == CodecKind::None { Compression::None } else { compressions[number % 5 % 3] };
        let hasher = [Hasher::Mum, Hasher::Foldhash, Hasher::Siphash][number % 7 % 3];
        let settings = Settings { partitions: Some(1 + number % 4), compression, hasher, ..settings };
        let run = run_job(job, &load, &settings, LIVE_BATCHES).unwrap();
        let case = format!("{} {setting:?} {:?}", job.name(), settings.partitions);
        assert_eq!(run.ranges.len() as u64, LIVE_BATCHES + job.prime_batches(&load, INTERVAL_NS), "{case}");
        assert_eq!(run.check(job, &load, INTERVAL_NS), [], "{case}");
        assert!(run.summary.finished);
        finals.push(run.answers.final_rows().expect("kept"));
    }
    assert!(finals.windows(2).all(|pair| pair[0] == pair[1]) && !finals[0].is_empty(), "{}", job.name());
}

#[test]
fn live_text_and_poisson_arrivals_are_checked_as_well() {
    for job in CATALOG {
        let load =
            LoadSettings { text: TextMode::Live, arrivals: Arrivals::Poisson, rate_per_s: 100_000.0, ..load_of(*job) };
        let run = run_job(*job, &load, &settings(), 5).unwrap();
        assert_eq!(run.check(*job, &load, INTERVAL_NS), [], "{}", job.name());
        assert!(run.summary.handed_records > 9_000);
    }
}

#[test]
fn a_file_gives_the_counts_of_its_words() {
    let path = std::env::temp_dir().join(format!("downbeat-jobs-{}", std::process::id()));
    std::fs::write(&path, "to be or\r\n\nnot to\tbe ü \n").unwrap();
    let job = find_job("word-count").unwrap();
    let load = LoadSettings { input: Some(path.clone()), ..load() };
    let run = run_job(job, &load, &settings(), 2).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(run.check(job, &load, INTERVAL_NS), []);
    let mut text = Vec::new();
    run.answers.write_final(&mut text).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "2\tbe\n2\tto\n1\tnot\n1\tor\n1\tü\n");
}

#[test]
fn oracles_catch_records_that_are_lost_doubled_or_in_the_wrong_batch() {
    for job in CATALOG {
        let load = LoadSettings { rate_per_s: 4.0 * load_of(*job).rate_per_s, ..load_of(*job) };
        let run = run_job(*job, &load, &settings(), 4).unwrap();
        let oracle = job.oracle(&load, INTERVAL_NS).unwrap();
        let with = |change: &dyn Fn(&mut BatchRanges)| {
            let mut ranges = run.ranges.clone();
            change(ranges.last_mut().unwrap());
            oracle.check(&run.payload, &ranges, &run.answers)
        };
        assert_eq!(with(&|_| ()), []);
        // A tweet without a tag can come and go unseen, and most events that no query asks for; half a batch cannot.
        let records = run.ranges.last().map_or(0, |batch| batch.ranges[0].end - batch.ranges[0].start);
        assert_ne!(with(&|batch| batch.ranges[0].end += records / 2), [], "{}: lost", job.name());
        assert_ne!(with(&|batch| batch.ranges[0].end -= records / 2), [], "{}: doubled", job.name());
        assert_ne!(with(&|batch| batch.ranges[0] = 0..records - 1), [], "{}: others", job.name());
    }
}

#[test]
fn oracles_catch_one_wrong_count_in_one_batch() {
    for job in CATALOG {
        let load = load_of(*job);
        let run = run_job(*job, &load, &settings(), 4).unwrap();
        let planted = Answers::new(false);
        for range in &run.ranges {
            let mut answer = run.answers.of_batch(range.batch).unwrap();
            if range.batch == (BatchKey { primed: false, index: 2 }) {
                answer.digest[1] ^= 1;
            }
            planted.record(range.batch, answer);
        }
        let wrong = job.oracle(&load, INTERVAL_NS).unwrap().check(&run.payload, &run.ranges, &planted);
        let batches: Vec<Option<BatchKey>> = wrong.iter().map(|wrong| wrong.batch).collect();
        assert_eq!(batches, [Some(BatchKey { primed: false, index: 2 })], "{}", job.name());
    }
}

/// What makes a difference to a parser.
const TELLING: &[u8] = b"\"\\{}[],:. -0eu/*\t\xff";

/// The first lines of a job's text; every other one with up to three bytes changed, removed or added.
fn damaged_lines(job: &dyn Job, lines: usize) -> Vec<u8> {
    let (text, mut column) = (job.text(&load_of(job)), TextColumn::default());
    (0..).take_while(|block| *block < lines.div_ceil(1024) as u64).for_each(|block| text.fill(block, &mut column));
    let mut number = 88_172_645_463_325_252_u64;
    let mut below = |bound: usize| {
        // Marsaglia's xorshift, 2003.
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        (number % bound as u64) as usize
    };
    let mut file = Vec::new();
    for index in 0..lines {
        let mut line = column.view(index).to_vec();
        for _ in 0..if index % 2 == 0 { 0 } else { 1 + below(3) } {
            let (place, byte) = (below(line.len() + 1), TELLING[below(TELLING.len())]);
            match below(3) {
                0 => line.insert(place, byte),
                1 if place < line.len() => drop(line.remove(place)),
                _ if place < line.len() => line[place] = byte,
                _ => line.truncate(place),
            }
        }
        file.extend_from_slice(&line);
        file.push(b'\n');
    }
    file
}

#[test]
fn lines_that_are_almost_right_are_what_the_oracle_takes_them_for() {
    for job in CATALOG {
        let path = std::env::temp_dir().join(format!("downbeat-damaged-{}-{}", job.name(), std::process::id()));
        std::fs::write(&path, damaged_lines(*job, 20_000)).unwrap();
        let load = LoadSettings { input: Some(path.clone()), rate_per_s: 300_000.0, ..load_of(*job) };
        let run = run_job(*job, &load, &settings(), 3).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(run.check(*job, &load, INTERVAL_NS), [], "{}", job.name());
        assert!(run.summary.handed_records > 1_000, "{}: {:?}", job.name(), run.summary);
    }
}

#[test]
fn a_window_that_is_no_multiple_of_the_interval_is_refused_by_the_engine() {
    let job = find_job("hashtags").unwrap();
    let load = LoadSettings { window_ns: 50 * MS, ..load() };
    let refused = run_job(job, &load, &settings(), 1).err().expect("50 ms is no multiple of 20 ms");
    assert!(matches!(&refused, EngineError::Job { operator, .. } if operator.contains("window")), "{refused}");
}

#[test]
fn jobs_run_on_any_stream_of_lines() {
    let context = StreamingContext::new(Settings { interval_ns: 5 * MS, ..settings() }).unwrap();
    let (feed, lines) = context.queue_stream();
    let answers = Arc::new(Answers::new(true));
    find_job("word-count").unwrap().build(&lines, &load(), 5 * MS, &answers).unwrap();
    feed.push([&b"a b"[..], b"b"]).unwrap();
    context.start().unwrap();
    context.stop(std::time::Duration::from_secs(5)).unwrap();
    let rows = answers.final_rows().unwrap();
    assert_eq!(rows.iter().map(|row| (row.key.as_slice(), row.count)).collect::<Vec<_>>(), [(&b"b"[..], 2), (b"a", 1)]);
}
