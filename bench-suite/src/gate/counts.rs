//! What can be counted exactly: allocations and their bytes, and instructions by callgrind. None of it needs a quiet machine.
//!
//! A process runs some batches in one thread, another one twice as many; the difference is what those batches take, and what starting,
//! making lines and ending takes is not in it. Instructions are counted inside [`BATCH`] only, so that waiting is none. What is left of
//! chance (a buffer that grew because a message came later) only ever adds: where the arms differ both are counted again, up to four times,
//! and the smallest count is an arm's own. Instructions, which are slow to count and depend on addresses that are hashed, are counted a
//! second time where they differ.
//! The arms' own binaries are what is counted, under valgrind as they are: a benchmark harness such as gungraun would count kernels that
//! were built for it, with another entry point and another layout.

use super::measured::CountsRecord;
use super::process::{Processes, Task, ends_the_gate};
use crate::failure::Failure;
use crate::plan::{Mode, NS_PER_S};
use crate::subject::embedded::Program;
use downbeat_reports::gate::counted::SAME_INSTRUCTIONS;
use downbeat_reports::gate::record::{Counts, Pair};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Batches that are counted, those whose instructions are, and the records in each.
const BATCHES: u64 = 400;
const BATCHES_UNDER_VALGRIND: u64 = 20;
const BATCH_RECORDS: u64 = 500;

/// Settings of a process that is counted: one thread, so that nothing depends on who was first, and few lines, which are not counted.
const SETTINGS: [(&str, &str); 4] =
    [("threads", "1"), ("pool", "sequential"), ("concurrent_jobs", "1"), ("ring", "1MiB")];

/// When a process hangs; under valgrind everything takes some fifty times as long.
const LIMIT_NS: u64 = 60 * NS_PER_S;
const LIMIT_UNDER_VALGRIND_NS: u64 = 600 * NS_PER_S;

/// The engine's function that runs a batch: splits, combines, carries, keeps windows and state, writes outputs.
const BATCH: &str = "*::Runner::run_job*";

/// The two smallest counts of the same arm may differ by this share; a regression is more than twice as much.
const AGREE: f64 = 0.005;

/// So often arms are counted that differ.
const COUNTS_MOST: usize = 4;

/// The tool, and where it leaves what it counted.
pub(super) struct Valgrind {
    directory: PathBuf,
}

impl Valgrind {
    /// The tool, if it is there.
    ///
    /// # Errors
    /// It is not, in words for the report.
    pub(super) fn find(directory: &Path) -> Result<Self, String> {
        let asked = Command::new("valgrind").arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
        match asked {
            Ok(output) if output.status.success() => Ok(Valgrind { directory: directory.to_owned() }),
            _ => Err("valgrind is not here: instructions were not counted".to_owned()),
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.join("callgrind.out")
    }

    fn over(&self, program: &Program) -> Program {
        let mut file = OsString::from("--callgrind-out-file=");
        file.push(self.file());
        let mut only = OsString::from("--toggle-collect=");
        only.push(BATCH);
        let under = vec![OsString::from("valgrind"), "--quiet".into(), "--tool=callgrind".into(), only, file];
        Program { under, ..program.clone() }
    }

    /// Instructions of the process that ended last.
    fn instructions(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.file()).ok()?;
        let _ = std::fs::remove_file(self.file());
        summary(&text)
    }
}

/// All instructions in a file of callgrind's.
fn summary(text: &str) -> Option<u64> {
    let of =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    of("summary:").or_else(|| of("totals:")).filter(|instructions| *instructions > 0)
}

/// Who is counted, with what.
pub(super) struct Counter<'c> {
    /// Where it runs.
    pub(super) processes: &'c mut Processes,
    /// Counts instructions, where it is there.
    pub(super) valgrind: Option<&'c Valgrind>,
    /// The settings that were chosen.
    pub(super) settings: &'c BTreeMap<String, String>,
}

