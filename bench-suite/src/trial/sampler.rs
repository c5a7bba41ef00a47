//! Samples of the engine's threads while a trial is measured: the kernel's CPU clock of each thread, into a ring that is emptied once a
//! second.
//!
//! User space only. Callers are found by frame pointers: where a build has none, a stack is the function and what was inlined into it.

use downbeat_engine::clock::Wake;
use perf_event::data::{Record, Sample as KernelSample};
use perf_event::events::Software;
use perf_event::{Builder, Clock, SampleFlag, Sampler as Ring};
use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// What is said about where the samples come from.
pub(super) const SAMPLER: &str = "perf_event cpu-clock, user space, frame pointers";

/// How often the rings are emptied and new threads looked for.
const PERIOD: Duration = Duration::from_secs(1);

/// Threads name themselves shortly after they have been started.
const FIRST_PERIOD: Duration = Duration::from_millis(20);

/// Frames of a stack that are asked for.
const DEPTH: u16 = 48;

/// A ring has room for more than a second of the deepest stacks at the highest frequency.
const RING_BYTES: usize = 128 << 10;

/// Samples that are kept; more are counted as lost.
const KEPT: usize = 1 << 22;

/// How the names of the engine's threads begin.
const THREADS: &str = "db-";

/// Values from here on part the kernel's frames from those of user space, and are no addresses.
const MARKS: u64 = u64::MAX - 4095;

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// When, on the engine's clock.
    pub(super) time_ns: u64,
    /// Place in the names of the threads.
    pub(super) thread: usize,
    /// Place in the stacks.
    pub(super) stack: usize,
}

/// Everything that was sampled.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    /// Names of the threads.
    pub(super) threads: Vec<String>,
    /// Addresses, the innermost frame first.
    pub(super) stacks: Vec<Vec<u64>>,
    /// The samples, those of a thread in order.
    pub(super) samples: Vec<Sample>,
    /// Samples that there was no room for.
    pub(super) lost: u64,
}

/// Samples from a thread of its own until it is stopped.
pub(super) struct Sampler {
    wake: Arc<Wake>,
    thread: JoinHandle<Sampled>,
}

impl Sampler {
    /// Starts to sample, so many times a second of each thread's CPU time.
    ///
    /// # Errors
    /// Why the kernel does not permit it.
    pub(super) fn start(frequency_hz: u32) -> Result<Self, String> {
        // Tried on the calling thread, so that a refusal is known before anything is measured.
        drop(open(0, frequency_hz).map_err(|error| refused(&error))?);
        let wake = Arc::new(Wake::default());
        let sleeper = wake.clone();
        let body = move || {
            let mut reader = Reader { frequency_hz, ..Reader::default() };
            let mut period = FIRST_PERIOD;
            while !sleeper.is_set() {
                reader.look();
                sleeper.sleep(std::mem::replace(&mut period, PERIOD));
            }
            reader.end()
        };
        let thread = std::thread::Builder::new().name("sampler".into()).spawn(body);
        thread.map(|thread| Sampler { wake, thread }).map_err(|error| format!("its thread cannot be started: {error}"))
    }

    /// Ends the sampling.
    ///
    /// # Errors
    /// The thread that read the rings has died.
    pub(super) fn stop(self) -> Result<Sampled, String> {
        self.wake.set();
        self.thread.join().map_err(|_| "the thread that reads the samples died".to_owned())
    }
}

/// One thread's clock and its ring.
fn open(thread_id: i32, frequency_hz: u32) -> std::io::Result<Ring> {
    let period_ns = 1_000_000_000 / u64::from(frequency_hz.max(1));
    let mut builder = Builder::new(Software::CPU_CLOCK);
    builder
        .observe_pid(thread_id)
        .any_cpu()
        .sample_period(period_ns)
        .sample(SampleFlag::TID | SampleFlag::TIME | SampleFlag::CALLCHAIN)
        .sample_max_stack(DEPTH)
        .exclude_kernel(true)
        .exclude_hv(true)
        .exclude_callchain_kernel(true)
        .clockid(Clock::MONOTONIC)
        // Nobody is woken: the reader comes by.
        .wakeup_watermark(RING_BYTES);
    let mut ring = builder.build()?.sampled(RING_BYTES)?;
    ring.enable()?;
    Ok(ring)
}

/// Why there are no samples, and what would help.
fn refused(error: &std::io::Error) -> String {
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "the kernel does not permit perf_event_open (kernel.perf_event_paranoid is {}; 2 or less is needed, and no seccomp filter)",
            if paranoid.trim().is_empty() { "unknown" } else { paranoid.trim() }
        ),
        ErrorKind::Unsupported => "this kernel has no perf events".to_owned(),
        _ => format!("perf_event_open failed: {error}"),
    }
}

