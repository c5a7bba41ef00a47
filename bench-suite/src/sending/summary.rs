//! What a sender did, for people and for programs.

use super::{Plan, Sent};
use crate::failure::Failure;
use crate::request::LoadRequest;
use downbeat_reports::quantity::{bytes, count, duration, rate};
use downbeat_workloads::load::{LOAD_KNOBS, LoadSettings};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was sent and how well it was paced.
#[derive(Serialize)]
pub(super) struct Summary {
    workload: String,
    source: String,
    /// `1/1` is all of the load.
    shard: String,
    /// Every setting of the load, with its unit.
    settings: BTreeMap<&'static str, String>,
    /// Identifies times and bytes of the whole load, of which this may be one shard.
    schedule_hash: String,
    /// Records of this shard; nothing where no end was given.
    planned_records: Option<u64>,
    records: u64,
    bytes: u64,
    undelivered_records: u64,
    connections: u64,
    read_to_end: bool,
    finished: bool,
    elapsed_ns: u64,
    rate_per_s: f64,
    /// How much later each write began than its last record was meant to be sent, without time for which the reader let us wait.
    pacing_error_ns: Percentiles,
    /// When each record had been handed over, after its intended time: the wait for the next tick of 1 ms and for the reader too.
    lateness_ns: Percentiles,
    blocked_ns: u64,
}

#[derive(Serialize)]
struct Percentiles {
    p50: u64,
    p99: u64,
    max: u64,
}

impl Percentiles {
    fn of(lags: &Histogram<u64>) -> Self {
        Percentiles { p50: lags.value_at_quantile(0.5), p99: lags.value_at_quantile(0.99), max: lags.max() }
    }

    fn human(&self) -> String {
        format!("p50 {}, p99 {}, max {}", duration(self.p50), duration(self.p99), duration(self.max))
    }
}

impl Summary {
    pub(super) fn new(request: &LoadRequest, settings: &LoadSettings, plan: &Plan, sent: &Sent) -> Self {
        let tally = &sent.tally;
        let values = LOAD_KNOBS.iter().map(|knob| (knob.name, (knob.get)(settings)));
        let has_end = request.records.is_some()
            || plan.payload.records_limit().is_some()
            || request.resolved.settings.run.duration_ns.is_some();
        let seconds = tally.elapsed_ns as f64 / 1e9;
        Summary {
            workload: request.workload.clone(),
            source: request.source.to_string(),
            shard: plan.shard.to_string(),
            settings: values.collect(),
            schedule_hash: plan.schedule.hash(&plan.payload.hash()),
            planned_records: has_end.then(|| plan.shard.count(0..plan.schedule.records())),
            records: tally.records,
            bytes: tally.bytes,
            undelivered_records: tally.undelivered_records,
            connections: tally.connections,
            read_to_end: tally.read_to_end,
            finished: sent.is_finished,
            elapsed_ns: tally.elapsed_ns,
            rate_per_s: if seconds > 0.0 { tally.records as f64 / seconds } else { 0.0 },
            pacing_error_ns: Percentiles::of(&tally.own.pacing_histogram()),
            lateness_ns: Percentiles::of(&tally.whole.lag_histogram()),
            blocked_ns: tally.blocked_ns,
        }
    }

    pub(super) fn json(&self) -> Result<String, Failure> {
        let json = serde_json::to_string_pretty(self);
        json.map(|json| json + "\n").map_err(|error| Failure::internal(format!("cannot write the summary: {error}")))
    }

    pub(super) fn human(&self) -> String {
        let planned = self.planned_records.map(|planned| format!(" of {}", count(planned))).unwrap_or_default();
        let end = match (self.read_to_end, self.finished) {
            (true, true) => "the reader read to the end",
            (false, true) => "the reader has not said that it read to the end",
            (_, false) => "ended before the plan was",
        };
        format!(
            "sent      {}{planned} records, {} in {}: {}; {end}\n\
             lost      {} records came due without a reader; {} connections\n\
             pacing    writes came {} after their time, waiting for the reader left out\n\
             lateness  records were handed over {} after their time; the reader let us wait for {}\n\
             schedule  {}, seed {}, shard {}\n",
            count(self.records),
            bytes(self.bytes),
            duration(self.elapsed_ns),
            rate(self.rate_per_s),
            count(self.undelivered_records),
            count(self.connections),
            self.pacing_error_ns.human(),
            self.lateness_ns.human(),
            duration(self.blocked_ns),
            self.schedule_hash,
            self.settings["seed"],
            self.shard,
        )
    }
}
