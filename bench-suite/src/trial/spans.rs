//! Which batch and which stage a sample belongs to: the one in whose span it was taken.
//!
//! The driver's milestones part a batch's time into the spans of its stages, and all lanes work on the same stage until its milestone. Where
//! concurrent jobs make batches overlap, a sample of two batches is given to neither.

use super::collector::Collected;
use super::sampler::Sampled;
use super::symbols;
use downbeat_engine::metrics::Stage;
use downbeat_reports::record::Sampling;
use downbeat_reports::samples::{SCHEMA, SamplesFile, Seen};
use std::collections::BTreeMap;

/// How the names of threads begin that work on batches; the others receive or keep time.
const LANES: [&str; 2] = ["db-jobs", "db-worker"];

/// The processing of one batch.
struct Span<'b> {
    /// `None` for a primed one.
    batch: Option<u64>,
    started_ns: u64,
    done_ns: u64,
    milestones: &'b [(Stage, u64)],
}

impl Span<'_> {
    fn stage(&self, time_ns: u64) -> Option<Stage> {
        self.milestones.iter().find(|(_, end_ns)| time_ns < *end_ns).map(|(stage, _)| *stage)
    }
}

/// The spans of all batches, in the order of their starts.
struct Spans<'b> {
    spans: Vec<Span<'b>>,
    /// The longest of them: no span that starts longer ago contains a moment.
    longest_ns: u64,
}

impl<'b> Spans<'b> {
    fn new(batches: &'b [Collected]) -> Self {
        let span = |Collected { report, .. }: &'b Collected| Span {
            batch: (!report.primed).then_some(report.index),
            started_ns: report.started_ns,
            done_ns: report.done_ns,
            milestones: &report.milestones,
        };
        let mut spans: Vec<Span<'b>> = batches.iter().map(span).collect();
        spans.sort_by_key(|span| span.started_ns);
        let longest_ns = spans.iter().map(|span| span.done_ns.saturating_sub(span.started_ns)).max().unwrap_or(0);
        Spans { spans, longest_ns }
    }

    /// Batch and stage at a moment. `None` between batches, in primed ones, and where two overlap.
    fn at(&self, time_ns: u64) -> Option<(u64, Stage)> {
        let end = self.spans.partition_point(|span| span.started_ns <= time_ns);
        let near = self.spans[..end].iter().rev();
        let near = near.take_while(|span| time_ns - span.started_ns <= self.longest_ns);
        let mut containing = near.filter(|span| time_ns < span.done_ns);
        let (span, other) = (containing.next()?, containing.next());
        if other.is_some() {
            return None;
        }
        Some((span.batch?, span.stage(time_ns)?))
    }
}

