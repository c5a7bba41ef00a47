//! Whose samples say which functions ran: those of one batch where it has enough, else of ever larger pools of batches.
//!
//! Of a streak of late batches only its head says why; those that follow are its victims, and join only where the heads are too few.

use super::heads;
use crate::flame::tree::ranking;
use crate::flame::{Stack, merged};
use crate::judged;
use crate::record::TrialRecord;
use crate::samples::{FEWEST, Samples, Seen};
use serde::Serialize;
use std::collections::BTreeSet;

/// Functions that an explanation names.
const HOTTEST: usize = 3;

/// Crates whose functions are inlined everywhere: what called them says more.
const LIBRARY: [&str; 3] = ["core", "alloc", "std"];

/// The module of the engine that hands tasks to threads: what called it is the same for all tasks.
const SCHEDULE: &str = "downbeat_engine::schedule::";

/// The part of samples that were taken in no batch.
pub const NO_BATCH: &str = "no batch";

/// The part of a late batch that waited for nobody.
pub const LATE: &str = "late";

/// The part of a batch that was on time.
pub const ON_TIME: &str = "on time";

/// Batches whose samples are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// One batch.
    Batch,
    /// The judged batches that were late without having waited for another.
    Heads,
    /// All late judged batches, the victims of others too.
    Late,
    /// All judged batches.
    All,
}

impl Pool {
    /// In words, after "of".
    pub fn words(self) -> &'static str {
        match self {
            Pool::Batch => "this batch",
            Pool::Heads => "the late batches that waited for nobody",
            Pool::Late => "all late batches, victims too",
            Pool::All => "all judged batches",
        }
    }
}

/// The samples of a record, with the part that each batch plays.
#[derive(Clone, Debug)]
pub struct Pools<'s> {
    samples: &'s Samples,
    heads: BTreeSet<u64>,
    late: BTreeSet<u64>,
    on_time: BTreeSet<u64>,
}

/// The profile of one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Pooled {
    /// Name of the stage.
    pub stage: String,
    /// Whose samples they are.
    pub pool: Pool,
    /// The stacks, below the stage: without the thread and the frames that gave it its task.
    pub stacks: Vec<Stack>,
    /// Samples in them.
    pub samples: u64,
    /// The stacks of the same stage in batches that were on time. `None` where these or the late ones have too few samples.
    pub usual: Option<Vec<Stack>>,
    /// Samples of the batches that were on time.
    pub usual_samples: u64,
    /// Samples of the late batches that waited for nobody.
    pub head_samples: u64,
    /// Samples of all late batches.
    pub late_samples: u64,
}

/// What ran in a batch, or in the pool that speaks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Functions {
    /// Whose samples they are.
    pub pool: Pool,
    /// Samples of the pool.
    pub samples: u64,
    /// Samples of the batch itself.
    pub batch_samples: u64,
    /// The functions with most samples in themselves.
    pub hottest: Vec<Hot>,
}

/// A function that took much time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hot {
    /// Its name, inert.
    pub name: String,
    /// Samples in itself and in what the standard library inlined into it.
    pub samples: u64,
    /// Their share of the pool's samples, 0 to 1.
    pub share: f64,
    /// The function's share of the samples of the batches that were on time. `None` where these have too few.
    pub usual_share: Option<f64>,
}

impl<'s> Pools<'s> {
    /// Sorts the batches of the record.
    pub fn new(record: &TrialRecord, samples: &'s Samples) -> Self {
        let indexes = |late: bool| {
            let wanted = judged::batches(record).filter(move |batch| judged::is_late(record, batch) == late);
            wanted.map(|batch| batch.index).collect()
        };
        Pools { samples, heads: heads(record).into_iter().collect(), late: indexes(true), on_time: indexes(false) }
    }

