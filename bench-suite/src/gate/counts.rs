//! What can be counted exactly: allocations and their bytes, and instructions by callgrind. None of it needs a quiet machine.
//!
//! A process runs some batches in one thread, another one twice as many; the difference is what those batches take, and what starting,
//! making lines and ending takes is not in it. Instructions are counted inside [`BATCH`] only, so that waiting is none. What is left of
//! chance (a buffer that grew because a message came later) only ever adds: each arm is counted twice, and the smaller count is its own.
//! The arms' own binaries are what is counted, under valgrind as they are: a benchmark harness such as gungraun would count kernels that
//! were built for it, with another entry point and another layout.

use super::measured::CountsRecord;
use super::process::{Processes, Task, ends_the_gate};
use crate::failure::Failure;
use crate::plan::{Mode, NS_PER_S};
use crate::subject::embedded::Program;
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

/// Two counts of the same arm may differ by this share; a regression is more than twice as much.
const AGREE: f64 = 0.005;

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

/// What is counted of one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    allocations: Option<u64>,
    bytes: Option<u64>,
    instructions: Option<u64>,
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
    /// Counts a workload in both arms, twice each.
    ///
    /// # Errors
    /// A signal came, or an arm speaks another protocol. An arm that fails is a warning.
    pub(super) fn count(&mut self, workload: &str, base: &Program, head: &Program) -> Result<Counts, Failure> {
        let mut counts = Counts {
            workload: workload.to_owned(),
            batches: BATCHES,
            batch_records: BATCH_RECORDS,
            ..Counts::default()
        };
        let mut arms = Vec::new();
        // Instructions decide nothing, and valgrind is slow: once is enough.
        let valgrind = self.valgrind;
        for (name, program, valgrind) in
            [("base", base, valgrind), ("head", head, valgrind), ("base", base, None), ("head", head, None)]
        {
            match self.arm(workload, program, valgrind) {
                Ok(counted) => arms.push(counted),
                Err(failure) if ends_the_gate(&failure) => return Err(failure),
                Err(failure) => {
                    counts.warnings.push(format!("the {name} cannot be counted: {}", failure.message));
                    return Ok(counts);
                }
            }
        }
        let [base, head] = [[arms[0], arms[2]], [arms[1], arms[3]]];
        let mut pair = |what: &str, of: fn(&Counted) -> Option<u64>| {
            let trusted = trusted(what, base.map(|counted| of(&counted)), head.map(|counted| of(&counted)));
            trusted.map_err(|warning| counts.warnings.push(warning)).ok()
        };
        let allocations = pair("allocations", |counted| counted.allocations);
        let allocated_bytes = pair("allocated bytes", |counted| counted.bytes);
        let instructions = arms[0].instructions.zip(arms[1].instructions);
        let instructions = instructions.map(|(base, head)| Pair { base, head });
        if valgrind.is_some() && instructions.is_none() {
            counts.warnings.push("instructions were not counted: a build has no function of that name".to_owned());
        }
        Ok(Counts { allocations, allocated_bytes, instructions, ..counts })
    }

    fn arm(&mut self, workload: &str, program: &Program, valgrind: Option<&Valgrind>) -> Result<Counted, Failure> {
        let (some, twice) =
            (self.allocations(workload, program, BATCHES)?, self.allocations(workload, program, 2 * BATCHES)?);
        let more = |some: Option<u64>, twice: Option<u64>| twice?.checked_sub(some?);
        let instructions = match valgrind {
            Some(valgrind) => more(
                self.instructions(workload, program, valgrind, BATCHES_UNDER_VALGRIND)?,
                self.instructions(workload, program, valgrind, 2 * BATCHES_UNDER_VALGRIND)?,
            ),
            None => None,
        };
        Ok(Counted {
            allocations: more(some.allocations, twice.allocations),
            bytes: more(some.allocated_bytes, twice.allocated_bytes),
            instructions,
        })
    }

    fn allocations(&mut self, workload: &str, program: &Program, batches: u64) -> Result<CountsRecord, Failure> {
        let task = self.task(workload, batches, LIMIT_NS);
        self.processes.run(program, &task)
    }

    fn instructions(
        &mut self,
        workload: &str,
        program: &Program,
        valgrind: &Valgrind,
        batches: u64,
    ) -> Result<Option<u64>, Failure> {
        let task = self.task(workload, batches, LIMIT_UNDER_VALGRIND_NS);
        self.processes.run::<CountsRecord>(&valgrind.over(program), &task)?;
        Ok(valgrind.instructions())
    }

    fn task<'t>(&self, workload: &'t str, batches: u64, limit_ns: u64) -> Task<'t> {
        let mut settings = self.settings.clone();
        settings.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Task { workload, settings, mode: Mode::Counts { batch_records: BATCH_RECORDS, batches }, limit_ns }
    }
}

/// The smaller count of each arm, when both were counted and the two of each agree up to [`AGREE`]; else why not.
fn trusted(what: &str, base: [Option<u64>; 2], head: [Option<u64>; 2]) -> Result<Pair, String> {
    let of_arm = |name: &str, counts: [Option<u64>; 2]| {
        let [Some(first), Some(second)] = counts else {
            return Err(format!("{what} were not counted"));
        };
        if first.abs_diff(second) as f64 > AGREE * first as f64 {
            return Err(format!("{what} of two runs of the {name} differ, {first} and {second}: they say nothing"));
        }
        Ok(first.min(second))
    };
    Ok(Pair { base: of_arm("base", base)?, head: of_arm("head", head)? })
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
    fn counts_are_trusted_when_two_runs_of_each_arm_agree() {
        let judged = |base: [u64; 2], head: [u64; 2]| trusted("x", base.map(Some), head.map(Some));
        assert_eq!(judged([1_005, 1_000], [1_100, 1_101]), Ok(Pair { base: 1_000, head: 1_100 }));
        assert!(judged([1_000, 1_006], [1_100, 1_100]).unwrap_err().contains("of the base differ, 1000 and 1006"));
        assert!(judged([1_000, 1_000], [1_100, 1_109]).unwrap_err().contains("of the head differ"));
        assert!(trusted("x", [Some(1), Some(1)], [Some(1), None]).unwrap_err().contains("not counted"));
    }
}