/// Samples by batch and stage, with names, and what the record says of them.
pub(super) fn join(
    run: &str,
    mut sampling: Sampling,
    sampled: &Sampled,
    batches: &[Collected],
) -> (Sampling, SamplesFile) {
    let spans = Spans::new(batches);
    // By batch and stage, then by thread and stack: how often.
    type ByThreadAndStack = BTreeMap<(usize, usize), u64>;
    let mut counts: BTreeMap<Option<(u64, Stage)>, ByThreadAndStack> = BTreeMap::new();
    for sample in &sampled.samples {
        let is_lane = LANES.iter().any(|lane| sampled.threads[sample.thread].starts_with(lane));
        let place = if is_lane { spans.at(sample.time_ns) } else { None };
        sampling.samples += 1;
        sampling.in_batches += u64::from(place.is_some());
        *counts.entry(place).or_default().entry((sample.thread, sample.stack)).or_default() += 1;
    }
    sampling.lost = sampled.lost;
    let mut places: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let seen = counts.into_iter().map(|(place, counts)| {
        let counted = counts.into_iter().map(|(stack, count)| {
            let next = places.len();
            (*places.entry(stack).or_insert(next), count)
        });
        let stacks = counted.collect();
        Seen { batch: place.map(|(batch, _)| batch), stage: place.map(|(_, stage)| stage.name().to_owned()), stacks }
    });
    let seen: Vec<Seen> = seen.collect();
    let mut stacks: Vec<((usize, usize), usize)> = places.into_iter().collect();
    stacks.sort_by_key(|(_, place)| *place);
    let addresses = |((thread, stack), _): &((usize, usize), usize)| {
        (sampled.threads[*thread].as_str(), sampled.stacks[*stack].as_slice())
    };
    let stacks = symbols::fold(&stacks.iter().map(addresses).collect::<Vec<_>>());
    (sampling, SamplesFile { schema: SCHEMA, run: run.to_owned(), stacks, seen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::during::During;
    use crate::trial::examples::report;
    use crate::trial::sampler::Sample;
    use downbeat_engine::metrics::BatchReport;

    fn batch(index: u64, started_ns: u64, milestones: &[(Stage, u64)]) -> Collected {
        let done_ns = milestones.last().unwrap().1;
        let report = BatchReport { started_ns, done_ns, milestones: milestones.to_vec(), ..report(index, 0, 1) };
        Collected { report, during: During::default(), judged: true }
    }

    fn primed(batch: Collected) -> Collected {
        Collected { report: BatchReport { primed: true, ..batch.report }, judged: false, ..batch }
    }

    #[test]
    fn a_sample_belongs_to_the_batch_and_the_stage_in_whose_span_it_was_taken() {
        let batches = [
            primed(batch(0, 10, &[(Stage::Commit, 20)])),
            batch(0, 100, &[(Stage::Combine, 150), (Stage::Reduce, 180), (Stage::Commit, 200)]),
            batch(1, 200, &[(Stage::Combine, 260), (Stage::Output, 290), (Stage::Combine, 300)]),
        ];
        let spans = Spans::new(&batches);
        let cases = [
            (15, None),
            (99, None),
            (100, Some((0, Stage::Combine))),
            (149, Some((0, Stage::Combine))),
            (150, Some((0, Stage::Reduce))),
            (199, Some((0, Stage::Commit))),
            (200, Some((1, Stage::Combine))),
            (260, Some((1, Stage::Output))),
            (299, Some((1, Stage::Combine))),
            (300, None),
        ];
        for (time_ns, place) in cases {
            assert_eq!(spans.at(time_ns), place, "{time_ns}");
        }
        assert_eq!(Spans::new(&[]).at(5), None);
    }

    #[test]
    fn what_two_batches_could_own_is_nobodys() {
        // A long one, within which two short ones run.
        let whole = |index, started_ns, done_ns| batch(index, started_ns, &[(Stage::Map, done_ns)]);
        let batches = [whole(0, 100, 1_000), whole(1, 200, 300), whole(2, 400, 500)];
        let spans = Spans::new(&batches);
        let at = |time_ns| spans.at(time_ns).map(|(batch, _)| batch);
        assert_eq!([150, 250, 350, 450, 999].map(at), [Some(0), None, Some(0), None, Some(0)]);
    }

    #[test]
    fn samples_are_counted_by_batch_and_stage_and_none_gets_lost() {
        let batches = [batch(7, 100, &[(Stage::Combine, 150), (Stage::Commit, 200)])];
        let sample = |time_ns, thread, stack| Sample { time_ns, thread, stack };
        let sampled = Sampled {
            threads: ["db-jobs-0", "db-generator"].map(String::from).into(),
            stacks: vec![vec![16], vec![32]],
            samples: vec![
                sample(110, 0, 0),
                sample(120, 0, 0),
                sample(130, 0, 1),
                sample(160, 0, 0),
                sample(120, 1, 0),
                sample(5, 0, 0),
            ],
            lost: 3,
        };
        let (sampling, file) = join("r", Sampling::default(), &sampled, &batches);
        assert_eq!((sampling.samples, sampling.in_batches, sampling.lost), (6, 4, 3));
        let seen = |batch: Option<u64>, stage: &str, stacks: &[(usize, u64)]| Seen {
            batch,
            stage: batch.map(|_| stage.to_owned()),
            stacks: stacks.to_vec(),
        };
        // The generator works for no single batch, whatever runs meanwhile.
        assert_eq!(
            file.seen,
            [
                seen(None, "", &[(0, 1), (1, 1)]),
                seen(Some(7), "combine", &[(0, 2), (2, 1)]),
                seen(Some(7), "commit", &[(0, 1)])
            ]
        );
        assert_eq!(file.stacks, ["db-jobs-0;unknown", "db-generator;unknown", "db-jobs-0;unknown"]);
    }
}
