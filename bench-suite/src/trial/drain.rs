//! A prepared backlog drained unpaced: batches of one size, back to back, with labels in the past.

use super::places::Places;
use crate::failure::Failure;
use crate::load::Load;
use crate::plan::NS_PER_S;
use crate::turns::Turns;
use downbeat_engine::StreamingContext;
use downbeat_engine::allocator;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_reports::capacity::Drain;
use downbeat_reports::stats::percentiles::median;
use downbeat_workloads::answers::{Answers, BatchKey};
use downbeat_workloads::catalog::Job;
use downbeat_workloads::oracle::BatchRanges;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A job and the lines that it is drained of.
pub(super) struct Bench<'a> {
    /// The job.
    pub(super) job: &'a dyn Job,
    /// Its lines and all settings.
    pub(super) load: Load,
    /// One drain may take so long.
    pub(super) limit: Duration,
}

/// A drain that came to its end.
pub(super) struct Drained {
    /// Its batches after those that warmed up.
    pub(super) drain: Drain,
    /// Allocations of the whole process from its begin to its end, and their bytes. `None` when they are not counted.
    pub(super) allocated: Option<(u64, u64)>,
    /// What the job answered.
    pub(super) answers: Arc<Answers>,
    /// How many batches there were, those that warmed up included.
    pub(super) batches: u64,
    /// The records of each, in the order in which they ran.
    ranges: Vec<BatchRanges>,
}

impl Bench<'_> {
    /// Runs batches of one size back to back, and tells of the last `batches` of them.
    ///
    /// # Errors
    /// The job cannot be built, a batch failed, or it took longer than the limit.
    pub(super) fn drain(&self, records: f64, warm_up: u64, batches: u64) -> Result<Drained, Failure> {
        self.drain_in_turns(records, warm_up, batches, None)
    }

    /// The same for a process that takes turns: it gives its turn back after the warm-up and after each slice.
    ///
    /// # Errors
    /// As [`Bench::drain`], or nobody gives turns any more.
    pub(super) fn drain_in_turns(
        &self,
        records: f64,
        warm_up: u64,
        batches: u64,
        slices: Option<Slices>,
    ) -> Result<Drained, Failure> {
        let all = warm_up + batches;
        let records = records.round().max(1.0) as u64;
        let load = self.load.of_batches(records, all);
        let context = StreamingContext::new(load.settings.engine.clone())?;
        let built = load.build(&context, self.job)?;
        context.prime(all);
        let tally = Arc::new(Tally::new(records, warm_up, all, slices));
        context.add_listener(tally.clone());
        let before = allocator::totals();
        context.start()?;
        let ended = tally.wait(self.limit);
        let after = allocator::totals();
        context.stop(Duration::ZERO)?;
        if !ended {
            let limit_s = self.limit.as_nanos() / u128::from(NS_PER_S);
            let message = format!("draining {all} batches of {records} records took longer than {limit_s} s");
            return Err(Failure::internal(message));
        }
        let (drain, ranges) = tally.into_told()?;
        Ok(Drained {
            drain,
            ranges,
            allocated: before.zip(after).map(|(before, after)| (after.0 - before.0, after.1 - before.1)),
            answers: built.answers,
            batches: all,
        })
    }
}

/// What happens between the slices of a drain.
pub(super) struct Slices {
    /// Whom the turn is given back to, where processes take turns.
    pub(super) turns: Option<Arc<Turns>>,
    /// Batches of a slice.
    pub(super) batches: u64,
    /// What is moved now and then.
    pub(super) places: Arc<Places>,
}

impl Slices {
    /// After so many batches since the warm-up.
    fn pass_after(&self, batches: u64) -> std::io::Result<()> {
        if !batches.is_multiple_of(self.batches) {
            return Ok(());
        }
        self.turns.as_deref().map_or(Ok(()), Turns::pass)?;
        self.places.change();
        Ok(())
    }
}