    /// The part that a batch plays, in a word or two.
    pub fn part(&self, batch: Option<u64>) -> &'static str {
        match batch {
            None => NO_BATCH,
            Some(index) if self.heads.contains(&index) => LATE,
            Some(index) if self.late.contains(&index) => "late behind others",
            Some(index) if self.on_time.contains(&index) => ON_TIME,
            Some(_) => "not judged",
        }
    }

    /// Names of the stages that judged batches have samples of, that with most samples first.
    pub fn stages(&self) -> Vec<&'s str> {
        let mut stages: Vec<&str> = self.samples.seen().iter().filter_map(|seen| seen.stage.as_deref()).collect();
        stages.sort_unstable();
        stages.dedup();
        let counted = stages.into_iter().map(|stage| (self.count(Pool::All, Some(stage)), stage));
        let mut counted: Vec<(u64, &str)> = counted.filter(|(samples, _)| *samples > 0).collect();
        counted.sort_by_key(|(samples, _)| std::cmp::Reverse(*samples));
        counted.into_iter().map(|(_, stage)| stage).collect()
    }

    /// The samples of a stage: of the heads, where they have enough, else of all late batches, else of all batches.
    pub fn of_stage(&self, stage: &str) -> Pooled {
        let count = |pool| self.count(pool, Some(stage));
        let pool = self.widen(&[Pool::Heads, Pool::Late], Some(stage));
        let usual_samples = self.samples.count(|seen| self.is_usual(seen, Some(stage)));
        let compares = pool != Pool::All && usual_samples >= FEWEST;
        Pooled {
            stage: stage.to_owned(),
            pool,
            stacks: below(stage, self.samples.stacks(|seen| self.is_in(pool, seen, Some(stage)))),
            samples: count(pool),
            usual: compares.then(|| below(stage, self.samples.stacks(|seen| self.is_usual(seen, Some(stage))))),
            usual_samples,
            head_samples: count(Pool::Heads),
            late_samples: count(Pool::Late),
        }
    }

    /// The hottest functions of a batch, where it has enough samples, else of the pool that it belongs to.
    pub fn of_batch(&self, index: u64) -> Functions {
        let own = |seen: &Seen| seen.batch == Some(index);
        let batch_samples = self.samples.count(own);
        let pools: &[Pool] = if self.late.contains(&index) { &[Pool::Heads, Pool::Late] } else { &[] };
        let pool = if batch_samples >= FEWEST { Pool::Batch } else { self.widen(pools, None) };
        let stacks = match pool {
            Pool::Batch => self.samples.stacks(own),
            pool => self.samples.stacks(|seen| self.is_in(pool, seen, None)),
        };
        let usual = self.samples.stacks(|seen| self.is_usual(seen, None));
        Functions { pool, samples: total(&stacks), batch_samples, hottest: hottest(&stacks, &usual) }
    }

    /// The first of the pools that has enough samples, else all batches.
    fn widen(&self, pools: &[Pool], stage: Option<&str>) -> Pool {
        let enough = |pool: &&Pool| self.count(**pool, stage) >= FEWEST;
        pools.iter().find(enough).copied().unwrap_or(Pool::All)
    }

    fn count(&self, pool: Pool, stage: Option<&str>) -> u64 {
        self.samples.count(|seen| self.is_in(pool, seen, stage))
    }

    fn is_in(&self, pool: Pool, seen: &Seen, stage: Option<&str>) -> bool {
        let Some(batch) = seen.batch.filter(|_| is_of(seen, stage)) else { return false };
        match pool {
            Pool::Batch => false,
            Pool::Heads => self.heads.contains(&batch),
            Pool::Late => self.late.contains(&batch),
            Pool::All => self.late.contains(&batch) || self.on_time.contains(&batch),
        }
    }

    fn is_usual(&self, seen: &Seen, stage: Option<&str>) -> bool {
        is_of(seen, stage) && seen.batch.is_some_and(|batch| self.on_time.contains(&batch))
    }
}

fn is_of(seen: &Seen, stage: Option<&str>) -> bool {
    stage.is_none_or(|stage| seen.stage.as_deref() == Some(stage))
}

/// The stacks of a stage from its tasks on: under its name in place of the thread's, so that what all threads did is one.
fn below(stage: &str, stacks: Vec<Stack>) -> Vec<Stack> {
    let of_schedule = |frame: &String| frame.trim_start_matches('<').starts_with(SCHEDULE);
    let shorten = |stack: Stack| {
        let task = stack.frames.iter().rposition(of_schedule);
        let begin = task.map_or(1, |task| task + 1);
        let plumbing = stack.frames.iter().skip(begin).take_while(|frame| is_library(frame)).count();
        let is_all = begin + plumbing >= stack.frames.len();
        // What the schedule itself did is shown by its innermost function.
        let begin = if is_all { task.unwrap_or(1) } else { begin + plumbing };
        let frames = std::iter::once(stage.to_owned()).chain(stack.frames.into_iter().skip(begin)).collect();
        (frames, stack.samples)
    };
    merged(stacks.into_iter().map(shorten))
}

