//! What can be counted exactly: allocations and their bytes, and instructions by callgrind. None of it needs a quiet machine.
//!
//! A process runs some batches in one thread, another one twice as many; the difference is what those batches take, and what starting,
//! making lines and ending takes is not in it. Instructions are counted inside [`BATCH`] only, so that waiting is none. What is left of
//! chance (a buffer that grew because a message came later) only ever adds to what a process allocates: arms that differ are counted
//! again, and the smallest count of either process is its own. Instructions, which are slow to count and depend on addresses that are
//! hashed, are counted a second time where they differ.
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

/// The two smallest counts of an arm may differ by this share of what its batches take; a regression is more than twice as much.
const AGREE: f64 = 0.005;

/// How often arms are counted at most, all in all, while they differ.
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

    /// The counts of both arms, until they agree or there are [`COUNTS_MOST`]; of an arm that cannot be counted, why.
    fn allocated_by_both(
        &mut self,
        workload: &str,
        base: &Program,
        head: &Program,
    ) -> Result<(Counted, Counted), Failure> {
        until_the_same(|arm| match self.allocated(workload, if arm == 0 { base } else { head }) {
            Err(failure) if ends_the_gate(&failure) => Err(failure),
            Err(failure) => Ok(Err(failure.message)),
            Ok(None) => Ok(Err("it counts none".to_owned())),
            Ok(Some(both)) => Ok(Ok(both)),
        })
    }

    /// What a process of some batches and one of twice as many allocate.
    fn allocated(&mut self, workload: &str, program: &Program) -> Result<Option<Both>, Failure> {
        let (some, twice) =
            (self.allocations(workload, program, BATCHES)?, self.allocations(workload, program, 2 * BATCHES)?);
        let told = |counts: CountsRecord| {
            let (allocations, bytes) = counts.allocations.zip(counts.allocated_bytes)?;
            Some(Allocated { allocations, bytes })
        };
        Ok(told(some).zip(told(twice)).map(|(some, twice)| Both { some, twice }))
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
        let of_base = same_instructions(of_base, again.0);
        let of_head = same_instructions(of_head, again.1);
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

/// What one process allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allocated {
    allocations: u64,
    bytes: u64,
}

/// One count of an arm: a process of some batches, and one of twice as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Both {
    some: Allocated,
    twice: Allocated,
}

/// What the counts of one arm come to.
struct Trusted {
    allocations: u64,
    bytes: Result<u64, String>,
}

/// All counts of an arm, or why there are none.
type Counted = Result<Vec<Both>, String>;

/// Counts two arms until they agree with themselves and each other. `count` is asked for arm 0 and arm 1 in turns.
fn until_the_same(
    mut count: impl FnMut(usize) -> Result<Result<Both, String>, Failure>,
) -> Result<(Counted, Counted), Failure> {
    let mut arms = [Ok(Vec::new()), Ok(Vec::new())];
    for _ in 0..COUNTS_MOST {
        for (arm, counted) in arms.iter_mut().enumerate() {
            match (count(arm)?, &mut *counted) {
                (Ok(both), Ok(counts)) => counts.push(both),
                (Err(why), _) => *counted = Err(why),
                (Ok(_), Err(_)) => {}
            }
        }
        let [Ok(base), Ok(head)] = &arms else { break };
        let is_same = |(what, of): &(&str, Of)| {
            agreed(what, least(base, *of)).is_ok_and(|base| agreed(what, least(head, *of)) == Ok(base))
        };
        if SAID.iter().all(is_same) {
            break;
        }
    }
    let [base, head] = arms;
    Ok((base, head))
}

/// Something that is said of a process.
type Of = fn(&Allocated) -> u64;

/// All of it, by name.
const SAID: [(&str, Of); 2] =
    [("allocations", |process| process.allocations), ("allocated bytes", |process| process.bytes)];

/// The smallest count of each of both processes, and how far the next one lies above it.
fn least(counted: &[Both], of: Of) -> Option<[(u64, u64); 2]> {
    let lowest = |process: fn(&Both) -> &Allocated| {
        let mut counts: Vec<u64> = counted.iter().map(|both| of(process(both))).collect();
        counts.sort_unstable();
        let first = *counts.first()?;
        // A single count needs no other: the other arm had the same.
        Some((first, counts.get(1).map_or(0, |next| next - first)))
    };
    Some([lowest(|both| &both.some)?, lowest(|both| &both.twice)?])
}

/// A buffer that grew once more is one allocation and many bytes: then the bytes alone may say nothing.
fn trusted(counted: &[Both]) -> Result<Trusted, String> {
    let [allocations, bytes] = SAID.map(|(what, of)| agreed(what, least(counted, of)));
    Ok(Trusted { allocations: allocations?, bytes })
}

