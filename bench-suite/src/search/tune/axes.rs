//! Which knobs are tried when the user names none: those that can matter on this host and for this job.

use crate::failure::Failure;
use crate::search::grid::Axis;
use crate::settings::TrialSettings;
use downbeat_engine::settings::format_duration_ns;
use downbeat_workloads::catalog::Job;

/// The shortest block interval, nanoseconds.
const BLOCK_LEAST_NS: u64 = 100_000;

/// The axes for a job and today's settings.
///
/// # Errors
/// None of these knobs is missing and their values fit; if not, that is a bug of this list.
pub(super) fn by_default(today: &TrialSettings, job: &dyn Job) -> Result<Vec<Axis>, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let values = today.values();
    let mut texts = vec![
        format!("threads={}", list(doubled(1, cores))),
        "pool=rayon,pinned".to_owned(),
        format!("partitions={}", list(doubled(1, 4 * cores))),
        "combine=always,never,adaptive".to_owned(),
        "allocator=mimalloc,jemalloc,system".to_owned(),
        format!("block_interval={}", block_intervals(today.engine.interval_ns)),
    ];
    if values.get("codec").is_some_and(|codec| codec != "none") {
        texts.push("codec=none,rkyv,bitcode,wincode".to_owned());
    }
    if values.get("records").is_some_and(|records| records != "borrowed") {
        texts.push("records=borrowed,owned".to_owned());
    }
    if job.prime_batches(&today.load, today.engine.interval_ns) > 0 {
        texts.push("window_method=auto,daba".to_owned());
    }
    texts.iter().map(|text| Axis::parse(text)).collect()
}

/// 1, 2, 4 … up to a number, and it.
fn doubled(first: usize, last: usize) -> Vec<usize> {
    let mut all: Vec<usize> =
        std::iter::successors(Some(first), |count| Some(count * 2)).take_while(|count| *count < last).collect();
    all.push(last);
    all
}

fn list(values: Vec<usize>) -> String {
    values.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// One block an interval, and ever more.
fn block_intervals(interval_ns: u64) -> String {
    let shorter = [1, 2, 4, 8].map(|parts| (interval_ns / parts).max(BLOCK_LEAST_NS));
    let mut texts: Vec<String> = shorter.into_iter().map(format_duration_ns).collect();
    texts.dedup();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_workloads::catalog::CATALOG;

    #[test]
    fn every_job_has_axes_that_can_be_read_at_any_interval() {
        for job in CATALOG {
            for interval_ns in [1_000_000, 20_000_000, 200_000_000, 3_600_000_000_000] {
                let mut today = TrialSettings::default();
                today.engine.interval_ns = interval_ns;
                let axes = by_default(&today, *job).unwrap_or_else(|error| panic!("{}: {error}", job.name()));
                assert!(axes.len() >= 6 && axes.iter().all(|axis| !axis.values.is_empty()));
            }
        }
    }

    #[test]
    fn numbers_double_up_to_the_last() {
        assert_eq!(doubled(1, 8), [1, 2, 4, 8]);
        assert_eq!(doubled(1, 6), [1, 2, 4, 6]);
        assert_eq!(doubled(1, 1), [1]);
        assert_eq!(block_intervals(200_000), "200us,100us");
    }
}
