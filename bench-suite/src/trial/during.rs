//! What happened to the process and its host while a batch was due: counters of the kernel, read once a batch, on the job thread after the
//! commit.

use downbeat_engine::page_faults::PageFaults;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The kernel counts stolen time in ticks this long; within shorter intervals the counter says nothing.
const TICK_NS: u64 = 10_000_000;

/// The first line of /proc/stat is no longer than this, bytes: ten numbers.
const FIRST_LINE: usize = 256;

/// What was counted since the batch before was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct During {
    /// Page faults of the process.
    pub(super) page_faults: PageFaults,
    /// CPU time of the host's cores, together, that the hypervisor gave to others, nanoseconds. `None` where the host or the interval
    /// does not tell.
    pub(super) stolen_ns: Option<u64>,
}

/// The counters as they were read last.
pub(super) struct Counters {
    page_faults: PageFaults,
    stolen_ns: Option<u64>,
    /// `None` where stolen time is not read.
    stat: Option<File>,
}

impl Counters {
    /// Reads them for the first time.
    pub(super) fn new(interval_ns: u64) -> Self {
        let stat = (interval_ns >= TICK_NS).then(|| File::open("/proc/stat").ok()).flatten();
        let mut counters = Counters { page_faults: PageFaults::default(), stolen_ns: None, stat };
        counters.read();
        counters
    }

    /// Reads them again: what was added meanwhile.
    pub(super) fn read(&mut self) -> During {
        let (page_faults, stolen_ns) = (PageFaults::of_process(), self.stat.as_ref().and_then(stolen_ns));
        let during = During {
            page_faults: page_faults.since(self.page_faults),
            stolen_ns: stolen_ns.zip(self.stolen_ns).map(|(now, before)| now.saturating_sub(before)),
        };
        (self.page_faults, self.stolen_ns) = (page_faults, stolen_ns);
        during
    }
}

/// The file stays open and only its first line is read: ten microseconds instead of fifty.
fn stolen_ns(stat: &File) -> Option<u64> {
    let mut bytes = [0; FIRST_LINE];
    let length = stat.read_at(&mut bytes, 0).ok()?;
    let ticks = stolen_ticks(std::str::from_utf8(&bytes[..length]).ok()?)?;
    Some(ticks.saturating_mul(1_000_000_000 / procfs::ticks_per_second().max(1)))
}

/// The eighth number of the line of all cores: user, nice, system, idle, iowait, irq, softirq, steal.
fn stolen_ticks(stat: &str) -> Option<u64> {
    let (line, _) = stat.split_once('\n')?;
    line.strip_prefix("cpu ")?.split_ascii_whitespace().nth(7)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_the_eighth_number_of_the_first_line() {
        let text = "cpu  174613 13361 11650 115850 2361 1 344 8304 7 9\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(stolen_ticks(text), Some(8304));
        for text in ["", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7 8", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  1 2 3 4 5 6 7 x\n"] {
            assert_eq!(stolen_ticks(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_host_tells_the_same_as_the_whole_file_does() {
        let read = stolen_ns(&File::open("/proc/stat").unwrap()).unwrap();
        let whole = crate::machine::steal_ns().unwrap();
        assert!(whole.abs_diff(read) <= 10 * TICK_NS, "{whole} {read}");
    }

    #[test]
    fn each_reading_counts_from_the_one_before() {
        let mut counters = Counters::new(TICK_NS);
        let before = counters.page_faults;
        let touched = vec![1_u8; 64 << 20];
        let during = counters.read();
        assert!(during.page_faults.minor >= 32 && during.stolen_ns.is_some(), "{during:?}");
        assert_eq!(counters.page_faults.since(before), during.page_faults, "{} bytes", touched.len());
    }

    #[test]
    fn intervals_shorter_than_a_tick_have_no_stolen_time() {
        assert_eq!(Counters::new(TICK_NS - 1).read().stolen_ns, None);
    }
}