/// Reads the rings.
#[derive(Default)]
struct Reader {
    frequency_hz: u32,
    /// By the id of the thread; `None` for one that is not the engine's, or whose ring could not be opened.
    rings: BTreeMap<i32, Option<(usize, Ring)>>,
    places: HashMap<Vec<u64>, usize>,
    sampled: Sampled,
}

impl Reader {
    fn look(&mut self) {
        for (thread_id, name) in threads() {
            if name.starts_with(THREADS) && !self.rings.contains_key(&thread_id) {
                // One that has ended meanwhile, or that the limit on locked memory leaves no ring for, goes without.
                let ring = open(thread_id, self.frequency_hz).ok();
                let opened = ring.map(|ring| (self.sampled.threads.len(), ring));
                self.sampled.threads.extend(opened.is_some().then_some(name));
                self.rings.insert(thread_id, opened);
            }
        }
        self.empty();
    }

    fn empty(&mut self) {
        let Reader { rings, places, sampled, .. } = self;
        for (thread, ring) in rings.values_mut().flatten() {
            while let Some(record) = ring.next_record() {
                match record.parse_record() {
                    Ok(Record::Sample(sample)) => keep(sampled, places, *thread, &sample),
                    Ok(Record::Lost(lost)) => sampled.lost += lost.lost,
                    _ => {}
                }
            }
        }
    }

    fn end(mut self) -> Sampled {
        for (_, ring) in self.rings.values_mut().flatten() {
            // What comes while the rings are read for the last time belongs to nothing.
            let _ = ring.disable();
        }
        self.empty();
        self.sampled
    }
}

fn keep(sampled: &mut Sampled, places: &mut HashMap<Vec<u64>, usize>, thread: usize, sample: &KernelSample<'_>) {
    let (Some(time_ns), Some(chain)) = (sample.time(), sample.callchain()) else { return };
    if sampled.samples.len() >= KEPT {
        sampled.lost += 1;
        return;
    }
    let addresses: Vec<u64> = chain.iter().copied().filter(|address| *address < MARKS).collect();
    let stack = *places.entry(addresses).or_insert_with_key(|addresses| {
        sampled.stacks.push(addresses.clone());
        sampled.stacks.len() - 1
    });
    sampled.samples.push(Sample { time_ns, thread, stack });
}

/// Ids and names of this process's threads.
fn threads() -> Vec<(i32, String)> {
    let Ok(entries) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let thread = |entry: std::fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        Some((id, name.trim().to_owned()))
    };
    entries.flatten().filter_map(thread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_engine::clock::{Clock as _, MonotonicClock};
    use std::time::Instant;

    #[inline(never)]
    fn spin(time: Duration) -> u64 {
        let (begin, mut sum) = (Instant::now(), 0_u64);
        while begin.elapsed() < time {
            sum = sum.wrapping_mul(31).wrapping_add(std::hint::black_box(7));
        }
        sum
    }

    #[test]
    fn threads_of_the_engine_are_sampled_on_its_clock_or_the_reason_is_told() {
        let sampler = match Sampler::start(200) {
            Ok(sampler) => sampler,
            Err(reason) => return assert!(reason.contains("perf_event"), "{reason}"),
        };
        let clock = MonotonicClock::new();
        let begin_ns = clock.now_ns();
        let busy = |name: &str| {
            let body = || spin(Duration::from_millis(1_500));
            std::thread::Builder::new().name(name.into()).spawn(body).unwrap()
        };
        let threads = [busy("db-test-0"), busy("other")];
        for thread in threads {
            thread.join().unwrap();
        }
        let end_ns = clock.now_ns();
        let sampled = sampler.stop().unwrap();
        // Other tests of this process may run engines meanwhile.
        let ours = sampled.threads.iter().position(|name| name == "db-test-0").expect("the thread was found");
        assert!(!sampled.threads.contains(&"other".to_owned()));
        let samples: Vec<&Sample> = sampled.samples.iter().filter(|sample| sample.thread == ours).collect();
        assert!(!samples.is_empty() && samples.iter().all(|sample| (begin_ns..=end_ns).contains(&sample.time_ns)));
        assert!(samples.iter().all(|sample| !sampled.stacks[sample.stack].is_empty()));
    }

    #[test]
    fn refusals_say_what_would_help() {
        let denied = refused(&std::io::Error::from_raw_os_error(13));
        assert!(denied.contains("perf_event_paranoid") && denied.contains("seccomp"), "{denied}");
        assert!(refused(&std::io::Error::from_raw_os_error(38)).contains("no perf events"));
    }
}
