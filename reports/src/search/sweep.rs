//! A sweep: the record of many settings measured in interleaved rounds, what follows from it, and its text.

use super::Interval;
use crate::quantity::{duration, percent, rate};
use crate::stats::effects::Table;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Version of this format. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// What was measured in each trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Records per second at which a batch takes its whole interval, from draining unpaced: more is better.
    #[default]
    Capacity,
    /// 99th percentile of the latency by record at the asked rate, nanoseconds: less is better.
    P99,
}

impl Response {
    /// As it is shown.
    pub fn show(self, value: f64) -> String {
        match self {
            Response::Capacity => rate(value),
            Response::P99 => duration(value as u64),
        }
    }

    /// As a number of which more is better.
    fn merit(self, value: f64) -> f64 {
        match self {
            Response::Capacity => value,
            Response::P99 => 1.0 / value,
        }
    }
}

/// What `downbeat sweep` measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// The command line, ready to be pasted, seed included.
    pub command: String,
    /// Hash of everything that decides what is measured: what a resumed sweep must have in common.
    pub hash: String,
    /// What was measured.
    pub response: Response,
    /// The knobs that varied.
    pub knobs: Vec<String>,
    /// The values of each.
    pub values: Vec<Vec<String>>,
    /// Every setting that did not vary, by name.
    pub settings: BTreeMap<String, String>,
    /// The workloads, each with its cells.
    pub workloads: Vec<WorkloadSweep>,
    /// Rounds that were planned.
    pub rounds: u64,
    /// Results in the directory that were damaged or belong to something else: named, and measured again or left alone.
    pub skipped: Vec<String>,
    /// The machine and the build.
    pub environment: BTreeMap<String, String>,
}

/// The cells of one workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkloadSweep {
    /// Its name.
    pub workload: String,
    /// Its cells, in the order of the grid.
    pub cells: Vec<CellResult>,
    /// Records per second that the generator proved it can send.
    #[serde(default)]
    pub ceiling_per_s: Option<f64>,
    /// Cells that contradict themselves, with the reason.
    pub refused: Vec<(String, String)>,
}

/// One setting, measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// Level of each knob.
    pub levels: Vec<usize>,
    /// The response by round; `None` where a trial gave none.
    pub responses: Vec<Option<f64>>,
    /// Whether this is today's setting.
    pub today: bool,
    /// Why trials gave none.
    pub failures: Vec<String>,
}

/// Cells that are listed in the text, at most.
const LISTED: usize = 12;

/// Interactions that are listed, at most.
const INTERACTIONS: usize = 5;

impl SweepRecord {
    /// Whether each cell has a known level of each knob.
    ///
    /// # Errors
    /// In words, for a record that was not written by a sweep.
    pub fn check(&self) -> Result<(), String> {
        if self.knobs.len() != self.values.len() {
            return Err("its knobs and their values differ in number".to_owned());
        }
        let fits = |cell: &CellResult| {
            let known = cell.levels.iter().zip(&self.values).all(|(level, values)| *level < values.len());
            cell.levels.len() == self.knobs.len() && known
        };
        match self.workloads.iter().flat_map(|sweep| &sweep.cells).all(fits) {
            true => Ok(()),
            false => Err("a cell has levels that no knob has".to_owned()),
        }
    }

    /// The text for people.
    pub fn render_human(&self) -> String {
        let mut text = String::new();
        for sweep in &self.workloads {
            self.render_workload(sweep, &mut text);
        }
        for skipped in &self.skipped {
            let _ = writeln!(text, "skipped  {skipped}");
        }
        text
    }

    /// The table of the cells that were measured in every finished round, and which of the sweep's cells they are.
    pub fn table(&self, sweep: &WorkloadSweep) -> (Table, Vec<usize>) {
        let rounds = sweep.cells.iter().map(|cell| cell.responses.len()).min().unwrap_or(0);
        let whole = |cell: &&CellResult| cell.responses[..rounds].iter().all(Option::is_some);
        let (mut table, mut cells) = (Table { levels: Vec::new(), logs: Vec::new() }, Vec::new());
        for (index, cell) in sweep.cells.iter().enumerate().filter(|(_, cell)| whole(cell)) {
            let logs = cell.responses[..rounds].iter().flatten().map(|value| self.response.merit(*value).ln());
            table.logs.push(logs.collect());
            table.levels.push(cell.levels.clone());
            cells.push(index);
        }
        (table, cells)
    }

