//! Which cores a thread may run on.

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
    if core >= 8 * size_of::<libc::cpu_set_t>() {
        return Err(std::io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: as above; `core` is below the number of bits, which was just checked.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        set
    };
    // SAFETY: the size is that of `set`, which is only read; 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