impl Drained {
    /// Compares each batch's answer with what the oracle computes. Where there is no oracle, nothing is compared.
    ///
    /// # Errors
    /// An answer is wrong, or there was more than one (exit 5).
    pub(super) fn check(&self, bench: &Bench<'_>) -> Result<(), Failure> {
        let load = bench.load.of_batches(self.drain.records_per_batch, self.batches);
        let wrong = load.wrong_answers(bench.job, &self.answers, &self.ranges).unwrap_or_default();
        let wrong = wrong.into_iter().find_map(|wrong| Some((wrong.batch?, wrong.what)));
        let repeated = self.answers.repeated().first().map(|batch| (*batch, "more than one answer".to_owned()));
        match wrong.or(repeated) {
            None => Ok(()),
            Some((batch, what)) => {
                let message = format!("batch {} of a drain is wrong: {what}", batch.index);
                Err(Failure::new(downbeat_reports::exit::Exit::Broken, message))
            }
        }
    }
}

/// What the batches of a drain told.
#[derive(Default)]
struct Told {
    drain: Drain,
    ranges: Vec<BatchRanges>,
    skews: Vec<f64>,
    done: u64,
    failure: Option<String>,
}

/// Listens to a drain.
struct Tally {
    warm_up: u64,
    batches: u64,
    slices: Option<Slices>,
    told: Mutex<Told>,
    changed: Condvar,
}

impl Tally {
    fn new(records_per_batch: u64, warm_up: u64, batches: u64, slices: Option<Slices>) -> Self {
        let drain = Drain { records_per_batch, allocations: Some(0), allocated_bytes: Some(0), ..Drain::default() };
        Tally { warm_up, batches, slices, told: Mutex::new(Told { drain, ..Told::default() }), changed: Condvar::new() }
    }

    /// Waits until all batches are done or one failed. False when that took too long.
    fn wait(&self, limit: Duration) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = |told: &mut Told| told.done < self.batches && told.failure.is_none();
        let waited = self.changed.wait_timeout_while(told, limit, is_open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn into_told(self: Arc<Self>) -> Result<(Drain, Vec<BatchRanges>), Failure> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = told.failure.take() {
            return Err(Failure::new(downbeat_reports::exit::Exit::Broken, failure));
        }
        let mut drain = std::mem::take(&mut told.drain);
        drain.skew = median(&told.skews);
        Ok((drain, std::mem::take(&mut told.ranges)))
    }
}

impl BatchListener for Tally {
    fn batch_completed(&self, report: &BatchReport) {
        self.book(report);
        // Nothing of the next batch begins before this returns.
        let since_warm_up = (report.index + 1).checked_sub(self.warm_up).filter(|_| report.primed);
        let passed = match (&self.slices, since_warm_up) {
            (Some(slices), Some(batches)) => slices.pass_after(batches),
            _ => Ok(()),
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = passed {
            told.failure.get_or_insert(format!("nobody gives turns any more: {error}"));
        }
        told.done += u64::from(report.primed);
        drop(told);
        self.changed.notify_all();
    }
}

impl Tally {
    fn book(&self, report: &BatchReport) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = &report.failure {
            told.failure.get_or_insert(failure.to_string());
        }
        if report.primed {
            let batch = BatchKey { primed: true, index: report.index };
            told.ranges.push(BatchRanges { batch, ranges: report.ranges.clone() });
        }
        if report.primed && report.index >= self.warm_up {
            let drain = &mut told.drain;
            drain.processing_ns.push(report.done_ns.saturating_sub(report.started_ns));
            for (stage, ns) in &report.busy {
                *drain.busy_ns.entry(stage.name().to_owned()).or_insert(0) += ns;
            }
            drain.idle_ns += report.idle_ns;
            drain.allocations = drain.allocations.zip(report.allocations).map(|(all, some)| all + some);
            drain.allocated_bytes = drain.allocated_bytes.zip(report.allocated_bytes).map(|(all, some)| all + some);
            told.skews.extend(report.skew);
        }
    }
}
