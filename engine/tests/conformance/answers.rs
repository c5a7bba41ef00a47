//! What a program's outputs saw, whoever ran it: the form in which Spark's answers are recorded.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one batch of a collected stream is: its records as they are shown, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Seen {
    Records(Vec<String>),
    /// `failed`: the records could not be computed.
    Failed(String),
}

/// Lines by file by directory.
pub(crate) type Files = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Everything that came out of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Answers {
    /// The job was refused, for this reason; reasons are not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<String>,
    /// The batches that listeners heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) completed: Option<Vec<u64>>,
    /// By stream and batch; `null` where the output had no job.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) collected: BTreeMap<String, Vec<Option<Seen>>>,
    /// The text of all prints, by batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) printed: Option<Vec<String>>,
    /// What was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<Files>,
    /// The batches of each slice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sliced: Vec<Vec<Vec<String>>>,
}

impl Answers {
    /// A refusal, whose answers are nothing else.
    pub(crate) fn refusal(reason: impl Into<String>) -> Self {
        Answers { refused: Some(reason.into()), ..Answers::default() }
    }

    /// Records in our order and refusals without their words: equal answers are equal then.
    pub(crate) fn canonical(mut self) -> Self {
        self.refused = self.refused.map(|_| "refused".to_owned());
        for seen in self.collected.values_mut().flatten() {
            if let Some(Seen::Records(records)) = seen {
                records.sort();
            }
        }
        self.sliced.iter_mut().flatten().for_each(|records| records.sort());
        self
    }
}

/// Records as an answer shows them.
pub(crate) fn shown<T: ToString>(records: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut shown: Vec<String> = records.into_iter().map(|record| record.to_string()).collect();
    shown.sort();
    shown
}
