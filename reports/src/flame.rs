//! Flamegraphs: folded stacks cleaned and merged, drawn as a stand-alone SVG or laid out for the report.

pub mod allocation;
pub mod difference;
pub mod names;
pub mod tree;

use crate::inert;
use crate::record::{Profile, TrialRecord};
use inferno::flamegraph::{self, Options, Palette, color::MultiPalette};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why there is no flamegraph.
#[derive(Debug, Error)]
pub enum FlameError {
    /// The profile has no samples.
    #[error("no flamegraph of run {run}: {reason}; run again without --no-profile, or for longer")]
    NoSamples {
        /// The run.
        run: String,
        /// Why there are none.
        reason: String,
    },
    /// The drawing failed.
    #[error("the flamegraph of run {run} could not be drawn: {source}; its folded stacks are in result.json")]
    Drawing {
        /// The run.
        run: String,
        /// What the library said.
        source: std::io::Error,
    },
}

/// A call stack, outermost frame (the thread) first, and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Cleaned names.
    pub frames: Vec<String>,
    /// Samples.
    pub samples: u64,
}

/// Deeper frames are left out: no reader gets there, and a stack may be of any length.
const DEPTH_LIMIT: usize = 256;

/// No profile has more samples in one stack; sums of altered records must not overflow in the drawing library.
const SAMPLES_LIMIT: u64 = 1 << 40;

/// The stacks of a profile with names cleaned and equal ones merged, in the order of their names. Lines that are no folded stack are left
/// out.
pub fn stacks(profile: &Profile) -> Vec<Stack> {
    let counted = profile.folded.iter().filter_map(|line| {
        let (frames, samples) = line.rsplit_once(' ')?;
        Some((cleaned(frames), samples.trim().parse::<u64>().ok()?))
    });
    merged(counted)
}

/// The frames of a folded stack without its count, names cleaned, the thread first.
pub(crate) fn cleaned(folded: &str) -> Vec<String> {
    let mut frames: Vec<String> = split(folded).iter().map(|frame| names::clean(frame)).collect();
    frames.truncate(DEPTH_LIMIT);
    if let Some(thread) = frames.first_mut() {
        *thread = names::thread(thread);
    }
    frames
}

/// Equal stacks as one, in the order of their names.
pub(crate) fn merged(counted: impl Iterator<Item = (Vec<String>, u64)>) -> Vec<Stack> {
    let mut merged: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (frames, samples) in counted {
        let seen = merged.entry(frames).or_insert(0);
        *seen = seen.saturating_add(samples.min(SAMPLES_LIMIT));
    }
    let stack = |(frames, samples)| Stack { frames, samples };
    merged.into_iter().map(stack).filter(|stack| stack.samples > 0).collect()
}

