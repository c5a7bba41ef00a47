//! Hand-made records, one for each word of the verdict, that unit tests and golden files share.

// Included both as a private module of the library's tests and in the integration tests, each of which uses a part of it.
#![allow(unreachable_pub, dead_code)]

use downbeat_reports::record::{
    BatchRecord, Hiccup, Integrity, Judging, Lag, Noise, Phase, Profile, Resources, SCHEMA, Sampling, Schedule,
    TrialRecord,
};
use downbeat_reports::samples::{self, Samples, SamplesFile, Seen};
use downbeat_reports::stats::percentiles;
use downbeat_reports::stats::random::SplitMix64;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Batch interval of the examples.
pub const INTERVAL_NS: u64 = 200_000_000;

/// Warm-up batches of the examples.
pub const WARMUP: u64 = 10;

/// 21 January 2026, 09:31:00 UTC.
const START_WALL_NS: i64 = 1_768_987_860_000_000_000;

const THREADS: u64 = 2;

/// A trial that HOLDS: 100 judged batches of about 80 ms, none late.
pub fn holds() -> TrialRecord {
    trial("20260121-0931-a1f3", 100, |index, random| {
        let wobble = random.below(12_000_000) as u64;
        let settling = 60_000_000_u64.saturating_sub(index * 8_000_000);
        (400_000, 74_000_000 + wobble + settling)
    })
}

/// A trial that FALLS BEHIND: batches take 1.13 intervals and wait for one another.
pub fn falls_behind() -> TrialRecord {
    let mut record = trial("20260121-0940-b07e", 100, |index, random| {
        let wobble = random.below(8_000_000) as u64;
        (index * 26_000_000, 222_000_000 + wobble)
    });
    record.schedule.rate_per_s = Some(8_000_000.0);
    record.noise.steal_ns = Some(12_000_000);
    record
}

/// A trial that is NOT JUDGED: three late batches of 100 may be chance.
pub fn not_judged() -> TrialRecord {
    trial("20260121-0950-c2d4", 100, |index, random| {
        let wobble = random.below(12_000_000) as u64;
        let stall = match index {
            45 => 190_000_000,
            72 => 140_000_000,
            88 => 410_000_000,
            _ => 0,
        };
        (400_000, 74_000_000 + wobble + stall)
    })
}

/// An INVALID trial: the generator was late.
pub fn invalid() -> TrialRecord {
    let mut record = holds();
    record.run = "20260121-1000-d5e6".to_owned();
    record.integrity.generator_late_records = 180_000;
    record.integrity.generator_lag_ns = Lag { p99: 180_000_000, max: 240_000_000 };
    record
}

/// A BROKEN trial: a wrong answer, a lost record, no histogram, no profile.
pub fn broken() -> TrialRecord {
    let mut record = holds();
    record.run = "20260121-1010-e7f8".to_owned();
    record.batches[88].wrong = Some("word \"the\": 1203, expected 1204".to_owned());
    record.integrity.wrong_batches = 1;
    record.integrity.lost = 12;
    record.integrity.committed -= 12;
    record.latency_histogram = None;
    record.profile =
        Profile { unavailable: Some("the sampler died by SIGSEGV in the replay".to_owned()), ..Profile::default() };
    record
}

/// The trial that is not judged, sampled meanwhile.
pub fn sampled() -> TrialRecord {
    let mut record = not_judged();
    record.sampling = Sampling {
        sampler: Some("perf_event cpu-clock, user space, frame pointers".to_owned()),
        frequency_hz: 99,
        samples: 1_600,
        in_batches: 1_510,
        lost: 2,
        unavailable: None,
    };
    record
}

/// Samples of [`sampled`]: of `map` its late batches have enough, of `aggregate` too few.
pub fn samples() -> Samples {
    samples_with("downbeat_workloads::catalog::word_count::split")
}

/// The same with that name for one of the functions.
pub fn samples_with(function: &str) -> Samples {
    samples_of("db-worker-0", function)
}

