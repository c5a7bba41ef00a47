//! The pages of memory in which this program's code lies, and how they are moved.
//!
//! A program is mapped from the page cache, so every process of one file has its code in the same pages, and how these fall into caches
//! that are indexed by physical addresses decides about its speed: byte for byte equal copies of one program differ by several percent,
//! in every process, for as long as they are cached (`scripts/copies` shows it). Moved from time to time the place is noise that a median
//! takes out, and no longer a bias that looks like a change of the program. After C. Curtsinger and E. D. Berger, "Stabilizer:
//! statistically sound performance evaluation", ASPLOS 2013, which moves functions and stacks within the address space, too.
//!
//! The only file of this crate with `unsafe`. Miri knows none of these calls of the kernel; the test below moves the code of a program
//! whose threads run meanwhile.

use downbeat_reports::stats::random::SplitMix64;
use procfs::process::{MMPermissions, MMapPath, MemoryMap, Process};
use rustix::mm::{Advice, MapFlags, MprotectFlags, MremapFlags, ProtFlags};
use rustix::mm::{madvise, mmap_anonymous, mprotect, mremap_fixed, munmap};
use std::ffi::c_void;
use std::io;
use std::ptr::{copy_nonoverlapping, null_mut};

/// Pages are moved one by one; these are the smallest ones of x86-64 and of most others.
const PAGE_BYTES: usize = 4096;

/// The mapped code and constants of this program.
#[derive(Debug)]
pub(crate) struct CodePages {
    parts: Vec<Part>,
    random: SplitMix64,
}

/// A mapping of the program's file that nobody may write to.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    bytes: usize,
    is_code: bool,
}

impl CodePages {
    /// Finds them. They must not have been moved before: then they are the program's no more.
    ///
    /// # Errors
    /// The system does not tell what is mapped.
    pub(crate) fn find() -> io::Result<Self> {
        let program = std::fs::read_link("/proc/self/exe")?;
        let maps = Process::myself().and_then(|this| this.maps()).map_err(io::Error::other)?;
        let is_of_program = |map: &MemoryMap| matches!(&map.pathname, MMapPath::Path(path) if *path == program);
        let parts = maps.iter().filter(|map| is_of_program(map)).filter_map(Part::of).collect();
        Ok(CodePages { parts, random: SplitMix64::new(std::process::id().into()) })
    }

    /// Moves all of them to other pages of memory, each by itself; addresses and contents stay.
    ///
    /// # Errors
    /// The system refuses, for example because it lets nobody make code out of data. What was not moved is where it was.
    pub(crate) fn shuffle(&mut self) -> io::Result<()> {
        for part in &self.parts {
            part.shuffle(&mut self.random)?;
        }
        Ok(())
    }
}

impl Part {
    fn of(map: &MemoryMap) -> Option<Self> {
        let is_fixed = map.perms.contains(MMPermissions::READ) && !map.perms.contains(MMPermissions::WRITE);
        is_fixed.then(|| Part {
            start: map.address.0 as usize,
            bytes: (map.address.1 - map.address.0) as usize,
            is_code: map.perms.contains(MMPermissions::EXECUTE),
        })
    }

    fn shuffle(self, random: &mut SplitMix64) -> io::Result<()> {
        let mut places: Vec<usize> = (0..self.bytes).step_by(PAGE_BYTES).collect();
        random.shuffle(&mut places);
        let old = self.start as *mut c_void;
        let writable = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let new = unsafe { mmap_anonymous(null_mut(), self.bytes, writable, MapFlags::PRIVATE)? };
        // SAFETY: it is ours alone. Huge pages would move together; a kernel without them refuses, and need not be told.
        let _ = unsafe { madvise(new, self.bytes, Advice::LinuxNoHugepage) };
        for place in places {
            // SAFETY: `old` is a segment of the running program: mapped, readable, written by nobody and never unmapped, whole pages
            // of `bytes` in all. `new` is as long, writable and ours alone. It gets its memory here, so the order decides which.
            unsafe { copy_nonoverlapping(old.cast::<u8>().add(place), new.cast::<u8>().add(place), PAGE_BYTES) };
        }
        let protection = if self.is_code { MprotectFlags::READ | MprotectFlags::EXEC } else { MprotectFlags::READ };
        // SAFETY: `new` is ours alone and becomes what `old` is: the same bytes, as readable, as executable. Then it takes the place of
        // `old` within one call of the kernel, which lets no page fault of the process through meanwhile: every thread, this one
        // too, finds the same bytes there before and after, and never nothing.
        let moved = unsafe {
            mprotect(new, self.bytes, protection)
                .and_then(|()| mremap_fixed(new, self.bytes, self.bytes, MremapFlags::MAYMOVE, old))
        };
        if let Err(error) = moved {
            // SAFETY: it is ours alone and was not moved.
            let _ = unsafe { munmap(new, self.bytes) };
            return Err(error.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use xxhash_rust::xxh3::xxh3_64;

    /// Other tests move nothing, so the pages are the program's file's until here.
    #[test]
    fn code_runs_on_while_it_is_moved_and_stays_what_it_was() {
        let mut pages = CodePages::find().unwrap();
        let bytes = |part: &Part| {
            // SAFETY: as in `shuffle`: a readable segment of the program that nobody writes to or unmaps.
            xxh3_64(unsafe { std::slice::from_raw_parts(part.start as *const u8, part.bytes) })
        };
        let before: Vec<u64> = pages.parts.iter().map(bytes).collect();
        assert!(pages.parts.iter().any(|part| part.is_code) && pages.parts.iter().any(|part| !part.is_code));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let work = || {
                let mut words = 0;
                while !over.load(Ordering::Relaxed) {
                    words += format!("{:?}", "a b c".split(' ').collect::<Vec<_>>()).len();
                }
                words
            };
            let threads = [scope.spawn(work), scope.spawn(work)];
            for _ in 0..30 {
                pages.shuffle().unwrap();
            }
            over.store(true, Ordering::Relaxed);
            assert!(threads.map(|thread| thread.join().unwrap()).iter().all(|words| words.is_multiple_of(15)));
        });
        assert_eq!(pages.parts.iter().map(bytes).collect::<Vec<u64>>(), before);
        // Nothing of it is mapped from the file any more.
        assert!(CodePages::find().unwrap().parts.is_empty());
    }
}
