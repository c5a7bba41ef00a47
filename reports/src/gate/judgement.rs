//! What a gate says, as plain data: the word, why, and every comparison behind it.

use super::counted::CountJudgement;
use super::exclusion::Drops;
use super::metric::Metric;
use super::noise::ArmNoise;
use super::null_control::NullControl;
use crate::exit::Exit;
use serde::Serialize;

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every limit is excluded.
    Pass,
    /// It passes, and something is faster by more than its margin.
    Improved,
    /// Slower, and again so in the confirmation; or more allocations.
    Regressed,
    /// The head gives other answers or does not run.
    Broken,
    /// The evidence is not enough or cannot be trusted.
    CannotJudge,
    /// Nothing was compared.
    NothingChecked,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 6] = [
        Verdict::Pass,
        Verdict::Improved,
        Verdict::Regressed,
        Verdict::Broken,
        Verdict::CannotJudge,
        Verdict::NothingChecked,
    ];

    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Improved => "IMPROVED",
            Verdict::Regressed => "REGRESSED",
            Verdict::Broken => "BROKEN",
            Verdict::CannotJudge => "CANNOT JUDGE",
            Verdict::NothingChecked => "NOTHING CHECKED",
        }
    }

    /// The exit code.
    pub fn exit(self) -> Exit {
        match self {
            Verdict::Pass | Verdict::Improved => Exit::Ok,
            Verdict::Regressed => Exit::Regressed,
            Verdict::Broken => Exit::Broken,
            Verdict::CannotJudge => Exit::NotJudged,
            Verdict::NothingChecked => Exit::NothingChecked,
        }
    }

    /// Whether it is green.
    pub fn passes(self) -> bool {
        matches!(self, Verdict::Pass | Verdict::Improved)
    }
}

/// Why, a closed list. The order is that of precedence: the first kind that occurs has the word, but see [`Kind::verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The record has another version than this code reads.
    Incompatible,
    /// The record contradicts itself.
    Inconsistent,
    /// Head and base gave different answers to the same input.
    WrongAnswers,
    /// The head failed again and again where the base ran.
    HeadFails,
    /// More allocations or bytes, counted exactly.
    AllocatesMore,
    /// The machine changed meanwhile.
    Moved,
    /// The copy of the base differs from the base.
    NullControl,
    /// One of the builds drew most of the disturbances.
    OneSidedDrops,
    /// A process of the base or of its copy failed.
    BaseFails,
    /// Slower, and again so in the confirmation.
    Slower,
    /// The gate ended before it could decide.
    CutShort,
    /// The record ends before the rule does.
    Unfinished,
    /// Too many blocks were disturbed.
    TooManyDropped,
    /// The head failed once where the base ran.
    HeadFailedOnce,
    /// There was nothing to compare.
    NothingCompared,
    /// A workload was not measured.
    Unmeasured,
    /// A figure is missing, zero or no number.
    MissingMetric,
    /// The head's allocations could not be counted where the base's were.
    Uncounted,
    /// The answers of an arm are not known, or the base does not agree with its own copy.
    AnswersUnknown,
    /// It looked slower, and the confirmation neither repeats nor refutes it.
    NotConfirmed,
    /// The limit lies inside the interval after the last look.
    LimitInside,
}

impl Kind {
    /// The word that such a reason leads to when none before it in the list occurs.
    pub fn verdict(self) -> Verdict {
        match self {
            Kind::WrongAnswers | Kind::HeadFails => Verdict::Broken,
            Kind::AllocatesMore | Kind::Slower => Verdict::Regressed,
            Kind::NothingCompared => Verdict::NothingChecked,
            _ => Verdict::CannotJudge,
        }
    }

    /// Whether it says something of the host or of the time that was given, and nothing of a build: no other builds would have been
    /// judged there.
    pub fn is_of_the_host(self) -> bool {
        matches!(
            self,
            Kind::Moved
                | Kind::NullControl
                | Kind::CutShort
                | Kind::TooManyDropped
                | Kind::NothingCompared
                | Kind::NotConfirmed
                | Kind::LimitInside
        )
    }
}