/// Splits at `;`, but not inside types such as `[u8; 8]`: a frame never starts with a space.
fn split(frames: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in frames.split(';') {
        match parts.last_mut() {
            Some(last) if part.starts_with(' ') => {
                last.push(';');
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Why the record has no usable profile. `None` when it has one.
pub fn unavailable(profile: &Profile) -> Option<String> {
    if let Some(reason) = &profile.unavailable {
        return Some(inert::line(reason).into_owned());
    }
    stacks(profile).is_empty().then(|| "the profile has no samples".to_owned())
}

/// One line that says what was sampled, and that the replay was not paced.
pub fn subtitle(record: &TrialRecord) -> String {
    let profile = &record.profile;
    format!(
        "unpaced replay · {} samples at {} Hz of CPU time · {:.1} s · run {}",
        profile.samples,
        profile.frequency_hz,
        profile.replay_s,
        inert::short(&record.run, 60)
    )
}

/// Draws the stand-alone, interactive SVG. The same record gives the same bytes.
///
/// # Errors
/// [`FlameError::NoSamples`] with the reason when there is nothing to draw.
pub fn render(record: &TrialRecord) -> Result<String, FlameError> {
    let run = inert::short(&record.run, 60);
    if let Some(reason) = unavailable(&record.profile) {
        return Err(FlameError::NoSamples { run, reason });
    }
    let lines: Vec<String> = stacks(&record.profile).iter().map(folded_line).collect();
    let mut options = Options::default();
    options.title = format!("{}: where the CPU time goes", inert::short(&record.workload, 60));
    options.subtitle = Some(subtitle(record));
    options.count_name = "samples".to_owned();
    options.colors = Palette::Multi(MultiPalette::Rust);
    options.deterministic = true;
    let mut svg = Vec::new();
    let drawn = flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg);
    drawn.map_err(|source| FlameError::Drawing { run, source })?;
    Ok(String::from_utf8_lossy(&svg).into_owned())
}

/// A stack as the library reads it: no `;` inside names, and no name that ends like a count, which would be taken for a difference.
fn folded_line(stack: &Stack) -> String {
    let frames: Vec<String> = stack.frames.iter().map(|frame| frame.replace(';', ":")).collect();
    let mut joined = frames.join(";");
    let ends_like_a_count =
        joined.rsplit_once(' ').is_some_and(|(_, end)| end.chars().all(|c| c.is_ascii_digit() || c == '.'));
    if ends_like_a_count || joined.starts_with('#') {
        joined = joined.replace(' ', "_").replacen('#', "_", 1);
    }
    format!("{joined} {}", stack.samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    fn profile(folded: &[&str]) -> Profile {
        Profile { folded: folded.iter().map(|line| (*line).to_owned()).collect(), ..Profile::default() }
    }

    fn joined(profile: &Profile) -> Vec<String> {
        stacks(profile).iter().map(folded_line).collect()
    }

    #[test]
    fn workers_are_merged_and_counts_added() {
        let profile = profile(&["db-worker-0;a;b 3", "db-worker-1;a;b 4", "db-driver;a 1"]);
        assert_eq!(joined(&profile), ["db-driver;a 1", "db-worker;a;b 7"]);
    }

    #[test]
    fn semicolons_inside_types_do_not_split() {
        assert_eq!(joined(&profile(&["t;<[u8; 8] as Eq>::eq;b 3"])), ["t;<[u8: 8] as Eq>::eq;b 3"]);
    }

    #[test]
    fn lines_that_are_no_stacks_are_left_out() {
        assert_eq!(joined(&profile(&["", "a", "a b", "a -3", "a 0", "a;b 2"])), ["a;b 2"]);
    }

    #[test]
    fn names_that_end_in_numbers_are_no_differences() {
        let mut record = examples::holds();
        record.profile.folded = vec!["t;take 5 30".to_owned(), "# t;x 2".to_owned()];
        let svg = render(&record).unwrap();
        assert!(svg.contains("take_5 (30 samples, 93.75%)"), "{svg}");
    }

    #[test]
    fn drawing_is_deterministic_labelled_and_interactive() {
        let record = examples::holds();
        let svg = render(&record).unwrap();
        assert_eq!(svg, render(&record).unwrap());
        assert!(svg.contains("unpaced replay"));
        assert!(svg.contains("<script"));
        assert!(svg.contains("word_count::split"));
        assert!(!svg.contains("h0123456789abcdef") && !svg.contains("4e9b25d2c0b1a6f3"));
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut record = examples::holds();
        record.workload = "</title><script>alert(1)</script>".to_owned();
        record.profile.folded = vec!["t\u{1b}[31m;</title><script>alert(2)</script>\u{0};\"'>&amp; 4".to_owned()];
        let svg = render(&record).unwrap();
        assert!(!svg.contains("<script>alert"));
        assert!(!svg.chars().any(|c| c.is_control() && c != '\n' && c != '\t' && c != '\r'));
    }

    #[test]
    fn without_samples_the_reason_is_told() {
        let record = examples::broken();
        let error = render(&record).unwrap_err();
        assert!(error.to_string().contains("SIGSEGV"), "{error}");
        let mut empty = examples::holds();
        empty.profile.folded.clear();
        assert!(matches!(render(&empty), Err(FlameError::NoSamples { .. })));
    }
}