/// The same with that name for one of the threads, too.
pub fn samples_of(thread: &str, function: &str) -> Samples {
    let stack = |thread: &str, rest: &str| format!("{thread};downbeat_engine::schedule::pool::run;{rest}");
    let seen = |batch: Option<u64>, stage: &str, stacks: &[(usize, u64)]| Seen {
        batch,
        stage: batch.map(|_| stage.to_owned()),
        stacks: stacks.to_vec(),
    };
    Samples::from(SamplesFile {
        schema: samples::SCHEMA,
        run: "20260121-0950-c2d4".to_owned(),
        stacks: vec![
            stack(thread, function),
            stack("db-worker-1", &format!("{function};core::str::pattern::find")),
            stack("db-worker-1", "downbeat_engine::exchange::table::Table<K,V>::probe"),
            stack("db-jobs-0", "memcpy"),
            "db-generator;downbeat_workloads::generator::run".to_owned(),
        ],
        seen: vec![
            seen(None, "", &[(4, 90)]),
            seen(Some(45), "map", &[(0, 90), (1, 20), (3, 5)]),
            seen(Some(72), "map", &[(0, 60), (3, 5)]),
            seen(Some(88), "map", &[(0, 150), (1, 60), (2, 20)]),
            seen(Some(88), "aggregate", &[(2, 30)]),
            seen(Some(50), "map", &[(0, 200), (1, 100), (3, 300)]),
            seen(Some(51), "aggregate", &[(2, 470)]),
        ],
    })
}

