//! A tuning: what was found, what it rests on, and the text of the recommendation.

use super::{Interval, Rung};
use crate::capacity::CostModel;
use crate::quantity::{count, duration, percent, rate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Version of this format. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// What `downbeat tune` found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TuneRecord {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Identifies the tuning.
    pub run: String,
    /// The command line, ready to be pasted, seed included.
    pub command: String,
    /// Name of the workload.
    pub workload: String,
    /// What it was for.
    pub goal: String,
    /// Today's settings, by name.
    pub settings: BTreeMap<String, String>,
    /// Batch interval of today's setting.
    pub interval_ns: u64,
    /// The knobs that varied, with their values.
    pub axes: Vec<(String, Vec<String>)>,
    /// Cells of the grid.
    pub cells: u64,
    /// Cells that contradict themselves.
    pub refused: u64,
    /// The settings that were tried unpaced, best first.
    pub ranking: Vec<Ranked>,
    /// Unpaced trials.
    pub unpaced_trials: u64,
    /// Trials that failed, and why.
    pub failures: Vec<String>,
    /// What each knob does, as the ranking saw it.
    pub effects: Vec<KnobEffect>,
    /// Today's setting and the candidates, confirmed in fresh runs; today's first.
    pub arms: Vec<Arm>,
    /// Which arm is recommended; today's when none can be told to be better.
    pub recommended: Option<usize>,
    /// How many times as good it is as today's: rate, 1 ÷ latency, or threads saved.
    pub gain: Option<Interval>,
    /// The candidate that gains most, recommended or not; absent in records of before it was kept.
    #[serde(default)]
    pub challenger: Option<Challenger>,
    /// The winner of the contest and today's setting at their pace; for the highest rate.
    #[serde(default)]
    pub check: Option<PacedCheck>,
    /// What the recommendation rests on.
    pub findings: Vec<String>,
    /// Highest rate by interval, predicted by the cost models.
    pub frontier: Vec<Frontier>,
    /// What was not tried.
    pub not_tried: Vec<String>,
    /// The command whose result would refute the recommendation.
    pub refuted_by: Option<String>,
    /// Records per second that the generator proved it can send.
    pub ceiling_per_s: Option<f64>,
    /// The machine and the build.
    pub environment: BTreeMap<String, String>,
    /// How long it took.
    pub elapsed_ns: u64,
    /// Whether the time was over, or somebody stopped it, before there was a confirmed result.
    pub cut_short: bool,
}

/// One setting of the ranking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// The values of the knobs that varied.
    pub values: BTreeMap<String, String>,
    /// Predicted records per second, or latency in nanoseconds, by the goal.
    pub predicted: f64,
    /// Unpaced trials of it.
    pub trials: u64,
    /// Whether it is today's.
    pub today: bool,
}

/// What a knob's value does, averaged over all settings, as the surrogate believes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KnobEffect {
    /// The knob.
    pub knob: String,
    /// Its value that is believed best.
    pub best: String,
    /// The value that is believed worst.
    pub worst: String,
    /// The first's merit ÷ the second's.
    pub factor: f64,
}

/// A setting that was run at its pace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// `today`, or `candidate 1` and so on.
    pub name: String,
    /// What it changes against today's setting.
    pub changes: BTreeMap<String, String>,
    /// By the goal: rate that draining predicts (records per second; in records without [`Arm::unpaced_trials`] the sustained rate),
    /// latency (nanoseconds) or threads.
    pub value: Option<Interval>,
    /// Paced trials.
    pub trials: u64,
    /// Unpaced trials of the contest, those of the ranking not among them.
    #[serde(default)]
    pub unpaced_trials: u64,
    /// Trials by rate.
    pub rungs: Vec<Rung>,
    /// Whether it kept all limits; for a goal at a rate.
    pub holds: Option<bool>,
    /// What a batch and a record cost, unpaced.
    pub model: Option<CostModel>,
    /// Why it was given up.
    pub given_up: Option<String>,
}

/// The candidate that gains most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Challenger {
    /// Which arm it is.
    pub arm: usize,
    /// How many times as good it is as today's setting, with an interval that holds for all candidates at once.
    pub gain: Interval,
}

