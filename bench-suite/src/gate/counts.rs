//! What can be counted exactly: allocations and their bytes, and instructions by callgrind. None of it needs a quiet machine.
//!
//! A process runs some batches in one thread, another one twice as many; the difference is what those batches take, and what starting,
//! making lines and ending takes is not in it. The arms' own binaries are what is counted, under valgrind as they are: a benchmark
//! harness such as gungraun would count kernels that were built for it, with another entry point and another layout.

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

/// Batches that are counted, and the records in each.
const BATCHES: u64 = 20;
const BATCH_RECORDS: u64 = 500;

/// Settings of a process that is counted: one thread, so that nothing depends on who was first, and few lines, which are not counted.
const SETTINGS: [(&str, &str); 4] =
    [("threads", "1"), ("pool", "sequential"), ("concurrent_jobs", "1"), ("ring", "1MiB")];

/// When a process hangs; under valgrind everything takes some fifty times as long.
const LIMIT_NS: u64 = 60 * NS_PER_S;
const LIMIT_UNDER_VALGRIND_NS: u64 = 600 * NS_PER_S;

/// Instructions of two runs of the base may differ by this share: who waits for whom costs a few.
const INSTRUCTIONS_AGREE: f64 = 0.001;

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
        let under = vec![OsString::from("valgrind"), "--quiet".into(), "--tool=callgrind".into(), file];
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
    of("summary:").or_else(|| of("totals:"))
}

/// What is counted of one arm, over [`BATCHES`] batches.
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
    /// Counts a workload in both arms, and in the base twice.
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
        for (name, program) in [("base", base), ("base", base), ("head", head)] {
            match self.arm(workload, program) {
                Ok(counted) => arms.push(counted),
                Err(failure) if ends_the_gate(&failure) => return Err(failure),
                Err(failure) => {
                    counts.warnings.push(format!("the {name} cannot be counted: {}", failure.message));
                    return Ok(counts);
                }
            }
        }
        let [first, second, head] = [arms[0], arms[1], arms[2]];
        let mut pair = |what: &str, of: fn(&Counted) -> Option<u64>, agree: f64| {
            trusted(what, [of(&first), of(&second), of(&head)], agree).unwrap_or_else(|warning| {
                counts.warnings.push(warning);
                None
            })
        };
        let allocations = pair("allocations", |counted| counted.allocations, 0.0);
        let allocated_bytes = pair("allocated bytes", |counted| counted.bytes, 0.0);
        let instructions = match self.valgrind {
            Some(_) => pair("instructions", |counted| counted.instructions, INSTRUCTIONS_AGREE),
            None => None,
        };
        Ok(Counts { allocations, allocated_bytes, instructions, ..counts })
    }

    fn arm(&mut self, workload: &str, program: &Program) -> Result<Counted, Failure> {
        let (some, twice) = (self.process(workload, program, BATCHES)?, self.process(workload, program, 2 * BATCHES)?);
        let more = |some: Option<u64>, twice: Option<u64>| twice?.checked_sub(some?);
        Ok(Counted {
            allocations: more(some.allocations, twice.allocations),
            bytes: more(some.bytes, twice.bytes),
            instructions: more(some.instructions, twice.instructions),
        })
    }

    fn process(&mut self, workload: &str, program: &Program, batches: u64) -> Result<Counted, Failure> {
        let mut settings = self.settings.clone();
        settings.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let mode = Mode::Counts { batch_records: BATCH_RECORDS, batches };
        let task = Task { workload, settings, mode, limit_ns: LIMIT_NS };
        let record: CountsRecord = self.processes.run(program, &task)?;
        let instructions = match self.valgrind {
            Some(valgrind) => {
                let task = Task { limit_ns: LIMIT_UNDER_VALGRIND_NS, ..task };
                self.processes.run::<CountsRecord>(&valgrind.over(program), &task)?;
                valgrind.instructions()
            }
            None => None,
        };
        Ok(Counted { allocations: record.allocations, bytes: record.allocated_bytes, instructions })
    }
}

/// Base and head, when both were counted and two runs of the base agree up to a share; else why not.
fn trusted(what: &str, [first, second, head]: [Option<u64>; 3], agree: f64) -> Result<Option<Pair>, String> {
    let (Some(first), Some(second), Some(head)) = (first, second, head) else {
        return Err(format!("{what} were not counted"));
    };
    if first.abs_diff(second) as f64 > agree * first as f64 {
        return Err(format!("{what} of two runs of the base differ, {first} and {second}: they say nothing"));
    }
    Ok(Some(Pair { base: first, head }))
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
    }

    #[test]
    fn counts_are_trusted_when_two_runs_of_the_base_agree() {
        let pair = |base, head| Ok(Some(Pair { base, head }));
        assert_eq!(trusted("x", [Some(1_000), Some(1_000), Some(1_100)], 0.0), pair(1_000, 1_100));
        assert_eq!(trusted("x", [Some(1_000), Some(1_001), Some(1_100)], 0.001), pair(1_000, 1_100));
        assert!(trusted("x", [Some(1_000), Some(1_001), Some(1_100)], 0.0).unwrap_err().contains("1000 and 1001"));
        assert!(trusted("x", [Some(1_000), Some(1_000), None], 0.0).unwrap_err().contains("not counted"));
    }
}