    /// A cell in words.
    pub fn words(&self, levels: &[usize]) -> String {
        let of = |(place, level): (usize, &usize)| format!("{}={}", self.knobs[place], self.values[place][*level]);
        levels.iter().enumerate().map(of).collect::<Vec<_>>().join(" ")
    }

    fn render_workload(&self, sweep: &WorkloadSweep, text: &mut String) {
        let (table, cells) = self.table(sweep);
        let rounds = table.logs.first().map_or(0, Vec::len);
        let _ = writeln!(
            text,
            "SWEEP    {}: {} cells, {rounds} of {} rounds complete",
            sweep.workload,
            sweep.cells.len(),
            self.rounds
        );
        let means = table.means();
        let mut order: Vec<usize> = (0..means.len()).collect();
        order.sort_by(|one, other| means[*other].total_cmp(&means[*one]));
        let residual = table.residual();
        let best_group = residual.map(|residual| table.best_group(&residual)).unwrap_or_default();
        for (rank, place) in order.iter().enumerate() {
            let cell = &sweep.cells[cells[*place]];
            if rank >= LISTED && !cell.today {
                continue;
            }
            let value = self.response.show(self.response.merit(means[*place].exp()));
            let mark = if best_group.contains(place) { "=" } else { " " };
            let today = if cell.today { "   (today)" } else { "" };
            let _ = writeln!(text, "{:>4} {mark} {value:>18}   {}{today}", rank + 1, self.words(&cell.levels));
        }
        if order.len() > LISTED {
            let _ = writeln!(text, "       … {} more in sweep.json", order.len() - LISTED);
        }
        match residual {
            Some(residual) => {
                let _ = writeln!(
                    text,
                    "       = cannot be told from the best: {} of {} cells",
                    best_group.len(),
                    cells.len()
                );
                self.render_effects(&table, &residual, text);
                let noise = percent(residual.deviation);
                let _ = writeln!(text, "noise    one measurement varies by {noise} within a round");
            }
            None => {
                let _ = writeln!(
                    text,
                    "         no intervals: they need two complete rounds of two cells that never failed"
                );
            }
        }
        if let Some(ceiling) = sweep.ceiling_per_s {
            let _ = writeln!(text, "ceiling  the generator proved {} into a null job", rate(ceiling));
        }
        for cell in sweep.cells.iter().filter(|cell| !cell.failures.is_empty()) {
            let (failed, all) = (cell.failures.len(), cell.failures.len() + cell.responses.iter().flatten().count());
            let (words, why) = (self.words(&cell.levels), crate::inert::line(&cell.failures[0]));
            let _ = writeln!(text, "failed   {words}: in {failed} of {all} rounds, so it is not ranked: {why}");
        }
        for (cell, why) in sweep.refused.iter().take(3) {
            let _ = writeln!(text, "left out {cell}: {why}");
        }
        if sweep.refused.len() > 3 {
            let _ = writeln!(text, "left out … {} more cells that contradict themselves", sweep.refused.len() - 3);
        }
        text.push('\n');
    }

    fn render_effects(&self, table: &Table, residual: &crate::stats::effects::Residual, text: &mut String) {
        let effects = table.effects(residual);
        let shares = table.shares();
        if !effects.is_empty() {
            let _ = writeln!(
                text,
                "effects  factor on the rate (or 1 ÷ latency) against the first value, 95 % for all at once"
            );
        }
        for effect in &effects {
            let values = &self.values[effect.knob];
            let what = format!("{}={} / {}", self.knobs[effect.knob], values[effect.level], values[effect.against]);
            let share = percent(shares.get(effect.knob).copied().unwrap_or(0.0));
            let _ = writeln!(text, "         {what:<40} {}   (knob: {share} of the variation)", factor(&effect.factor));
        }
        let told = |interaction: &&crate::stats::effects::Interaction| !interaction.factor.contains(1.0);
        let interactions = table.interactions(residual);
        let mut listed = interactions.iter().filter(told).take(INTERACTIONS).peekable();
        if listed.peek().is_some() {
            let _ = writeln!(text, "together factor beyond the product of the two alone, where it can be told from 1");
        }
        for interaction in listed {
            let name = |knob: usize, level: usize| format!("{}={}", self.knobs[knob], self.values[knob][level]);
            let (one, other) = interaction.knobs;
            let what = format!("{} with {}", name(one, interaction.levels.0), name(other, interaction.levels.1));
            let _ = writeln!(text, "         {what:<40} {}", factor(&interaction.factor));
        }
    }
}

fn factor(interval: &Interval) -> String {
    format!("{:.3} × [{:.3}, {:.3}]", interval.estimate, interval.lower, interval.upper)
}