impl Counter<'_> {
    /// Counts a workload in both arms.
    ///
    /// # Errors
    /// A signal came, or an arm speaks another protocol. A base that fails is a warning, a head that fails where the base does not is more.
    pub(super) fn count(&mut self, workload: &str, base: &Program, head: &Program) -> Result<Counts, Failure> {
        let mut counts = Counts {
            workload: workload.to_owned(),
            batches: BATCHES,
            batch_records: BATCH_RECORDS,
            ..Counts::default()
        };
        let (of_base, of_head) = self.allocated_by_both(workload, base, head)?;
        let of_base = match of_base.and_then(|counted| trusted(&counted)) {
            Ok(trusted) => trusted,
            Err(why) => {
                counts.warnings.push(format!("the base's allocations could not be counted: {why}"));
                return Ok(counts);
            }
        };
        match of_head.and_then(|counted| trusted(&counted)) {
            Ok(of_head) => {
                counts.allocations = Some(Pair { base: of_base.allocations, head: of_head.allocations });
                match (of_base.bytes, of_head.bytes) {
                    (Ok(base), Ok(head)) => counts.allocated_bytes = Some(Pair { base, head }),
                    (Err(why), _) | (_, Err(why)) => counts.warnings.push(why),
                }
            }
            Err(why) => {
                counts.head_uncounted = Some(why);
                return Ok(counts);
            }
        }
        match self.instructions(workload, base, head)? {
            Ok(pair) => counts.instructions = pair,
            Err(why) => counts.warnings.push(why),
        }
        Ok(counts)
    }

    /// The counts of both arms, until the smallest ones are the same; of an arm that cannot be counted, why.
    fn allocated_by_both(
        &mut self,
        workload: &str,
        base: &Program,
        head: &Program,
    ) -> Result<(Counted, Counted), Failure> {
        let (mut of_base, mut of_head) = (Ok(Vec::new()), Ok(Vec::new()));
        for _ in 0..COUNTS_MOST {
            self.count_once_more(workload, base, &mut of_base)?;
            self.count_once_more(workload, head, &mut of_head)?;
            match (&of_base, &of_head) {
                (Ok(of_base), Ok(of_head)) if smallest(of_base) != smallest(of_head) => {}
                _ => break,
            }
        }
        Ok((of_base, of_head))
    }

    fn count_once_more(&mut self, workload: &str, program: &Program, counted: &mut Counted) -> Result<(), Failure> {
        match (self.allocated(workload, program), &mut *counted) {
            (Err(failure), _) if ends_the_gate(&failure) => return Err(failure),
            (Ok(Some(allocated)), Ok(counts)) => counts.push(allocated),
            (Ok(None), _) => *counted = Err("it counts none".to_owned()),
            (Err(failure), _) => *counted = Err(failure.message),
            (Ok(Some(_)), Err(_)) => {}
        }
        Ok(())
    }

    /// What batches allocate beyond what starting and ending does.
    fn allocated(&mut self, workload: &str, program: &Program) -> Result<Option<Allocated>, Failure> {
        let (some, twice) =
            (self.allocations(workload, program, BATCHES)?, self.allocations(workload, program, 2 * BATCHES)?);
        let more = |some: Option<u64>, twice: Option<u64>| twice?.checked_sub(some?);
        let (allocations, bytes) =
            (more(some.allocations, twice.allocations), more(some.allocated_bytes, twice.allocated_bytes));
        Ok(allocations.zip(bytes).map(|(allocations, bytes)| Allocated { allocations, bytes }))
    }

    /// Instructions of both arms. `None` without valgrind; or why they say nothing. They decide nothing, so no failure is an arm's.
    fn instructions(
        &mut self,
        workload: &str,
        base: &Program,
        head: &Program,
    ) -> Result<Result<Option<Pair>, String>, Failure> {
        let Some(valgrind) = self.valgrind else { return Ok(Ok(None)) };
        let mut once = |program: &Program| match self.under_valgrind(workload, program, valgrind) {
            Err(failure) if ends_the_gate(&failure) => Err(failure),
            Err(failure) => Ok(Err(format!("instructions were not counted: {}", failure.message))),
            Ok(None) => Ok(Err("instructions were not counted: a build has no function of that name".to_owned())),
            Ok(Some(instructions)) => Ok(Ok(instructions)),
        };
        let (of_base, of_head) = match (once(base)?, once(head)?) {
            (Ok(of_base), Ok(of_head)) => (of_base, of_head),
            (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
        };
        if differ_by(of_base, of_head) <= SAME_INSTRUCTIONS {
            return Ok(Ok(Some(Pair { base: of_base, head: of_head })));
        }
        let again = match (once(base)?, once(head)?) {
            (Ok(base), Ok(head)) => (base, head),
            (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
        };
        let of_base = agreed("instructions", vec![of_base, again.0], SAME_INSTRUCTIONS);
        let of_head = agreed("instructions", vec![of_head, again.1], SAME_INSTRUCTIONS);
        Ok(of_base.and_then(|base| Ok(Some(Pair { base, head: of_head? }))))
    }

    fn under_valgrind(
        &mut self,
        workload: &str,
        program: &Program,
        valgrind: &Valgrind,
    ) -> Result<Option<u64>, Failure> {
        let mut of = |batches: u64| -> Result<Option<u64>, Failure> {
            let task = self.task(workload, batches, LIMIT_UNDER_VALGRIND_NS);
            self.processes.run::<CountsRecord>(&valgrind.over(program), &task)?;
            Ok(valgrind.instructions())
        };
        let (some, twice) = (of(BATCHES_UNDER_VALGRIND)?, of(2 * BATCHES_UNDER_VALGRIND)?);
        Ok(some.zip(twice).and_then(|(some, twice)| twice.checked_sub(some)))
    }

    fn allocations(&mut self, workload: &str, program: &Program, batches: u64) -> Result<CountsRecord, Failure> {
        let task = self.task(workload, batches, LIMIT_NS);
        self.processes.run(program, &task)
    }

    fn task<'t>(&self, workload: &'t str, batches: u64, limit_ns: u64) -> Task<'t> {
        let mut settings = self.settings.clone();
        settings.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Task { workload, settings, mode: Mode::Counts { batch_records: BATCH_RECORDS, batches }, limit_ns }
    }
}

