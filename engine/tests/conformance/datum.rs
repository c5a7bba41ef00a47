//! Records as programs write them. Few kinds, so that every program is well typed by what is said here.

use serde::{Deserialize, Serialize};

/// A record: in JSON a string, an integer, or an array of a string and an integer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Datum {
    Text(String),
    Number(i64),
    Pair(String, i64),
}

/// What all records of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Text,
    Number,
    Pair,
}

impl Datum {
    /// The text of a text.
    pub(crate) fn text(&self) -> &str {
        match self {
            Datum::Text(text) => text,
            other => panic!("{other} is no text"),
        }
    }

    /// The number of a number or pair.
    pub(crate) fn number(&self) -> i64 {
        match self {
            Datum::Number(number) | Datum::Pair(_, number) => *number,
            Datum::Text(text) => panic!("{text} is no number"),
        }
    }

    /// Key and value of a pair.
    pub(crate) fn pair(&self) -> (&str, i64) {
        match self {
            Datum::Pair(key, value) => (key, *value),
            other => panic!("{other} is no pair"),
        }
    }
}

/// As Spark's `toString` shows it.
impl std::fmt::Display for Datum {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Datum::Text(text) => out.write_str(text),
            Datum::Number(number) => write!(out, "{number}"),
            Datum::Pair(key, value) => write!(out, "({key},{value})"),
        }
    }
}

/// `[a,b]`: how lists of values are shown as one text.
pub(crate) fn bracketed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let shown: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", shown.join(","))
}

/// The values of a key, sorted, because Spark promises no order.
pub(crate) fn sorted_list(values: &[i64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    bracketed(sorted)
}

/// The two sides of a joined key; a missing one is `-`.
pub(crate) fn joined(key: &str, left: Option<i64>, right: Option<i64>) -> Datum {
    let side = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    Datum::Text(format!("{key}:{}|{}", side(left), side(right)))
}
