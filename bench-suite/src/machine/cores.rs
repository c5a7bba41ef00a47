//! The cores that this thread and the processes it starts may use.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Cores that the calling thread may run on, ascending. Empty where the system does not tell.
pub(crate) fn allowed() -> Vec<usize> {
    sched_getaffinity(None)
        .map_or_else(|_| Vec::new(), |set| (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Does something on these cores: this thread and what it starts meanwhile stay there. Anywhere when there are none of them, or the
/// system refuses.
pub(crate) fn on<T>(cores: &[usize], work: impl FnOnce() -> T) -> T {
    let before = sched_getaffinity(None).ok();
    let mut set = CpuSet::new();
    cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| set.set(*core));
    let is_kept = set.count() > 0 && sched_setaffinity(None, &set).is_ok();
    let done = work();
    if let Some(before) = before.filter(|_| is_kept) {
        // They were allowed before.
        let _ = sched_setaffinity(None, &before);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_stays_on_the_cores_and_this_thread_comes_back() {
        let before = allowed();
        let core = *before.last().unwrap();
        let started = on(&[core], || std::thread::spawn(allowed).join().unwrap());
        assert_eq!(started, [core]);
        assert_eq!(allowed(), before);
        assert_eq!(on(&[], allowed), before);
        assert_eq!(on(&[CpuSet::MAX_CPU + 7], allowed), before, "a core that is not there");
    }
}
