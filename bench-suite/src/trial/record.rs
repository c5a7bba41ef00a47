//! The record of a trial, put together from what was collected.

use super::answers::Checked;
use super::collector::{Collected, Collection};
use super::integrity;
use crate::failure::Failure;
use crate::load::Load;
use crate::machine::{self, NoiseReading};
use crate::plan::TrialSpec;
use downbeat_engine::allocator;
use downbeat_engine::context::StopReport;
use downbeat_engine::metrics::Stage;
use downbeat_reports::record::{
    BatchRecord, Integrity, Judging, Lag, Noise, Phase, Profile, Resources, SCHEMA, Sampling, Schedule, TrialRecord,
};
use downbeat_reports::stats::percentiles;
use downbeat_workloads::generator::GeneratorSummary;
use std::collections::BTreeMap;

/// What a trial leaves behind.
pub(super) struct Evidence<'t> {
    /// What was asked for.
    pub(super) spec: &'t TrialSpec,
    /// The load that was sent.
    pub(super) load: &'t Load,
    /// The batches.
    pub(super) collection: Collection,
    /// What the engine said at its end.
    pub(super) stopped: StopReport,
    /// What disturbed the host.
    pub(super) noise: NoiseReading,
    /// What is known of the samples that were taken meanwhile.
    pub(super) sampling: Sampling,
    /// What the generator tells about itself.
    pub(super) generator: Option<GeneratorSummary>,
    /// How late it was in each live batch; empty where the load comes from outside.
    pub(super) lags_ns: Vec<Option<u64>>,
    /// Records per second that it can send into a job that does nothing; of a user's file, that it can hand over alone.
    pub(super) ceiling_per_s: Option<f64>,
    /// What the oracle found.
    pub(super) checked: Checked,
    /// The trial ended before its plan.
    pub(super) interrupted: bool,
    /// Why it failed as a whole.
    pub(super) failure: Option<String>,
    /// What a reader must know.
    pub(super) warnings: Vec<String>,
}

