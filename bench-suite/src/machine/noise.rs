//! Disturbances of the host: a thread that only sleeps notes when it wakes up too late, and watches the wall clock.

use downbeat_engine::clock::{Clock, MonotonicClock, Wake, set_timer_slack};
use downbeat_reports::record::Hiccup;
use procfs::CurrentSI;
use std::sync::Arc;
use std::thread::JoinHandle;

/// How long the thread sleeps at a time.
const NAP_NS: u64 = 1_000_000;

/// Wake-ups later than this are hiccups, whatever the interval.
const LATE_NS: u64 = 2_000_000;

/// Hiccups kept: more would only make the record larger.
const KEPT: usize = 10_000;

/// Naps between two looks at the wall clock.
const WALL_EVERY: u64 = 50;

/// CPU time that the hypervisor gave to others since the host started, nanoseconds. `None` where it does not tell.
pub fn steal_ns() -> Option<u64> {
    let ticks = procfs::KernelStats::current().ok()?.total.steal?;
    Some(ticks * (1_000_000_000 / procfs::ticks_per_second()))
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoiseReading {
    /// Late wake-ups, in order.
    pub hiccups: Vec<Hiccup>,
    /// The farthest that the wall clock was from where it should have been, nanoseconds.
    pub clock_jump_ns: i64,
}

/// Watches from a thread of its own until it is stopped.
pub struct NoiseMeter {
    wake: Arc<Wake>,
    thread: Option<JoinHandle<NoiseReading>>,
}

impl NoiseMeter {
    /// Starts to watch. Without a thread it sees nothing.
    pub fn start(interval_ns: u64) -> Self {
        let wake = Arc::new(Wake::default());
        let late_ns = LATE_NS.max(interval_ns / 100);
        let watched = wake.clone();
        let thread = std::thread::Builder::new().name("noise".into()).spawn(move || watch(&watched, late_ns)).ok();
        NoiseMeter { wake, thread }
    }

    /// Ends the watch.
    pub fn stop(mut self) -> NoiseReading {
        self.wake.set();
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

fn watch(wake: &Wake, late_ns: u64) -> NoiseReading {
    set_timer_slack();
    let clock = MonotonicClock::new();
    let mut reading = NoiseReading::default();
    let mut naps = 0_u64;
    while !wake.is_set() {
        let due_ns = clock.now_ns() + NAP_NS;
        clock.sleep_until(due_ns, wake);
        let length_ns = clock.now_ns().saturating_sub(due_ns);
        if length_ns > late_ns && reading.hiccups.len() < KEPT {
            reading.hiccups.push(Hiccup { start_ns: due_ns, length_ns });
        }
        naps += 1;
        if naps.is_multiple_of(WALL_EVERY) {
            let jump_ns = clock.wall_jump_ns();
            if jump_ns.unsigned_abs() > reading.clock_jump_ns.unsigned_abs() {
                reading.clock_jump_ns = jump_ns;
            }
        }
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_stops_at_once_and_steal_only_grows() {
        let before = steal_ns();
        let meter = NoiseMeter::start(200_000_000);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let reading = meter.stop();
        assert!(reading.hiccups.len() <= KEPT);
        assert!(steal_ns() >= before);
    }
}
