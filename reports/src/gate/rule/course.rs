//! The way of one workload through the looks of both passes.

use super::CONFIDENCE;
use super::series::Series;
use crate::gate::judgement::{Evidence, Mark};
use crate::gate::metric::{Metric, log_of, share_of};
use crate::gate::record::{ArmRun, Block, GateRecord, Pass};
use crate::gate::resolution::Resolution;
use crate::stats::hodges_lehmann::location;
use crate::stats::percentiles::median;
use crate::stats::signed_rank::p_greater;

/// How one look tests.
pub(super) struct Test {
    /// The pass that it looks at.
    pub(super) pass: Pass,
    /// Blocks that count.
    pub(super) blocks: usize,
    /// What an adjusted p value must not exceed.
    pub(super) level: f64,
    /// Tests in the family.
    pub(super) tests: usize,
    /// The level of the pass's most generous look.
    pub(super) most_level: f64,
}

/// One workload.
pub(super) struct Course<'a> {
    pub(super) name: &'a str,
    first: Series<'a>,
    confirmation: Series<'a>,
    /// Blocks at the last look of the first pass and of the confirmation; 0 before any.
    looked: (usize, usize),
    /// In the order of [`Metric::ALL`].
    findings: [Finding; 4],
    /// Nothing more is asked of it.
    pub(super) is_settled: bool,
}

/// What is known of one metric.
#[derive(Default)]
pub(super) struct Finding {
    pub(super) first: Option<Evidence>,
    pub(super) confirmation: Option<Evidence>,
    pub(super) candidate: bool,
    pub(super) confirmed: bool,
}

impl Finding {
    pub(super) fn evidence(&self, pass: Pass) -> Option<&Evidence> {
        match pass {
            Pass::First => self.first.as_ref(),
            Pass::Confirmation => self.confirmation.as_ref(),
        }
    }

    pub(super) fn evidence_mut(&mut self, pass: Pass) -> Option<&mut Evidence> {
        match pass {
            Pass::First => self.first.as_mut(),
            Pass::Confirmation => self.confirmation.as_mut(),
        }
    }

    /// Whether its limit is excluded by a pass that may exclude it: a candidate needs the confirmation for that.
    fn is_within(&self, metric: Metric) -> bool {
        let below = |evidence: &Option<Evidence>| {
            evidence.as_ref().and_then(|evidence| evidence.high).is_some_and(|high| high < metric.limit())
        };
        below(&self.confirmation) || (!self.candidate && below(&self.first))
    }

    /// What is said of it after a look.
    fn mark(&self, metric: Metric) -> Mark {
        let deciding = self.confirmation.as_ref().or(self.first.as_ref());
        let faster = deciding.and_then(|evidence| evidence.high).is_some_and(|high| high < -metric.margin());
        match (self.is_within(metric), self.candidate) {
            _ if self.confirmed => Mark::Regressed,
            _ if self.first.is_none() => Mark::Missing,
            (false, true) => Mark::NotConfirmed,
            (false, false) => Mark::Open,
            _ if faster => Mark::Improved,
            _ => Mark::Pass,
        }
    }
}

