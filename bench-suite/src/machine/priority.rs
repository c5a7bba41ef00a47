//! The priority of what is measured: whoever else runs here should wait, not the trials of a gate or a search.

use rustix::process::{getpriority_process, setpriority_process};

/// The highest there is.
const HIGHEST_NICE: i32 = -20;

/// Raises the priority of this thread and of the processes that it starts from now on, where that is permitted.
pub(crate) fn raise() {
    // Refused without CAP_SYS_NICE: then everything runs as it would have, and the fingerprint says so.
    let _ = setpriority_process(None, HIGHEST_NICE);
}

/// The nice value in force for this thread; `None` where the system does not tell.
pub(super) fn nice() -> Option<i32> {
    getpriority_process(None).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_in_force_for_processes_that_follow() {
        // A thread of its own: the priority of the others stays.
        let (told, seen) = std::thread::spawn(|| {
            raise();
            let told = nice().unwrap();
            let output = std::process::Command::new("nice").output().unwrap();
            (told, String::from_utf8(output.stdout).unwrap())
        })
        .join()
        .unwrap();
        assert_eq!(seen.trim(), told.to_string());
    }
}
