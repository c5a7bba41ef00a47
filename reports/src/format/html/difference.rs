//! Two profiles beside one another, drawn and listed: late batches beside those on time, a head beside its base.

use super::frames::{Frame, drawing};
use crate::explain::pools::without_library;
use crate::flame::Stack;
use crate::flame::difference::{Change, DifferenceBar, changes, is_beyond_chance, layout};
use crate::quantity::{count, percent};
use maud::{Markup, html};

/// Functions in a table: those that take a larger share than usual, and those that take a smaller one.
const LISTED: (usize, usize) = (12, 4);

/// A difference this large, in shares of all samples, is coloured strongly.
const STRONG: f64 = 0.1;

/// What marks mean, for the text above the first drawing.
pub(crate) const MARKS: &str = "▲ and ▼ mark frames whose share differs by more than chance.";

/// A profile that is drawn, and the one that it is compared with.
pub(crate) struct Beside<'s> {
    /// What is drawn,
    pub(crate) stacks: &'s [Stack],
    /// and how many samples that are.
    pub(crate) samples: u64,
    /// What it is compared with,
    pub(crate) usual: &'s [Stack],
    /// and how many samples that are.
    pub(crate) usual_samples: u64,
    /// Whose samples are drawn, the title of a column: `Late`.
    pub(crate) drawn: &'s str,
    /// The same of the other one: `On time`.
    pub(crate) other: &'s str,
    /// Where the other one was sampled, in a sentence: `in batches on time`.
    pub(crate) in_other: &'s str,
}

impl Beside<'_> {
    /// The flamegraph: bars as wide as in the profile that is drawn, each with its share in the other. The ids of its title and
    /// description begin with `id`.
    pub(crate) fn drawing(&self, id: &str, title: &str) -> Markup {
        let bars = layout(self.stacks, self.usual);
        let frames: Vec<Frame<'_>> = bars.iter().map(|bar| self.frame(bar)).collect();
        drawing(id, title, &self.in_words(&self.functions()), &frames, self.samples)
    }

    /// The functions of both, those that grew most first, those that shrank most last.
    pub(crate) fn table(&self, label: &str) -> Markup {
        let functions = self.functions();
        let smaller = functions.len().saturating_sub(LISTED.1).max(LISTED.0);
        let listed = |place: usize| place < LISTED.0 || place >= smaller;
        html! {
            div.table tabindex="0" role="region" aria-label=(label) {
                table {
                    thead { tr { th { "Function" } th.number { "Own samples" } th.number { (self.drawn) } th.number { (self.other) } th { "Beyond chance" } } }
                    tbody {
                        @for (_, one) in functions.iter().enumerate().filter(|(place, _)| listed(*place)) {
                            tr {
                                td { code { (one.name) } }
                                td.number { (count(one.own)) }
                                td.number { (percent(one.share)) }
                                td.number { (percent(one.usual_share)) }
                                td { (self.beyond_chance(one)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn functions(&self) -> Vec<Change> {
        changes(&without_library(self.stacks), &without_library(self.usual))
    }

    fn differs(&self, share: f64, usual_share: f64) -> bool {
        is_beyond_chance(share, self.samples, usual_share, self.usual_samples)
    }

    fn frame<'b>(&self, one: &'b DifferenceBar) -> Frame<'b> {
        let (class, mark) = match one.change() {
            _ if !self.differs(one.share, one.usual_share) => ("s0", ""),
            change if change >= STRONG => ("more-2", "▲ "),
            change if change > 0.0 => ("more-1", "▲ "),
            change if change <= -STRONG => ("less-2", "▼ "),
            _ => ("less-1", "▼ "),
        };
        let (samples, share, usual) = (count(one.bar.samples), percent(one.share), percent(one.usual_share));
        let about = format!("{samples} samples, {share}; {} {usual}", self.in_other);
        Frame { bar: &one.bar, class: format!("segment {class}"), mark, about }
    }

    /// The drawing in words.
    fn in_words(&self, functions: &[Change]) -> String {
        let of = |one: &Change| {
            format!("{} {}, {} {}", one.name, percent(one.share), self.in_other, percent(one.usual_share))
        };
        let top: Vec<String> = functions.iter().filter(|one| one.share > one.usual_share).take(3).map(of).collect();
        let (samples, in_other) = (count(self.samples), self.in_other);
        match top.is_empty() {
            true => format!("{samples} samples. No function has a larger share than {in_other}."),
            false => format!("{samples} samples. Larger shares than {in_other}: {}.", top.join("; ")),
        }
    }

    fn beyond_chance(&self, one: &Change) -> &'static str {
        match self.differs(one.share, one.usual_share) {
            true if one.share > one.usual_share => "▲ larger",
            true => "▼ smaller",
            false => "no",
        }
    }
}