/// What the batches of one arm allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allocated {
    allocations: u64,
    bytes: u64,
}

/// What two counts of one arm agree on.
struct Trusted {
    allocations: u64,
    bytes: Result<u64, String>,
}

/// All counts of an arm, or why there are none.
type Counted = Result<Vec<Allocated>, String>;

/// The smallest of an arm's counts: allocations and bytes.
fn smallest(counted: &[Allocated]) -> Option<(u64, u64)> {
    let allocations = counted.iter().map(|allocated| allocated.allocations).min();
    allocations.zip(counted.iter().map(|allocated| allocated.bytes).min())
}

/// A buffer that grew once more is one allocation and many bytes: then the bytes alone may say nothing.
fn trusted(counted: &[Allocated]) -> Result<Trusted, String> {
    let of = |what: &str, of: fn(&Allocated) -> u64| agreed(what, counted.iter().map(of).collect(), AGREE);
    let allocations = of("allocations", |allocated| allocated.allocations)?;
    Ok(Trusted { allocations, bytes: of("allocated bytes", |allocated| allocated.bytes) })
}

/// The smallest of the counts of one build, when the next one agrees up to a share; else why they say nothing. A single count needs no
/// other: the other arm had the same.
fn agreed(what: &str, mut counts: Vec<u64>, share: f64) -> Result<u64, String> {
    counts.sort_unstable();
    match counts[..] {
        [first, second, ..] if differ_by(first, second) > share => {
            Err(format!("{what} of two runs of one build differ, {first} and {second}: they say nothing"))
        }
        [first, ..] => Ok(first),
        [] => Err(format!("there are no {what}")),
    }
}

/// As a share of the smaller one.
fn differ_by(one: u64, other: u64) -> f64 {
    one.abs_diff(other) as f64 / one.min(other).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callgrinds_sum_is_found() {
        let text = "# callgrind format\nversion: 1\nevents: Ir\nsummary: 123456\n\nfn=(1) main\n1 5\ntotals: 123456\n";
        assert_eq!(summary(text), Some(123_456));
        assert_eq!(summary("events: Ir\ntotals: 77\n"), Some(77));
        assert_eq!(summary("events: Ir\n"), None);
        assert_eq!(summary("summary: nonsense\n"), None);
        assert_eq!(summary("summary: 0\n"), None, "the function that is counted is not in this build");
    }

    #[test]
    fn the_two_smallest_counts_of_one_build_have_to_agree() {
        let agreed = |counts: &[u64]| agreed("x", counts.to_vec(), 0.005);
        assert_eq!(agreed(&[1_005, 1_000]), Ok(1_000));
        assert_eq!(agreed(&[0, 0]), Ok(0));
        assert_eq!(agreed(&[1_000]), Ok(1_000), "the other arm has the same");
        assert_eq!(agreed(&[1_020, 1_000, 1_020, 1_001]), Ok(1_000), "what chance adds is left out");
        assert!(agreed(&[1_020, 1_000, 1_006, 1_020]).unwrap_err().contains("differ, 1000 and 1006"));
        assert!(agreed(&[0, 1]).is_err() && agreed(&[]).is_err());
    }

    #[test]
    fn bytes_that_do_not_agree_leave_the_allocations_as_they_are() {
        let counted =
            [(11_270, 857_328), (11_269, 840_944)].map(|(allocations, bytes)| Allocated { allocations, bytes });
        let trusted = trusted(&counted).unwrap();
        assert_eq!(trusted.allocations, 11_269);
        assert!(trusted.bytes.unwrap_err().contains("allocated bytes of two runs"));
        assert_eq!(smallest(&counted), Some((11_269, 840_944)));
        assert_eq!(smallest(&[]), None);
    }
}