impl Evidence<'_> {
    /// The record.
    ///
    /// # Errors
    /// The histogram cannot be encoded (exit 70).
    pub(super) fn record(self) -> Result<TrialRecord, Failure> {
        let spec = self.spec;
        let histogram =
            percentiles::encode(&self.collection.latency).map_err(|error| Failure::internal(error.to_string()))?;
        let schedule = self.schedule();
        Ok(TrialRecord {
            schema: SCHEMA,
            run: spec.run.clone(),
            command: spec.command.clone(),
            subject: spec.subject.clone(),
            workload: spec.workload.clone(),
            settings: self.load.settings.values(),
            origins: spec.origins.clone(),
            judging: self.judging(),
            batches: self.batches(),
            primed_batches: self.collection.batches.iter().filter(|batch| batch.report.primed).count() as u64,
            latency_histogram: (!self.collection.latency.is_empty()).then_some(histogram),
            integrity: self.integrity(&schedule),
            resources: self.resources(),
            noise: self.noise(),
            environment: machine::fingerprint(),
            profile: Profile::default(),
            sampling: self.sampling.clone(),
            schedule,
            interrupted: self.interrupted,
            failure: self.failure,
            warnings: self.warnings,
        })
    }

    fn judging(&self) -> Judging {
        let settings = &self.load.settings;
        let judged = || self.collection.batches.iter().filter(|batch| batch.judged).count() as u64;
        Judging {
            interval_ns: settings.engine.interval_ns,
            late_limit: settings.run.late_limit,
            threads: settings.engine.effective_threads() as u32,
            planned_batches: self.spec.batches.unwrap_or_else(judged),
        }
    }

    fn schedule(&self) -> Schedule {
        let plan = self.load.schedule();
        Schedule {
            hash: self.load.hash(),
            seed: self.load.settings.load.seed,
            records: plan.map(|plan| plan.records()),
            rate_per_s: plan.map(|plan| plan.rate_per_s()),
            arrivals: plan.map_or("external".to_owned(), |plan| plan.arrivals().to_string()),
            source: self.spec.source.to_string(),
            ceiling_per_s: self.ceiling_per_s,
        }
    }

    fn batches(&self) -> Vec<BatchRecord> {
        let interval_ns = self.load.settings.engine.interval_ns;
        let live = self.collection.batches.iter().filter(|batch| !batch.report.primed);
        live.map(|batch| {
            let wrong = self.checked.of_live_batch(batch.report.index);
            let lag_ns = usize::try_from(batch.report.index).ok().and_then(|index| self.lags_ns.get(index)).copied();
            BatchRecord { generator_lag_ns: lag_ns.flatten(), ..batch_record(batch, interval_ns, wrong) }
        })
        .collect()
    }

    fn integrity(&self, schedule: &Schedule) -> Integrity {
        let batches = &self.collection.batches;
        let found = integrity::check(batches);
        let (accepted, shed) = (self.stopped.accepted, self.stopped.shed);
        let judged = || batches.iter().filter(|batch| batch.judged);
        let generator = self.generator.clone().unwrap_or_default();
        Integrity {
            // Whoever ends a trial early plans no more than was sent until then.
            planned: if self.interrupted { schedule.records.map(|_| accepted + shed) } else { schedule.records },
            accepted,
            shed,
            committed: found.committed,
            unfinished: self.stopped.unfinished,
            lost: accepted.saturating_sub(found.committed).saturating_sub(self.stopped.unfinished),
            doubled: found.doubled,
            generator_lag_ns: Lag { p99: generator.lag_p99_ns, max: generator.lag_max_ns },
            generator_late_records: generator.late_records,
            blocked_ns: judged().map(|batch| batch.report.blocked_ns).sum(),
            throttled_ns: judged().map(|batch| batch.report.throttled_ns).sum(),
            input: self.input(),
            clock_jump_ns: self.noise.clock_jump_ns,
            oracle: self.checked.oracle.clone(),
            unchecked: self.checked.unchecked.clone(),
            checked_batches: self.checked.batches,
            wrong_batches: self.checked.wrong_batches(),
            sequence_errors: found.errors,
        }
    }

    fn input(&self) -> BTreeMap<String, u64> {
        let mut input: BTreeMap<String, u64> = BTreeMap::new();
        for (kind, count) in &self.stopped.input {
            *input.entry((*kind).to_owned()).or_default() += count;
        }
        input.retain(|_, count| *count > 0);
        input
    }

    fn resources(&self) -> Resources {
        let (begin, end) = (&self.collection.begin, &self.collection.end);
        let allocations = begin.allocations.zip(end.allocations);
        Resources {
            cpu_ns: end.cpu_ns.saturating_sub(begin.cpu_ns),
            generator_cpu_ns: self.generator.as_ref().map(|generator| generator.cpu_ns),
            peak_rss_bytes: machine::peak_rss_bytes(),
            allocations: allocations.map(|(begin, end)| end.0.saturating_sub(begin.0)),
            allocated_bytes: allocations.map(|(begin, end)| end.1.saturating_sub(begin.1)),
            allocator: allocator::kind().to_owned(),
            allocator_options: allocator::Options::in_force(),
        }
    }

    fn noise(&self) -> Noise {
        let (begin, end) = (&self.collection.begin, &self.collection.end);
        let during = begin.at_ns..=end.at_ns;
        Noise {
            steal_ns: begin.steal_ns.zip(end.steal_ns).map(|(begin, end)| end.saturating_sub(begin)),
            hiccups: self.noise.hiccups.iter().filter(|hiccup| during.contains(&hiccup.start_ns)).copied().collect(),
        }
    }
}