/// Pairs of paced trials of today's setting and the winner, at one rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PacedCheck {
    /// Which arm the winner is.
    pub arm: usize,
    /// The rate of all of them, records per second.
    pub rate_per_s: f64,
    /// Pairs.
    pub pairs: u64,
    /// Utilisation of today's setting ÷ that of the winner; `None` with fewer than two pairs.
    pub gain: Option<Interval>,
    /// Trials of the winner that kept their limits.
    pub within: u64,
    /// Those that did not.
    pub exceeded: u64,
    /// Why it does not confirm the winner; `None` when it does.
    pub contradiction: Option<String>,
}

/// What one interval allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frontier {
    /// Batch interval.
    pub interval_ns: u64,
    /// Predicted highest rate of today's setting.
    pub today_per_s: f64,
    /// Predicted highest rate of the recommended one.
    pub recommended_per_s: f64,
}

/// Settings of the ranking that are listed.
const LISTED: usize = 8;

impl TuneRecord {
    /// A value of the goal's kind.
    pub fn show(&self, value: f64) -> String {
        match self.goal.split([',', ' ']).nth(1) {
            Some("rate") => rate(value),
            Some("threads") => format!("{value:.0} threads"),
            _ => duration(value as u64),
        }
    }

    fn show_interval(&self, interval: &Interval) -> String {
        match interval.lower == interval.upper {
            true => self.show(interval.estimate),
            false => format!(
                "{} [{}, {}]",
                self.show(interval.estimate),
                self.show(interval.lower),
                self.show(interval.upper)
            ),
        }
    }

    /// The recommendation in a sentence.
    pub fn sentence(&self) -> String {
        let Some(arm) = self.recommended.and_then(|index| self.arms.get(index)) else {
            return "no recommendation: it ended before anything was confirmed".to_owned();
        };
        let value = arm.value.as_ref().map_or_else(|| "nothing measured".to_owned(), |value| self.show_interval(value));
        if arm.changes.is_empty() {
            let tried = self.arms.len() - 1;
            let why = self.challenge().map_or_else(
                || format!("none of {tried} candidates can be told to be better"),
                |challenge| format!("best challenger {challenge}"),
            );
            return format!("keep today's setting: {value}; {why}");
        }
        let changes: Vec<String> = arm.changes.iter().map(|(knob, value)| format!("{knob}={value}")).collect();
        let gain = self.gain.as_ref().map_or_else(String::new, |gain| {
            format!(", {} [{}, {}] against today's", gained(gain.estimate), gained(gain.lower), gained(gain.upper))
        });
        format!("set {}: {value}{gain}", changes.join(" "))
    }

    /// The best candidate's gain, and why it is not recommended when it is not. `None` when no candidate could be compared.
    pub fn challenge(&self) -> Option<String> {
        let Challenger { arm, gain } = self.challenger.as_ref()?;
        let contradicted =
            self.check.as_ref().filter(|check| check.arm == *arm).and_then(|check| check.contradiction.as_ref());
        let why = match (self.recommended == Some(*arm), gain.lower > 1.0, contradicted) {
            (true, _, _) => "",
            (false, true, Some(why)) => &format!(": told unpaced, but {why}"),
            (false, true, None) => ": not checked at its pace",
            (false, false, _) if gain.upper < 1.0 => ": slower",
            (false, false, _) => ": not told to be faster",
        };
        Some(format!("{} [{}, {}]{why}", gained(gain.estimate), gained(gain.lower), gained(gain.upper)))
    }

    /// The paced check in a sentence.
    pub fn checked(&self) -> Option<String> {
        let check = self.check.as_ref()?;
        let busier = check.gain.as_ref().map_or_else(String::new, |gain| {
            format!(", today's setting is {:.3} [{:.3}, {:.3}] times as busy", gain.estimate, gain.lower, gain.upper)
        });
        let trials = check.within + check.exceeded;
        Some(format!(
            "at {} in {} pairs{busier}; limits kept in {} of {trials}",
            rate(check.rate_per_s),
            check.pairs,
            check.within
        ))
    }

