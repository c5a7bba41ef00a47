//! Page faults of this process, as the kernel counts them.

/// Page faults since the process started, all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageFaults {
    /// Those that the kernel answered from memory.
    pub minor: u64,
    /// Those for which it had to read from a disk.
    pub major: u64,
}

impl PageFaults {
    /// Counts them; one call of the kernel, about a microsecond.
    pub fn of_process() -> Self {
        // SAFETY: all zero bits are a valid `rusage`, which holds nothing but numbers.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `usage` is a valid place for the answer.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
        let count = |faults: libc::c_long| u64::try_from(faults).unwrap_or(0);
        PageFaults { minor: count(usage.ru_minflt), major: count(usage.ru_majflt) }
    }

    /// What was added since an earlier count.
    pub fn since(self, before: PageFaults) -> Self {
        PageFaults { minor: self.minor.saturating_sub(before.minor), major: self.major.saturating_sub(before.major) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_touched_first_is_a_fault_a_page() {
        let before = PageFaults::of_process();
        let pages = vec![1_u8; 64 << 20];
        let grown = PageFaults::of_process().since(before);
        // Huge pages need one fault for 2 MiB, which is the least there can be.
        assert!(grown.minor >= 32, "{grown:?}");
        assert_eq!(pages.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 64 << 20);
    }
}
