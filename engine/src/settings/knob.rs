//! What a knob is, and how a mistyped name finds the one that was meant.

use super::value::ValueError;

/// One thing that can be tuned, of a settings type `S`. Flags, TOML keys, sweep axes, help, docs and reports come from it.
pub struct Knob<S: 'static> {
    /// Name in TOML and `--set`; the flag is the same with `-` for `_`.
    pub name: &'static str,
    /// How its value is written.
    pub kind: KnobKind,
    /// What is allowed, in words.
    pub range: &'static str,
    /// The default, in words.
    pub default: &'static str,
    /// What it trades against what.
    pub trades: &'static str,
    /// What Spark calls it.
    pub spark: Option<&'static str>,
    /// Its value, with its unit.
    pub get: fn(&S) -> String,
    /// Sets it from text with a unit.
    pub set: fn(&mut S, &str) -> Result<(), ValueError>,
}

/// How a knob's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnobKind {
    /// A number with `us`, `ms`, `s`, `m` or `h`.
    Duration,
    /// A number with `B`, `KiB`, `MiB` or `GiB`.
    Bytes,
    /// Records per second: a number with `/s`, `k/s` or `M/s`.
    Rate,
    /// A whole number.
    Count,
    /// A number, fractions allowed.
    Number,
    /// A share between 0 and 1, or a percentage with `%`.
    Share,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
}

/// The knob of this name; `-` and `_` are the same.
pub fn find_knob<'k, S>(knobs: &'k [Knob<S>], name: &str) -> Option<&'k Knob<S>> {
    let name = name.replace('-', "_");
    knobs.iter().find(|knob| knob.name == name)
}

/// The candidate nearest to a mistyped word, if one is near enough to have been meant (Damerau–Levenshtein distance, at
/// most a third of its length and at least one).
pub fn suggest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let allowed = |candidate: &str| (candidate.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Damerau–Levenshtein distance, restricted to adjacent transpositions (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substituted = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substituted.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}