    /// When the command would refute the recommendation.
    pub fn refuted_when(&self) -> &'static str {
        let is_kept = self.recommended.and_then(|index| self.arms.get(index)).is_some_and(|arm| arm.changes.is_empty());
        if is_kept && self.challenger.is_some() { "if this recommends a change" } else { "if this does not HOLD" }
    }

    /// The text for people.
    pub fn render_human(&self) -> String {
        let mut text = format!("TUNE     {}, goal: {}\n", self.workload, self.goal);
        let _ = writeln!(text, "BEST     {}", self.sentence());
        let _ = writeln!(
            text,
            "         {} of {} settings tried in {} unpaced trials, {} paced trials, {}",
            self.ranking.iter().filter(|ranked| ranked.trials > 0).count(),
            count(self.cells),
            count(self.unpaced_trials + self.arms.iter().map(|arm| arm.unpaced_trials).sum::<u64>()),
            count(self.arms.iter().map(|arm| arm.trials).sum()),
            duration(self.elapsed_ns)
        );
        self.render_arms(&mut text);
        self.render_ranking(&mut text);
        for effect in self.effects.iter().filter(|effect| effect.factor > 1.01) {
            let _ =
                writeln!(text, "matters  {}: {} is {:.2} × {}", effect.knob, effect.best, effect.factor, effect.worst);
        }
        for finding in &self.findings {
            let _ = writeln!(text, "rests on {finding}");
        }
        self.render_frontier(&mut text);
        for not_tried in &self.not_tried {
            let _ = writeln!(text, "not tried {not_tried}");
        }
        if let Some(ceiling) = self.ceiling_per_s {
            let _ = writeln!(text, "ceiling  the generator proved {} into a null job", rate(ceiling));
        }
        for failure in self.failures.iter().take(3) {
            let _ = writeln!(text, "failed   {}", crate::inert::line(failure));
        }
        if let Some(command) = &self.refuted_by {
            let _ = writeln!(text, "refuted  {}: {command}", self.refuted_when());
        }
        text
    }

    fn render_arms(&self, text: &mut String) {
        if self.arms.is_empty() {
            return;
        }
        let _ = writeln!(text, "\nconfirmed in fresh runs, in turns");
        for (index, arm) in self.arms.iter().enumerate() {
            let mark = if self.recommended == Some(index) { "▸" } else { " " };
            let value = arm.value.as_ref().map_or_else(|| "–".to_owned(), |value| self.show_interval(value));
            let holds = match arm.holds {
                Some(true) => "holds",
                Some(false) => "falls behind",
                None => "",
            };
            let changes: Vec<String> = arm.changes.iter().map(|(knob, value)| format!("{knob}={value}")).collect();
            let trials = arm.trials_in_words();
            let given_up = arm.given_up.as_ref().map(|why| format!("   given up: {why}")).unwrap_or_default();
            let line = format!("{mark} {:<12} {value:<44} {trials} {holds}  {}{given_up}", arm.name, changes.join(" "));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        if let Some(challenge) = self.challenge() {
            let _ = writeln!(text, "best challenger {challenge}");
        }
        if let Some(checked) = self.checked() {
            let _ = writeln!(text, "at its pace {checked}");
        }
    }

    fn render_ranking(&self, text: &mut String) {
        if self.ranking.is_empty() {
            return;
        }
        let _ = writeln!(text, "\nranked unpaced (F + c·n), predicted");
        for ranked in self.ranking.iter().take(LISTED) {
            let values: Vec<String> = ranked.values.iter().map(|(knob, value)| format!("{knob}={value}")).collect();
            let today = if ranked.today { "   (today)" } else { "" };
            let trials = ranked.trials;
            let _ = writeln!(text, "{:>18}  {trials} ×  {}{today}", self.show(ranked.predicted), values.join(" "));
        }
        text.push('\n');
    }

    fn render_frontier(&self, text: &mut String) {
        if self.frontier.is_empty() {
            return;
        }
        let _ = writeln!(text, "interval predicted highest rate: today's setting, the recommended one");
        for point in &self.frontier {
            let marked = if point.interval_ns == self.interval_ns { "  (today's interval)" } else { "" };
            let _ = writeln!(
                text,
                "         {:>8} {:>18} {:>18}{marked}",
                duration(point.interval_ns),
                rate(point.today_per_s),
                rate(point.recommended_per_s)
            );
        }
    }
}

impl Arm {
    /// How often it was tried.
    pub fn trials_in_words(&self) -> String {
        match (self.unpaced_trials, self.trials) {
            (0, 1) => "1 trial ".to_owned(),
            (0, paced) => format!("{paced} trials"),
            (unpaced, paced) => format!("{unpaced} unpaced, {paced} paced"),
        }
    }
}

/// A factor as a change: `+12 %`.
fn gained(factor: f64) -> String {
    let change = factor - 1.0;
    let sign = if change < 0.0 { "−" } else { "+" };
    format!("{sign}{}", percent(change.abs()))
}