fn total(stacks: &[Stack]) -> u64 {
    stacks.iter().map(|stack| stack.samples).fold(0, u64::saturating_add)
}

fn hottest(stacks: &[Stack], usual: &[Stack]) -> Vec<Hot> {
    let (all, all_usual) = (total(stacks).max(1) as f64, total(usual));
    let usual = ranking(&without_library(usual));
    let usual_share = |name: &str| {
        let own = usual.iter().find(|function| function.name == name).map_or(0, |function| function.own);
        (all_usual >= FEWEST).then(|| own as f64 / all_usual as f64)
    };
    let ranked = ranking(&without_library(stacks)).into_iter().filter(|function| function.own > 0).take(HOTTEST);
    ranked
        .map(|function| Hot {
            usual_share: usual_share(&function.name),
            share: function.own as f64 / all,
            samples: function.own,
            name: function.name,
        })
        .collect()
}

/// The stacks up to the innermost function that is not the standard library's, where there is one.
pub fn without_library(stacks: &[Stack]) -> Vec<Stack> {
    let shorten = |stack: &Stack| {
        let kept = stack.frames.iter().skip(1).rposition(|frame| !is_library(frame));
        let length = kept.map_or(stack.frames.len(), |place| place + 2);
        Stack { frames: stack.frames[..length].to_vec(), samples: stack.samples }
    };
    stacks.iter().map(shorten).collect()
}

