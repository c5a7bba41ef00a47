//! Which cores a thread may run on, and which of them the threads of a context are kept on.

use crate::settings::{PoolKind, Settings};

/// Cores that the calling thread may run on, ascending; at least one, unless the system does not tell.
pub(crate) fn allowed_cores() -> Vec<usize> {
    // SAFETY: a set of cores is plain bits, for which all zeros is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the size is that of `set`, which is written to and not kept; 0 is the calling thread.
    let told = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if told != 0 {
        return Vec::new();
    }
    let most = 8 * size_of::<libc::cpu_set_t>();
    // SAFETY: `core` is below the number of bits of `set`.
    (0..most).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect()
}

/// Keeps the calling thread, and threads that it starts from now on, on one core.
///
/// # Errors
/// What the system said, for example that the core is not among the allowed ones.
pub(crate) fn pin_to(core: usize) -> std::io::Result<()> {
    keep_on(&[core])
}

/// The same on some cores.
///
/// # Errors
/// What the system said.
pub(crate) fn keep_on(cores: &[usize]) -> std::io::Result<()> {
    if cores.iter().any(|core| *core >= 8 * size_of::<libc::cpu_set_t>()) {
        return Err(std::io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: as above; every core is below the number of bits, which was just checked.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cores.iter().for_each(|core| libc::CPU_SET(*core, &mut set));
        set
    };
    // SAFETY: the size is that of `set`, which is only read; 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Where the threads of a context belong. Empty lists let threads go where the system puts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The core of each job thread.
    pub(crate) jobs: Vec<usize>,
    /// The core of each worker of the pool.
    pub(crate) workers: Vec<usize>,
    /// Cores for those who bring records.
    pub(crate) others: Vec<usize>,
}

impl Placement {
    /// Job threads first, then workers, each on the next of the allowed cores, which are shared when there are fewer. Cores that
    /// are left over are for the others, with `pin_cores`. `None` when the system does not tell which cores are allowed.
    pub(crate) fn of(settings: &Settings, allowed: &[usize]) -> Option<Self> {
        let is_pinned = settings.pool == PoolKind::Pinned;
        if !is_pinned && !settings.pin_cores {
            return Some(Placement::default());
        }
        if allowed.is_empty() {
            return None;
        }
        let (jobs, workers) = (settings.concurrent_jobs, settings.effective_threads() - 1);
        let mut cores = allowed.iter().copied().cycle();
        let mut placement = Placement {
            jobs: cores.by_ref().take(jobs).collect(),
            workers: cores.take(workers).collect(),
            others: allowed.get(jobs + workers..).unwrap_or_default().to_vec(),
        };
        if !settings.pin_cores {
            placement.others.clear();
            // Several job threads of a pinned pool would each want the core of lane 0.
            if jobs > 1 {
                placement.jobs.clear();
            }
        }
        Some(placement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_the_next_core_and_others_have_what_is_left() {
        let place = |pool, pin_cores, threads, concurrent_jobs, allowed: &[usize]| {
            let settings = Settings { pool, pin_cores, threads, concurrent_jobs, ..Settings::default() };
            let Placement { jobs, workers, others } = Placement::of(&settings, allowed)?;
            Some([jobs, workers, others])
        };
        let lists =
            |jobs: &[usize], workers: &[usize], others: &[usize]| Some([jobs, workers, others].map(<[usize]>::to_vec));
        let cores = [2, 3, 5, 7];
        assert_eq!(place(PoolKind::Rayon, false, 2, 1, &cores), lists(&[], &[], &[]));
        assert_eq!(place(PoolKind::Rayon, true, 2, 1, &cores), lists(&[2], &[3], &[5, 7]));
        assert_eq!(place(PoolKind::Rayon, true, 2, 2, &cores), lists(&[2, 3], &[5], &[7]));
        assert_eq!(place(PoolKind::Sequential, true, 4, 1, &cores), lists(&[2], &[], &[3, 5, 7]));
        assert_eq!(place(PoolKind::Pinned, true, 3, 1, &cores), lists(&[2], &[3, 5], &[7]));
        assert_eq!(place(PoolKind::Pinned, false, 3, 1, &cores), lists(&[2], &[3, 5], &[]));
        assert_eq!(place(PoolKind::Pinned, false, 3, 2, &cores), lists(&[], &[5, 7], &[]));
        assert_eq!(place(PoolKind::Rayon, true, 3, 1, &[4, 6]), lists(&[4], &[6, 4], &[]), "none is left");
        assert_eq!(place(PoolKind::Rayon, true, 3, 1, &[]), None);
    }

    #[test]
    fn a_pinned_thread_has_one_core_and_others_keep_theirs() {
        let before = allowed_cores();
        let core = *before.last().expect("a thread runs somewhere");
        let pinned = std::thread::spawn(move || pin_to(core).map(|()| allowed_cores()));
        assert_eq!(pinned.join().expect("no panic").expect("an allowed core"), [core]);
        assert_eq!(allowed_cores(), before);
    }

    #[test]
    fn a_core_that_is_not_there_is_refused() {
        assert!(pin_to(usize::MAX).is_err());
        assert!(pin_to(8 * size_of::<libc::cpu_set_t>() - 1).is_err());
    }
}
