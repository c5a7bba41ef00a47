//! The five words, and the closed list of rules that decide for them.

use serde::{Serialize, Serializer};
use std::fmt;

/// The verdict in a word, the same in every format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Wrong, lost or doubled output, or a failed batch: a wrong answer has no timing.
    Broken,
    /// The measurement says nothing: the clock or the generator spoiled it.
    Invalid,
    /// The load is more than the setting can take.
    FallsBehind,
    /// Each batch is done before the next one is due, within the limit.
    Holds,
    /// The data cannot tell.
    NotJudged,
}

impl Word {
    /// All words, in the order in which they are tried.
    pub const ALL: [Word; 5] = [Word::Broken, Word::Invalid, Word::FallsBehind, Word::Holds, Word::NotJudged];

    /// What a reader must know about the figures beside this word, when they are no result.
    pub fn caveat(self) -> Option<&'static str> {
        match self {
            Word::Broken => Some("A wrong answer has no timing: the figures only help to find out why."),
            Word::Invalid => Some("The figures are no result: the measurement was spoiled."),
            Word::FallsBehind | Word::Holds | Word::NotJudged => None,
        }
    }

    /// As printed: `HOLDS`, `FALLS BEHIND`, ….
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Broken => "BROKEN",
            Word::Invalid => "INVALID",
            Word::FallsBehind => "FALLS BEHIND",
            Word::Holds => "HOLDS",
            Word::NotJudged => "NOT JUDGED",
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The rule that decided. Each belongs to one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// BROKEN: a batch failed.
    BatchFailed,
    /// BROKEN: the oracle disagrees with an answer.
    WrongOutput,
    /// BROKEN: records were accepted and never came out.
    RecordsLost,
    /// BROKEN: records were in more than one batch.
    RecordsDoubled,
    /// BROKEN: the sequence ranges of the batches have a gap or overlap.
    SequenceBroken,
    /// BROKEN: the trial failed as a whole.
    TrialFailed,
    /// INVALID: wall and monotonic clock moved apart.
    ClockJumped,
    /// INVALID: the generator handed records over too late.
    GeneratorLate,
    /// FALLS BEHIND: records were shed.
    RecordsShed,
    /// FALLS BEHIND: the engine blocked the sender too long.
    SenderBlocked,
    /// FALLS BEHIND: the median batch takes longer than the interval.
    Utilisation,
    /// FALLS BEHIND: too many batches were late, beyond chance.
    LateShare,
    /// FALLS BEHIND: the total delay grows, beyond chance.
    DelayGrows,
    /// HOLDS: enough batches, few enough late, no growth.
    WithinLimits,
    /// NOT JUDGED: batches were late while the host was disturbed.
    HostNoise,
    /// NOT JUDGED: fewer judged batches than a verdict needs.
    TooFewBatches,
    /// NOT JUDGED: not one record came while batches were judged.
    NothingCame,
    /// NOT JUDGED: more late batches than allowed, but chance may explain them.
    LateShareUnclear,
    /// NOT JUDGED: growth of the delay can neither be shown nor excluded.
    GrowthUnclear,
    /// NOT JUDGED: the trial left no record.
    NoRecord,
}

impl Because {
    /// All rules, in the order in which they are tried.
    pub const ALL: [Because; 20] = [
        Because::BatchFailed,
        Because::WrongOutput,
        Because::RecordsLost,
        Because::RecordsDoubled,
        Because::SequenceBroken,
        Because::TrialFailed,
        Because::ClockJumped,
        Because::GeneratorLate,
        Because::RecordsShed,
        Because::SenderBlocked,
        Because::Utilisation,
        Because::LateShare,
        Because::DelayGrows,
        Because::WithinLimits,
        Because::HostNoise,
        Because::TooFewBatches,
        Because::NothingCame,
        Because::LateShareUnclear,
        Because::GrowthUnclear,
        Because::NoRecord,
    ];

    /// The name in JSON, kebab case.
    pub fn as_str(self) -> &'static str {
        match self {
            Because::BatchFailed => "batch-failed",
            Because::WrongOutput => "wrong-output",
            Because::RecordsLost => "records-lost",
            Because::RecordsDoubled => "records-doubled",
            Because::SequenceBroken => "sequence-broken",
            Because::TrialFailed => "trial-failed",
            Because::ClockJumped => "clock-jumped",
            Because::GeneratorLate => "generator-late",
            Because::RecordsShed => "records-shed",
            Because::SenderBlocked => "sender-blocked",
            Because::Utilisation => "utilisation",
            Because::LateShare => "late-share",
            Because::DelayGrows => "delay-grows",
            Because::WithinLimits => "within-limits",
            Because::HostNoise => "host-noise",
            Because::TooFewBatches => "too-few-batches",
            Because::NothingCame => "nothing-came",
            Because::LateShareUnclear => "late-share-unclear",
            Because::GrowthUnclear => "growth-unclear",
            Because::NoRecord => "no-record",
        }
    }

    /// The word that this rule decides for.
    pub fn word(self) -> Word {
        match self {
            Because::BatchFailed
            | Because::WrongOutput
            | Because::RecordsLost
            | Because::RecordsDoubled
            | Because::SequenceBroken
            | Because::TrialFailed => Word::Broken,
            Because::ClockJumped | Because::GeneratorLate => Word::Invalid,
            Because::RecordsShed
            | Because::SenderBlocked
            | Because::Utilisation
            | Because::LateShare
            | Because::DelayGrows => Word::FallsBehind,
            Because::WithinLimits => Word::Holds,
            Because::HostNoise
            | Because::TooFewBatches
            | Because::NothingCame
            | Because::LateShareUnclear
            | Because::GrowthUnclear
            | Because::NoRecord => Word::NotJudged,
        }
    }
}

impl Serialize for Because {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