/// A function of the standard library, or its trait for a type of nobody else's, such as `<u8 as core::cmp::Ord>::cmp`.
fn is_library(name: &str) -> bool {
    let crate_of = |path: &str| {
        let bare = path.trim_start_matches(['<', '&', '*', '[', '(', ' ']);
        bare.split_once("::").is_some_and(|(first, _)| LIBRARY.contains(&first))
    };
    let (of, as_trait) = name.split_once(" as ").unwrap_or((name, ""));
    crate_of(of) || (!of.contains("::") && crate_of(as_trait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::holds;
    use crate::samples::{SCHEMA, SamplesFile};

    /// Batches 10 and 11 are late, of which 11 is a victim of 10; the others are on time.
    fn record() -> TrialRecord {
        let mut record = holds();
        let interval_ns = record.judging.interval_ns;
        for batch in &mut record.batches {
            (batch.generation_delay_ns, batch.scheduling_delay_ns, batch.queue_depth) = (0, 0, 0);
            batch.processing_ns = interval_ns / 2;
            batch.total_delay_ns = batch.processing_ns;
        }
        let place = |record: &TrialRecord, index| record.batches.iter().position(|batch| batch.index == index).unwrap();
        let (head, victim) = (place(&record, 10), place(&record, 11));
        record.batches[head].total_delay_ns = 2 * interval_ns;
        record.batches[head].processing_ns = 2 * interval_ns;
        record.batches[victim].scheduling_delay_ns = interval_ns;
        record.batches[victim].total_delay_ns = 3 * interval_ns / 2;
        record
    }

    /// Samples of `head`, `victim` and `usual` functions, each in the batch or batches that it is named after.
    fn samples(head: u64, victim: u64, usual: u64) -> Samples {
        let seen = |batch, stacks: &[(usize, u64)]| Seen {
            batch: Some(batch),
            stage: Some("combine".into()),
            stacks: stacks.to_vec(),
        };
        Samples::from(SamplesFile {
            schema: SCHEMA,
            run: "r".into(),
            stacks: ["db-jobs-0;head;core::ptr::read", "db-jobs-0;victim", "db-jobs-0;usual"].map(String::from).into(),
            seen: vec![seen(10, &[(0, head)]), seen(11, &[(1, victim)]), seen(12, &[(2, usual)])],
        })
    }

    fn frames(stacks: &[Stack]) -> Vec<&str> {
        stacks.iter().map(|stack| stack.frames[1].as_str()).collect()
    }

    #[test]
    fn victims_are_not_among_the_late_batches_that_are_drawn() {
        let samples = samples(200, 500, 900);
        let pooled = Pools::new(&record(), &samples).of_stage("combine");
        assert_eq!((pooled.pool, pooled.samples, frames(&pooled.stacks)), (Pool::Heads, 200, vec!["head"]));
        assert_eq!(frames(&pooled.usual.unwrap()), ["usual"]);
    }

    #[test]
    fn too_few_samples_are_pooled_step_by_step() {
        let (record, stage) = (record(), "combine");
        let few = samples(199, 1, 900);
        let pooled = Pools::new(&record, &few).of_stage(stage);
        assert_eq!((pooled.pool, pooled.samples, pooled.head_samples), (Pool::Late, 200, 199));
        assert!(pooled.usual.is_some());
        let fewer = samples(100, 99, 900);
        let pooled = Pools::new(&record, &fewer).of_stage(stage);
        assert_eq!((pooled.pool, pooled.samples, pooled.late_samples), (Pool::All, 1_099, 199));
        assert_eq!(pooled.usual, None, "all batches are not compared with some of them");
        let lonely = samples(200, 0, 199);
        assert_eq!(Pools::new(&record, &lonely).of_stage(stage).usual, None, "too few are on time");
    }

    #[test]
    fn stages_come_by_their_samples_and_only_those_of_judged_batches() {
        let mut record = record();
        let samples = samples(1, 2, 3);
        assert_eq!(Pools::new(&record, &samples).stages(), ["combine"]);
        record.batches.iter_mut().for_each(|batch| batch.warmup = true);
        assert!(Pools::new(&record, &samples).stages().is_empty());
    }

    #[test]
    fn what_all_threads_did_in_a_stage_is_one_without_what_gave_them_their_tasks() {
        let stack =
            |frames: &[&str]| Stack { frames: frames.iter().map(|frame| (*frame).to_owned()).collect(), samples: 1 };
        let task = "downbeat_engine::schedule::job::JobRun::stage";
        let shown = below(
            "combine",
            vec![
                stack(&["db-jobs-0", "std::thread::start", task, "core::ops::call", task, "user::split", "memchr"]),
                stack(&["db-worker-1", "rayon_core::run", task, "core::ops::call", "user::split", "memchr"]),
                stack(&[
                    "db-worker-1",
                    "rayon_core::run",
                    "<downbeat_engine::schedule::pool::Work as core::a::B>::take",
                ]),
                stack(&["db-worker-1", "core::hint::spin_loop"]),
                stack(&["db-worker-1"]),
            ],
        );
        let one = |frames: &[&str], samples| Stack { samples, ..stack(frames) };
        let expected = [
            one(&["combine"], 1),
            one(&["combine", "<downbeat_engine::schedule::pool::Work as core::a::B>::take"], 1),
            one(&["combine", "core::hint::spin_loop"], 1),
            one(&["combine", "user::split", "memchr"], 2),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_batch_speaks_for_itself_where_it_can() {
        let record = record();
        let samples = samples(300, 10, 300);
        let pools = Pools::new(&record, &samples);
        let of = |index| {
            let functions = pools.of_batch(index);
            (
                functions.pool,
                functions.batch_samples,
                functions.hottest[0].name.clone(),
                functions.hottest[0].usual_share,
            )
        };
        assert_eq!(of(10), (Pool::Batch, 300, "head".into(), Some(0.0)));
        assert_eq!(of(11), (Pool::Heads, 10, "head".into(), Some(0.0)));
        assert_eq!(of(12), (Pool::Batch, 300, "usual".into(), Some(1.0)));
        assert_eq!(of(13).0, Pool::All);
        assert_eq!(pools.of_batch(13).samples, 610);
    }

    #[test]
    fn what_the_standard_library_inlines_counts_as_its_callers() {
        for name in
            ["core::ptr::read", "<alloc::vec::Vec<a::B>>::push", "<u8 as core::cmp::Ord>::cmp", "<[T] as std::x::Y>::z"]
        {
            assert!(is_library(name), "{name}");
        }
        for name in ["memset", "user::core::f", "<a::B as core::ops::Add>::add", "coreutils::x", "a::b<core::c::D>"] {
            assert!(!is_library(name), "{name}");
        }
        let stack =
            |frames: &[&str]| Stack { frames: frames.iter().map(|frame| (*frame).to_owned()).collect(), samples: 1 };
        let shortened =
            without_library(&[stack(&["t", "a", "core::b", "core::c"]), stack(&["t", "core::b"]), stack(&["t"])]);
        assert_eq!(shortened, [stack(&["t", "a"]), stack(&["t", "core::b"]), stack(&["t"])]);
    }
}
