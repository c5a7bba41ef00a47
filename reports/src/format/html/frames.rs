//! Frames of a flamegraph: drawn, ranked, and in words.

use super::theme::SEGMENTS;
use crate::flame::Stack;
use crate::flame::tree::{Bar, Function};
use crate::format::svg::unit;
use crate::inert;
use crate::quantity::{count, percent};
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const ROW: f64 = 18.0;

/// Narrower frames are left out: they could be neither seen nor pointed at.
const NARROWEST: f64 = 0.8;

/// Width of a character of a frame's name.
const CHARACTER: f64 = 6.3;

/// Fewer frames on average, the thread aside, tell little of who called.
const SHALLOW: f64 = 4.0;

/// Functions in the ranking.
const RANKED: usize = 20;

/// Says so when stacks end after a few frames, as they do where the unwinder finds no frame pointers.
pub(super) fn shallow(stacks: &[Stack]) -> Option<String> {
    let all: u64 = stacks.iter().map(|stack| stack.samples).sum();
    let frames: f64 =
        stacks.iter().map(|stack| stack.frames.len().saturating_sub(1) as f64 * stack.samples as f64).sum();
    let depth = frames / all.max(1) as f64;
    (all > 0 && depth < SHALLOW).then(|| {
        format!("stacks are shallow, {depth:.1} frames on average: code without frame pointers or unwind tables hides its callers")
    })
}

/// A bar as it is drawn.
pub(super) struct Frame<'b> {
    pub(super) bar: &'b Bar,
    /// Its classes.
    pub(super) class: String,
    /// Stands before its name.
    pub(super) mark: &'static str,
    /// What is said of it after its name.
    pub(super) about: String,
}

/// Frames coloured by their crates.
pub(super) fn frames(bars: &[Bar], all: u64) -> Vec<Frame<'_>> {
    let share = |bar: &Bar| percent(bar.samples as f64 / all.max(1) as f64);
    let about = |bar: &Bar| format!("{} samples, {}", count(bar.samples), share(bar));
    bars.iter().map(|bar| Frame { bar, class: class(bar), mark: "", about: about(bar) }).collect()
}

/// The ids of title and description begin with `id`.
pub(super) fn drawing(id: &str, title: &str, description: &str, frames: &[Frame<'_>], all: u64) -> Markup {
    let per_sample = WIDTH / all.max(1) as f64;
    let visible: Vec<&Frame<'_>> =
        frames.iter().filter(|frame| frame.bar.samples as f64 * per_sample >= NARROWEST).collect();
    let height = (visible.iter().map(|frame| frame.bar.depth).max().unwrap_or(0) + 1) as f64 * ROW;
    html! {
        svg.frame viewBox={ "0 0 " (WIDTH) " " (unit(height)) } role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { (title) }
            desc id={ (id) "-desc" } { (description) }
            @for frame in &visible {
                (drawn(frame, per_sample))
            }
        }
    }
}

fn drawn(frame: &Frame<'_>, per_sample: f64) -> Markup {
    let bar = frame.bar;
    let (x, y) = (bar.start as f64 * per_sample, bar.depth as f64 * ROW);
    let width = bar.samples as f64 * per_sample;
    let characters = (((width - 8.0) / CHARACTER).max(0.0) as usize).saturating_sub(frame.mark.chars().count());
    html! {
        g {
            title { (bar.name) ": " (frame.about) }
            rect class=(frame.class) x=(unit(x)) y=(unit(y)) width=(unit(width)) height=(unit(ROW - 1.0)) {}
            @if characters >= 3 {
                text.on-segment x=(unit(x + 4.0)) y=(unit(y + 12.5)) { (frame.mark) (label(&bar.name, characters)) }
            }
        }
    }
}

/// As much of a name as fits; of a path, its end says most.
fn label(name: &str, characters: usize) -> String {
    let length = name.chars().count();
    if length <= characters {
        return name.to_owned();
    }
    let is_path = name.contains("::") && !name.contains('<');
    if !is_path || characters < 6 {
        return inert::short(name, characters);
    }
    let end: String = name.chars().skip(length - (characters - 1)).collect();
    format!("…{end}")
}

/// The root is grey; the others are coloured by their crate, so that one crate has one colour.
fn class(bar: &Bar) -> String {
    if bar.depth == 0 {
        return "segment s0".to_owned();
    }
    let crate_name = bar.name.trim_start_matches(['<', '&']).split("::").next().unwrap_or_default();
    let sum = crate_name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("segment s{}", 1 + sum % (SEGMENTS.len() as u64 - 1))
}

pub(super) fn ranking_table(label: &str, ranked: &[Function], all: u64) -> Markup {
    let share = |samples: u64| percent(samples as f64 / all.max(1) as f64);
    html! {
        div.table tabindex="0" role="region" aria-label=(label) {
            table {
                thead { tr { th { "Function" } th.number { "Own samples" } th.number { "Own" } th.number { "With callees" } } }
                tbody {
                    @for function in ranked.iter().take(RANKED) {
                        tr {
                            td { code { (function.name) } }
                            td.number { (count(function.own)) }
                            td.number { (share(function.own)) }
                            td.number { (share(function.total)) }
                        }
                    }
                }
            }
        }
    }
}

/// The drawing in words.
pub(super) fn description(ranked: &[Function], all: u64) -> String {
    let top: Vec<String> = ranked
        .iter()
        .take(3)
        .map(|function| format!("{} {}", function.name, percent(function.own as f64 / all.max(1) as f64)))
        .collect();
    format!("{} samples. Most are in {}.", count(all), top.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shallow_stacks_are_said_to_be() {
        let stack = |frames: usize| Stack { frames: vec!["f".to_owned(); frames], samples: 10 };
        assert!(shallow(&[stack(2), stack(4)]).unwrap().contains("2.0 frames"));
        assert_eq!(shallow(&[stack(2), stack(20)]), None);
        assert_eq!(shallow(&[]), None);
    }

    #[test]
    fn labels_fit_and_keep_the_end_of_paths() {
        assert_eq!(label("a::b", 10), "a::b");
        assert_eq!(label("engine::exchange::probe", 12), "…ange::probe");
        assert_eq!(label("<A as B>::c", 5), "<A a…");
    }
}