fn batch_record(batch: &Collected, interval_ns: u64, wrong: Option<String>) -> BatchRecord {
    let report = &batch.report;
    let total_delay_ns = report.done_ns.saturating_sub(report.due_ns);
    BatchRecord {
        index: report.index,
        time_ns: report.time_ns,
        due_ns: report.due_ns,
        warmup: !batch.judged,
        has_job: report.has_job,
        records: report.records,
        bytes: report.bytes,
        held_bytes: Some(report.held_bytes),
        blocks: report.blocks,
        first_sequence: report.first_sequence,
        end_sequence: report.end_sequence,
        shed: report.shed,
        generation_delay_ns: report.submitted_ns.saturating_sub(report.due_ns),
        scheduling_delay_ns: report.started_ns.saturating_sub(report.submitted_ns),
        processing_ns: report.done_ns.saturating_sub(report.started_ns),
        total_delay_ns,
        late: total_delay_ns > interval_ns,
        phases: phases(&report.phases),
        busy: phases(&report.busy),
        idle_ns: report.idle_ns,
        skew: report.skew,
        queue_depth: report.queue_depth,
        blocked_ns: report.blocked_ns,
        throttled_ns: report.throttled_ns,
        rate_limit_per_s: report.rate_limit_per_s,
        allocations: report.allocations,
        allocated_bytes: report.allocated_bytes,
        page_faults: Some(batch.during.page_faults.minor + batch.during.page_faults.major),
        major_page_faults: Some(batch.during.page_faults.major),
        stolen_ns: batch.during.stolen_ns,
        generator_lag_ns: None,
        failure: report.failure.as_ref().map(ToString::to_string),
        wrong,
    }
}

fn phases(spans: &[(Stage, u64)]) -> Vec<Phase> {
    spans.iter().map(|(stage, ns)| Phase { name: stage.name().to_owned(), ns: *ns }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Mode, PROTOCOL};
    use crate::settings::TrialSettings;
    use crate::source::Source;
    use crate::trial::during::During;
    use crate::trial::examples::report;
    use crate::trial::latency;
    use downbeat_engine::EngineError;
    use downbeat_engine::metrics::BatchReport;
    use downbeat_workloads::catalog::find_job;

    fn spec() -> TrialSpec {
        TrialSpec {
            protocol: PROTOCOL,
            mode: Mode::Measure,
            run: "r".into(),
            command: "c".into(),
            subject: "embedded".into(),
            workload: "word-count".into(),
            settings: TrialSettings::default().values(),
            origins: BTreeMap::new(),
            source: Source::Tcp { addresses: vec!["localhost:1".into()] },
            batches: None,
            warmup_batches: 0,
            time_limit_ns: 1,
            time_limit_is_given: false,
            answer: None,
            status: "s".into(),
            ceiling_per_s: None,
            samples: false,
            seat: None,
        }
    }

    #[test]
    fn what_was_accepted_and_is_neither_committed_nor_unfinished_is_lost() {
        let spec = spec();
        let load = Load::for_trial(&spec, find_job("word-count").unwrap()).unwrap();
        let failure = Some(EngineError::Codec { codec: "x", problem: "y".into() });
        let failed = BatchReport { failure, ..report(1, 5, 9) };
        let batches = [report(0, 0, 5), failed, report(2, 9, 12)].map(|report| Collected {
            report,
            during: During::default(),
            judged: true,
        });
        let collection = Collection {
            batches: batches.into(),
            latency: latency::histogram(),
            begin: Default::default(),
            end: Default::default(),
        };
        let evidence = Evidence {
            spec: &spec,
            load: &load,
            collection,
            stopped: StopReport { accepted: 20, unfinished: 6, ..StopReport::default() },
            noise: NoiseReading::default(),
            sampling: Sampling::default(),
            generator: None,
            lags_ns: Vec::new(),
            ceiling_per_s: None,
            checked: Checked::default(),
            interrupted: false,
            failure: None,
            warnings: Vec::new(),
        };
        let integrity = evidence.record().unwrap().integrity;
        // The 4 of the failed batch are among the 6 that are unfinished; of 20, 8 were committed.
        assert_eq!((integrity.committed, integrity.unfinished, integrity.lost), (8, 6, 6));
    }
}