impl<'a> Course<'a> {
    pub(super) fn of(record: &'a GateRecord, name: &'a str) -> Course<'a> {
        let series = |pass| Series::of(record, name, pass);
        Course {
            name,
            first: series(Pass::First),
            confirmation: series(Pass::Confirmation),
            looked: (0, 0),
            findings: Default::default(),
            is_settled: false,
        }
    }

    pub(super) fn series(&self, pass: Pass) -> &Series<'a> {
        match pass {
            Pass::First => &self.first,
            Pass::Confirmation => &self.confirmation,
        }
    }

    pub(super) fn finding(&self, metric: Metric) -> &Finding {
        &self.findings[metric as usize]
    }

    pub(super) fn finding_mut(&mut self, metric: Metric) -> &mut Finding {
        &mut self.findings[metric as usize]
    }

    /// Computes the evidence of a look; nothing is decided yet.
    pub(super) fn look(&mut self, test: &Test) {
        let blocks = self.series(test.pass).counting(test.blocks);
        for metric in Metric::ALL {
            let evidence = evidence(metric, &blocks, test);
            let finding = self.finding_mut(metric);
            match test.pass {
                Pass::First => finding.first = evidence,
                Pass::Confirmation => finding.confirmation = evidence,
            }
        }
        match test.pass {
            Pass::First => self.looked.0 = test.blocks,
            Pass::Confirmation => self.looked.1 = test.blocks,
        }
    }

    /// Settles it when every metric that decides is within its limit, or missing: more blocks would not bring it back.
    pub(super) fn settle(&mut self) {
        let is_settled = |metric: &Metric| matches!(self.mark(*metric), Mark::Pass | Mark::Improved | Mark::Missing);
        self.is_settled = Metric::ALL.iter().filter(|metric| metric.is_primary()).all(is_settled);
    }

    /// Whether there was a look.
    pub(super) fn was_looked_at(&self) -> bool {
        self.looked.0 > 0
    }

    /// What is said of a metric.
    pub(super) fn mark(&self, metric: Metric) -> Mark {
        match () {
            () if !metric.is_primary() => Mark::Shown,
            () if !self.was_looked_at() => Mark::Open,
            () => self.finding(metric).mark(metric),
        }
    }

    /// Shows what there is of a workload that ended before its first look, without deciding anything by it.
    pub(super) fn look_early(&mut self, tests: usize) {
        let blocks = self.first.counting(usize::MAX);
        let test = Test {
            pass: Pass::First,
            blocks: blocks.len(),
            level: super::ALPHA * super::SHARES[0],
            tests,
            most_level: super::ALPHA * super::SHARES[2],
        };
        for metric in Metric::ALL {
            self.finding_mut(metric).first = evidence(metric, &blocks, &test);
        }
    }

    /// The blocks that the looks rest on, dropped ones among them; all of a pass that was not looked at.
    pub(super) fn used(&self) -> impl Iterator<Item = &'a Block> {
        let up_to = |series: &Series<'a>, looked: usize| {
            series.up_to(if looked == 0 { usize::MAX } else { looked }).collect::<Vec<_>>()
        };
        up_to(&self.first, self.looked.0).into_iter().chain(up_to(&self.confirmation, self.looked.1))
    }

    /// Those of them that count.
    pub(super) fn used_and_counting(&self) -> impl Iterator<Item = &'a Block> {
        let counting =
            |series: &Series<'a>, looked: usize| series.counting(if looked == 0 { usize::MAX } else { looked });
        counting(&self.first, self.looked.0).into_iter().chain(counting(&self.confirmation, self.looked.1))
    }
}

/// What the blocks say of a metric. `None` when a figure is missing in any of them, or there is none.
fn evidence(metric: Metric, blocks: &[&Block], test: &Test) -> Option<Evidence> {
    let pairs = metric.pairs(blocks)?;
    let (margin, limit) = (log_of(metric.margin()), log_of(metric.limit()));
    let found = location(&pairs, CONFIDENCE)?;
    let of_arm = |arm: fn(&Block) -> &ArmRun| {
        let figures: Option<Vec<f64>> = blocks.iter().map(|block| metric.of(arm(block))).collect();
        median(&figures?)
    };
    let tests = test.tests as f64;
    let end = |end: f64| end.is_finite().then(|| share_of(end));
    Some(Evidence {
        blocks: pairs.len() as u64,
        base: of_arm(|block| &block.base)?,
        head: of_arm(|block| &block.head)?,
        slower: share_of(found.estimate),
        low: end(found.low),
        high: end(found.high),
        p: p_greater(&pairs, margin)?,
        p_adjusted: None,
        level: test.level,
        smallest_change: share_of(Resolution::of(&pairs, test.level / tests)?.smallest_change(margin)),
        blocks_for_limit: Resolution::of(&pairs, test.most_level / tests)?.blocks_for(margin, limit),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_just_reached_is_not_within() {
        let finding = |high: f64| {
            let evidence = Evidence {
                blocks: 14,
                base: 1.0,
                head: 1.0,
                slower: 0.0,
                low: None,
                high: Some(high),
                p: 1.0,
                p_adjusted: None,
                level: 0.002,
                smallest_change: 0.01,
                blocks_for_limit: 14,
            };
            Finding { first: Some(evidence), ..Finding::default() }
        };
        for metric in crate::gate::metric::PRIMARY {
            assert!(!finding(metric.limit()).is_within(metric));
            assert!(finding(metric.limit().next_down()).is_within(metric));
        }
    }
}