/// What the batches take: the smallest count of the one process less that of the other, when those next to them agree; else why they
/// say nothing.
fn agreed(what: &str, least: Option<[(u64, u64); 2]>) -> Result<u64, String> {
    let Some([(some, above_some), (twice, above_twice)]) = least else { return Err(format!("there are no {what}")) };
    let Some(taken) = twice.checked_sub(some) else { return Err(format!("{what} fall with the batches")) };
    let doubt = above_some + above_twice;
    match doubt as f64 > AGREE * taken as f64 {
        true => Err(format!("{what} of two runs of one build differ by {doubt} of {taken}: they say nothing")),
        false => Ok(taken),
    }
}

/// The smaller of two counts of instructions of one build, when they agree; else why they say nothing.
fn same_instructions(first: u64, second: u64) -> Result<u64, String> {
    match differ_by(first, second) > SAME_INSTRUCTIONS {
        true => Err(format!("instructions of two runs of one build differ, {first} and {second}: they say nothing")),
        false => Ok(first.min(second)),
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

    fn process(allocations: u64, bytes: u64) -> Allocated {
        Allocated { allocations, bytes }
    }

    /// A count of batches that take 11,269 allocations and 840,944 bytes, and of so many buffers that grew in either process.
    fn both(grew_in_some: u64, grew_in_twice: u64) -> Both {
        let grown =
            |grew: u64, times: u64| process(5_000 + times * 11_269 + grew, 900_000 + times * 840_944 + 16_384 * grew);
        Both { some: grown(grew_in_some, 1), twice: grown(grew_in_twice, 2) }
    }

    #[test]
    fn what_chance_adds_to_either_process_is_left_out() {
        for counted in [
            vec![both(0, 0)],
            vec![both(1, 0), both(0, 1), both(0, 0)],
            vec![both(1, 0), both(0, 1), both(1, 0), both(0, 1)],
        ] {
            let trusted = trusted(&counted).unwrap();
            assert_eq!((trusted.allocations, trusted.bytes), (11_269, Ok(840_944)), "{counted:?}");
        }
    }

    #[test]
    fn bytes_that_do_not_agree_leave_the_allocations_as_they_are() {
        let trusted = trusted(&[both(0, 0), both(0, 1)]).unwrap();
        assert_eq!(trusted.allocations, 11_269);
        assert!(
            trusted.bytes.unwrap_err().contains("allocated bytes of two runs of one build differ by 16384 of 840944")
        );
    }

    #[test]
    fn counts_that_do_not_agree_or_are_not_there_say_nothing() {
        let with = |allocations| Both { some: process(0, 0), twice: process(allocations, 0) };
        assert_eq!(trusted(&[with(1_005), with(1_000)]).unwrap().allocations, 1_000);
        assert!(trusted(&[with(1_006), with(1_000)]).is_err());
        assert_eq!(trusted(&[with(0), with(0)]).unwrap().allocations, 0);
        assert!(trusted(&[with(1), with(0)]).is_err() && trusted(&[]).is_err());
        assert!(trusted(&[Both { some: process(2, 0), twice: process(1, 0) }]).is_err(), "it falls");
    }

    #[test]
    fn arms_that_differ_are_counted_again_and_those_that_do_not_are_counted_once() {
        let counted = |counts: [&[(u64, u64)]; 2]| {
            let mut asked = [0, 0];
            let (base, head) = until_the_same(|arm| {
                asked[arm] += 1;
                let (some, twice) = counts[arm][(asked[arm] - 1).min(counts[arm].len() - 1)];
                Ok(Ok(both(some, twice)))
            })
            .unwrap();
            let taken = |counted: Counted| trusted(&counted.unwrap()).unwrap().bytes;
            (asked, taken(base), taken(head))
        };
        assert_eq!(counted([&[(0, 0)], &[(0, 0)]]), ([1, 1], Ok(840_944), Ok(840_944)));
        assert_eq!(counted([&[(1, 0), (0, 1), (0, 0)], &[(0, 0)]]), ([3, 3], Ok(840_944), Ok(840_944)));
        let (asked, _, head) = counted([&[(0, 0)], &[(0, 9)]]);
        assert_eq!(
            (asked, head),
            ([COUNTS_MOST; 2], Ok(840_944 + 9 * 16_384)),
            "an arm that allocates more does so each time"
        );
    }

    #[test]
    fn an_arm_that_cannot_be_counted_says_why() {
        let (base, head) =
            until_the_same(|arm| Ok(if arm == 0 { Ok(both(0, 0)) } else { Err("it died".into()) })).unwrap();
        assert!(base.is_ok_and(|counts| counts.len() == 1));
        assert_eq!(head, Err("it died".to_owned()));
    }

    #[test]
    fn instructions_have_to_agree_too() {
        assert_eq!(same_instructions(1_001, 1_000), Ok(1_000));
        assert!(same_instructions(1_000, 1_006).unwrap_err().contains("differ, 1000 and 1006"));
    }
}