/// All five, by the file name of their golden output.
pub fn all() -> [(&'static str, TrialRecord); 5] {
    [
        ("holds", holds()),
        ("falls_behind", falls_behind()),
        ("not_judged", not_judged()),
        ("invalid", invalid()),
        ("broken", broken()),
    ]
}

/// A batch after the warm-up with these times, its phases and busy times adding up.
pub fn batch(index: u64, wait_ns: u64, processing_ns: u64) -> BatchRecord {
    let records = 20_000;
    let shares = [("map", 55), ("exchange", 15), ("aggregate", 25)];
    let mut phases: Vec<Phase> = shares.iter().map(|(name, share)| phase(name, processing_ns * share / 100)).collect();
    let rest = processing_ns - phases.iter().map(|phase| phase.ns).sum::<u64>();
    phases.push(phase("output", rest));
    let busy: Vec<Phase> = phases.iter().map(|phase| self::phase(&phase.name, phase.ns * 17 / 10)).collect();
    let busy_ns: u64 = busy.iter().map(|phase| phase.ns).sum();
    BatchRecord {
        index,
        time_ns: START_WALL_NS + ((index + 1) * INTERVAL_NS) as i64,
        due_ns: 5_000_000_000 + (index + 1) * INTERVAL_NS,
        warmup: index < WARMUP,
        has_job: true,
        records,
        bytes: records * 62,
        held_bytes: Some(records * 62),
        blocks: 2,
        first_sequence: index * records,
        end_sequence: (index + 1) * records,
        shed: 0,
        generation_delay_ns: wait_ns.min(60_000),
        scheduling_delay_ns: wait_ns - wait_ns.min(60_000),
        processing_ns,
        total_delay_ns: wait_ns + processing_ns,
        late: wait_ns + processing_ns > INTERVAL_NS,
        phases,
        busy,
        idle_ns: THREADS * processing_ns - busy_ns,
        skew: Some(1.04),
        queue_depth: wait_ns / INTERVAL_NS,
        blocked_ns: 0,
        throttled_ns: 0,
        rate_limit_per_s: None,
        allocations: Some(1_204),
        allocated_bytes: Some(4_812_000),
        page_faults: Some(14),
        major_page_faults: Some(0),
        stolen_ns: Some(0),
        generator_lag_ns: Some(210_000),
        failure: None,
        wrong: None,
    }
}

fn phase(name: &str, ns: u64) -> Phase {
    Phase { name: name.to_owned(), ns }
}

/// A trial of [`WARMUP`] and `judged` batches; `times` gives waiting and processing time by index.
pub fn trial(run: &str, judged: u64, mut times: impl FnMut(u64, &mut SplitMix64) -> (u64, u64)) -> TrialRecord {
    let mut random = SplitMix64::new(42);
    let batches: Vec<BatchRecord> = (0..WARMUP + judged)
        .map(|index| {
            let (wait_ns, processing_ns) = times(index, &mut random);
            batch(index, wait_ns, processing_ns)
        })
        .collect();
    let records: u64 = batches.iter().map(|batch| batch.records).sum();
    TrialRecord {
        schema: SCHEMA,
        run: run.to_owned(),
        command: "downbeat run word-count --rate 100k/s --interval 200ms --seed 42".to_owned(),
        subject: "embedded".to_owned(),
        workload: "word-count".to_owned(),
        settings: texts(&[
            ("codec", "none"),
            ("interval", "200ms"),
            ("pool", "rayon"),
            ("rate", "100k/s"),
            ("threads", "2"),
        ]),
        origins: texts(&[
            ("codec", "default"),
            ("interval", "flag"),
            ("pool", "default"),
            ("rate", "flag"),
            ("threads", "file"),
        ]),
        judging: Judging {
            interval_ns: INTERVAL_NS,
            late_limit: 0.01,
            threads: THREADS as u32,
            planned_batches: judged,
        },
        schedule: Schedule {
            hash: Some("9f3c51d0aa47e21b".to_owned()),
            seed: 42,
            records: Some(records),
            rate_per_s: Some(100_000.0),
            arrivals: "constant".to_owned(),
            source: "generator".to_owned(),
            ceiling_per_s: Some(12_400_000.0),
        },
        primed_batches: 0,
        latency_histogram: Some(latencies(&batches)),
        integrity: Integrity {
            planned: Some(records),
            accepted: records,
            committed: records,
            generator_lag_ns: Lag { p99: 210_000, max: 800_000 },
            input: BTreeMap::new(),
            oracle: Some("single-threaded count".to_owned()),
            checked_batches: batches.len() as u64,
            ..Integrity::default()
        },
        batches,
        resources: Resources {
            cpu_ns: 17_900_000_000,
            generator_cpu_ns: Some(1_100_000_000),
            peak_rss_bytes: 118 << 20,
            allocations: Some(132_440),
            allocated_bytes: Some(529_320_000),
            allocator: "mimalloc 3.1".to_owned(),
            allocator_options: BTreeMap::new(),
        },
        noise: Noise { steal_ns: Some(0), hiccups: Vec::new() },
        environment: texts(&[
            ("cpu", "AMD EPYC 7B13"),
            ("cores", "2"),
            ("kernel", "Linux 6.12.9"),
            ("rustc", "1.95.0"),
            ("version", "0.1.0"),
        ]),
        profile: profile(),
        sampling: Sampling {
            frequency_hz: 99,
            unavailable: Some("trial_samples is off".to_owned()),
            ..Sampling::default()
        },
        interrupted: false,
        failure: None,
        warnings: Vec::new(),
    }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// 100 records a judged batch, arriving evenly over its interval.
fn latencies(batches: &[BatchRecord]) -> String {
    let mut histogram = Histogram::<u64>::new(3).expect("3 digits are allowed");
    for batch in batches.iter().filter(|batch| !batch.warmup) {
        for part in 0..100 {
            let waited_ns = INTERVAL_NS * (2 * part + 1) / 200;
            histogram
                .record_n(waited_ns + batch.total_delay_ns, batch.records / 100)
                .expect("the histogram grows by itself");
        }
    }
    percentiles::encode(&histogram).expect("a small histogram")
}

fn profile() -> Profile {
    let folded = [
        "db-worker-0;downbeat_engine::schedule::pool::run;downbeat_engine::dstream::keyed::combine::h0123456789abcdef;downbeat_engine::exchange::table::Table<K,V>::probe 181",
        "db-worker-1;downbeat_engine::schedule::pool::run;downbeat_engine::dstream::keyed::combine::h0123456789abcdef;downbeat_engine::exchange::table::Table<K,V>::probe 164",
        "db-worker-0;downbeat_engine::schedule::pool::run;downbeat_workloads::catalog::word_count::split;memchr[4e9b25d2c0b1a6f3]::arch::x86_64::memchr::memchr_raw 96",
        "db-worker-1;downbeat_engine::schedule::pool::run;downbeat_workloads::catalog::word_count::split 58",
        "db-driver;downbeat_engine::schedule::driver::run;downbeat_engine::dstream::output::print 12",
        "db-worker-0;[u8; 8]::to_vec 3",
    ];
    Profile {
        sampler: Some("pprof 0.15, libgcc unwinder".to_owned()),
        frequency_hz: 99,
        samples: 514,
        expected_samples: 520,
        replay_s: 2.6,
        folded: folded.map(str::to_owned).to_vec(),
        unavailable: None,
    }
}

/// A pause of the host during that batch.
pub fn hiccup_in(batch: &BatchRecord) -> Hiccup {
    Hiccup { start_ns: batch.due_ns + 1_000_000, length_ns: 120_000_000 }
}