impl Judgement {
    /// Whether nothing but the host kept it from judging.
    pub fn is_the_hosts_fault(&self) -> bool {
        self.verdict == Verdict::CannotJudge && self.because.iter().all(|reason| reason.kind.is_of_the_host())
    }
}

/// One reason in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Which of the list.
    pub kind: Kind,
    /// The workload that it is about, when it is about one.
    pub workload: Option<String>,
    /// A sentence without a full stop. May hold text from outside.
    pub text: String,
}

/// What is said of one metric of one workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Its limit is excluded.
    Pass,
    /// Its limit is excluded, and it is faster by more than its margin.
    Improved,
    /// Slower than its margin, twice.
    Regressed,
    /// Slower than its margin once, and neither repeated nor refuted.
    NotConfirmed,
    /// Its limit lies inside the interval.
    Open,
    /// A figure is missing, zero or no number, or no block counts.
    Missing,
    /// It decides nothing.
    Shown,
}

impl Mark {
    /// As it is printed in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Mark::Pass => "pass",
            Mark::Improved => "improved",
            Mark::Regressed => "REGRESSED",
            Mark::NotConfirmed => "not confirmed",
            Mark::Open => "cannot judge",
            Mark::Missing => "MISSING",
            Mark::Shown => "shown only",
        }
    }
}

/// What so many blocks say about one metric. All changes are shares, positive is slower.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Blocks that count.
    pub blocks: u64,
    /// Median of the base's figures: nanoseconds, or records per second.
    pub base: f64,
    /// Median of the head's.
    pub head: f64,
    /// How much slower the head is (Hodges–Lehmann).
    pub slower: f64,
    /// Lower end of the 99 % interval; `None` when so few blocks have none.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// One-sided p value against the margin.
    pub p: f64,
    /// The same, adjusted for all tests of this look (Holm). `None` when it decides nothing.
    pub p_adjusted: Option<f64>,
    /// What the adjusted one must not exceed for a regression.
    pub level: f64,
    /// The smallest change that these blocks could have shown.
    pub smallest_change: f64,
    /// Blocks after which the smallest change would be the limit.
    pub blocks_for_limit: u64,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricJudgement {
    /// Name of the workload.
    pub workload: String,
    /// What is compared.
    pub metric: Metric,
    /// What is said of it.
    pub mark: Mark,
    /// How much slower still counts as equal.
    pub margin: f64,
    /// How much slower must be excluded.
    pub limit: f64,
    /// What the first pass shows, at its last look.
    pub first: Option<Evidence>,
    /// What the confirmation shows, when there was one.
    pub confirmation: Option<Evidence>,
    /// Slower with the same number of instructions: the cause may be where the linker put the code.
    pub layout_suspect: bool,
}

impl MetricJudgement {
    /// The evidence that the mark rests on: the confirmation when there was one.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.confirmation.as_ref().or(self.first.as_ref())
    }
}

/// Everything that a gate says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The word.
    pub verdict: Verdict,
    /// Why, by precedence. Empty when it passes.
    pub because: Vec<Reason>,
    /// Both arms have the same binary.
    pub same_binary: bool,
    /// All comparisons, by workload in the order of the record.
    pub metrics: Vec<MetricJudgement>,
    /// All exact counts.
    pub counts: Vec<CountJudgement>,
    /// What was dropped.
    pub drops: Drops,
    /// What disturbed the host, by arm.
    pub noise: Vec<ArmNoise>,
    /// What the copy of the base says.
    pub null_control: Vec<NullControl>,
}

impl Judgement {
    /// The comparisons that decide.
    pub fn primary(&self) -> impl Iterator<Item = &MetricJudgement> {
        self.metrics.iter().filter(|judged| judged.metric.is_primary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_exit_codes_are_the_documented_ones() {
        let codes = Verdict::ALL.map(|verdict| (verdict.as_str(), verdict.exit().code()));
        let documented = [
            ("PASS", 0),
            ("IMPROVED", 0),
            ("REGRESSED", 1),
            ("BROKEN", 5),
            ("CANNOT JUDGE", 125),
            ("NOTHING CHECKED", 4),
        ];
        assert_eq!(codes, documented);
        assert!(Verdict::ALL.iter().all(|verdict| verdict.passes() == (verdict.exit().code() == 0)));
    }
}
