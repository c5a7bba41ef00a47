//! Effects of knobs on a response that was measured in cells of a grid, in interleaved rounds.
//!
//! Model: y = cell + round + ε, with y the logarithm of the response, so that effects are factors. The residual variance comes from the
//! table of cells × rounds (two-way layout without replication: Montgomery, "Design and analysis of experiments", §4.1), so what a
//! whole round has in common, a host that drifts, is taken out. An effect of one level against another is the mean over
//! *matched* cells, equal in all other knobs; an interaction is the mean over matched quadruples of the difference of two effects.
//! Cells that could not be run leave matched pairs out and bias nothing.

use crate::search::Interval;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A response per cell and round, all cells in all rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Levels of each cell, one per knob.
    pub levels: Vec<Vec<usize>>,
    /// Logarithm of the response, by cell and round.
    pub logs: Vec<Vec<f64>>,
}

/// What the table says about its own noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// Standard deviation of one measurement, on the scale of the logarithm.
    pub deviation: f64,
    /// Degrees of freedom.
    pub freedom: f64,
    /// Rounds.
    pub rounds: usize,
}

/// A factor between two levels of one knob, the others being equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Which knob.
    pub knob: usize,
    /// The level whose response is this many times
    pub level: usize,
    /// that of this one.
    pub against: usize,
    /// The factor with its 95 % interval, adjusted for the number of effects (Bonferroni).
    pub factor: Interval,
    /// Matched pairs of cells behind it.
    pub pairs: usize,
}

/// How much the factor of one knob's level depends on another's.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// The knobs.
    pub knobs: (usize, usize),
    /// The level of each,
    pub levels: (usize, usize),
    /// and what it is compared with.
    pub against: (usize, usize),
    /// Effect of the first at the second's level ÷ effect at what that is compared with; adjusted 95 % interval.
    pub factor: Interval,
}

impl Table {
    /// Mean of each cell.
    pub fn means(&self) -> Vec<f64> {
        self.logs.iter().map(|logs| mean(logs)).collect()
    }

    /// The noise. `None` with fewer than two rounds or two cells.
    pub fn residual(&self) -> Option<Residual> {
        let (cells, rounds) = (self.logs.len(), self.logs.first()?.len());
        if cells < 2 || rounds < 2 {
            return None;
        }
        let of_cells = self.means();
        let of_rounds: Vec<f64> =
            (0..rounds).map(|round| mean(&self.logs.iter().map(|logs| logs[round]).collect::<Vec<_>>())).collect();
        let all = mean(&of_cells);
        let mut squares = 0.0;
        for (logs, of_cell) in self.logs.iter().zip(&of_cells) {
            for (log, of_round) in logs.iter().zip(&of_rounds) {
                squares += (log - of_cell - of_round + all).powi(2);
            }
        }
        let freedom = ((cells - 1) * (rounds - 1)) as f64;
        Some(Residual { deviation: (squares / freedom).sqrt(), freedom, rounds })
    }

    /// The effect of every level against the first level of its knob that has matched cells with it.
    pub fn effects(&self, residual: &Residual) -> Vec<Effect> {
        let means = self.means();
        let knobs = self.levels.first().map_or(0, Vec::len);
        let mut found = Vec::new();
        for knob in 0..knobs {
            let count = self.levels.iter().map(|levels| levels[knob] + 1).max().unwrap_or(0);
            for level in 1..count {
                let differences = self.matched(knob, level, 0).map(|(one, other)| means[one] - means[other]);
                let differences: Vec<f64> = differences.collect();
                if !differences.is_empty() {
                    found.push((knob, level, differences));
                }
            }
        }
        let comparisons = found.len();
        let effect = |(knob, level, differences): (usize, usize, Vec<f64>)| {
            let error = residual.deviation * (2.0 / (residual.rounds * differences.len()) as f64).sqrt();
            let factor = residual.around(mean(&differences), error, comparisons);
            Effect { knob, level, against: 0, factor, pairs: differences.len() }
        };
        found.into_iter().map(effect).collect()
    }

    /// For each pair of knobs the interaction that is farthest from none, the strongest first.
    pub fn interactions(&self, residual: &Residual) -> Vec<Interaction> {
        let means = self.means();
        let knobs = self.levels.first().map_or(0, Vec::len);
        let count = |knob: usize| self.levels.iter().map(|levels| levels[knob] + 1).max().unwrap_or(0);
        let mut all = Vec::new();
        for (first, second) in (0..knobs).flat_map(|first| (first + 1..knobs).map(move |second| (first, second))) {
            for (level, other) in
                (1..count(first)).flat_map(|level| (1..count(second)).map(move |other| (level, other)))
            {
                let differences = self.quadruples(first, level, second, other, &means);
                if !differences.is_empty() {
                    all.push(((first, second), (level, other), differences));
                }
            }
        }
        let comparisons = all.len();
        let interaction = |(knobs, levels, differences): (_, _, Vec<f64>)| {
            let error = residual.deviation * (4.0 / (residual.rounds * differences.len()) as f64).sqrt();
            let factor = residual.around(mean(&differences), error, comparisons);
            Interaction { knobs, levels, against: (0, 0), factor }
        };
        let mut interactions: Vec<Interaction> = all.into_iter().map(interaction).collect();
        let strength = |interaction: &Interaction| interaction.factor.estimate.ln().abs();
        interactions.sort_by(|one, other| strength(other).total_cmp(&strength(one)));
        let mut seen = Vec::new();
        interactions.retain(|interaction| {
            let is_new = !seen.contains(&interaction.knobs);
            seen.push(interaction.knobs);
            is_new
        });
        interactions
    }

    /// Cells that cannot be told from the best one (the largest mean), itself first, best first: the 95 % bound of the difference,
    /// adjusted for the number of comparisons, reaches zero.
    pub fn best_group(&self, residual: &Residual) -> Vec<usize> {
        let means = self.means();
        let mut order: Vec<usize> = (0..means.len()).collect();
        order.sort_by(|one, other| means[*other].total_cmp(&means[*one]));
        let Some(best) = order.first().copied() else { return Vec::new() };
        let error = residual.deviation * (2.0 / residual.rounds as f64).sqrt();
        let reach = residual.quantile(order.len().saturating_sub(1)) * error;
        order.into_iter().filter(|cell| means[best] - means[*cell] <= reach).collect()
    }

    /// Share of the variation between cells that each knob's levels explain alone. Adds up to less than 1 by what interactions explain.
    pub fn shares(&self) -> Vec<f64> {
        let means = self.means();
        let all = mean(&means);
        let total: f64 = means.iter().map(|mean| (mean - all).powi(2)).sum();
        let knobs = self.levels.first().map_or(0, Vec::len);
        let of_knob = |knob: usize| {
            let count = self.levels.iter().map(|levels| levels[knob] + 1).max().unwrap_or(0);
            let of_level = |level: usize| {
                let there: Vec<f64> = self
                    .levels
                    .iter()
                    .zip(&means)
                    .filter(|(levels, _)| levels[knob] == level)
                    .map(|(_, mean)| *mean)
                    .collect();
                if there.is_empty() { 0.0 } else { there.len() as f64 * (mean(&there) - all).powi(2) }
            };
            (0..count).map(of_level).sum::<f64>() / total.max(f64::MIN_POSITIVE)
        };
        (0..knobs).map(of_knob).collect()
    }

    /// Pairs of cells with these levels of one knob and equal in all others.
    fn matched(&self, knob: usize, level: usize, against: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let cells = self.levels.iter().enumerate().filter(move |(_, levels)| levels[knob] == level);
        cells.filter_map(move |(cell, levels)| {
            let mut wanted = levels.clone();
            wanted[knob] = against;
            self.levels.iter().position(|levels| *levels == wanted).map(|other| (cell, other))
        })
    }

    fn quadruples(&self, first: usize, level: usize, second: usize, other: usize, means: &[f64]) -> Vec<f64> {
        let effect_at = |cell: usize, against: usize| means[cell] - means[against];
        let at_other = self.matched(first, level, 0).filter(|(cell, _)| self.levels[*cell][second] == other);
        let quadruple = |(cell, against): (usize, usize)| {
            let find = |levels: &[usize]| {
                let mut wanted = levels.to_vec();
                wanted[second] = 0;
                self.levels.iter().position(|levels| *levels == wanted)
            };
            let (base, base_against) = (find(&self.levels[cell])?, find(&self.levels[against])?);
            Some(effect_at(cell, against) - effect_at(base, base_against))
        };
        at_other.filter_map(quadruple).collect()
    }
}

impl Residual {
    /// Two-sided 95 % quantile of Student's t, for that many comparisons at once.
    pub fn quantile(&self, comparisons: usize) -> f64 {
        let alpha = 0.05 / comparisons.max(1) as f64;
        StudentsT::new(0.0, 1.0, self.freedom).map_or(f64::NAN, |student| student.inverse_cdf(1.0 - 0.5 * alpha))
    }

    /// A factor from a mean logarithm and its standard error.
    pub fn around(&self, log: f64, error: f64, comparisons: usize) -> Interval {
        let reach = self.quantile(comparisons) * error;
        Interval { estimate: log.exp(), lower: (log - reach).exp(), upper: (log + reach).exp() }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    /// Knob 0 has effects 1, 1.2, 0.8; knob 1 has 1, 1.5; together (2, 1) is 1.3 times what the product says.
    fn table(deviation: f64, rounds: usize, seed: u64) -> Table {
        let mut random = SplitMix64::new(seed);
        let levels: Vec<Vec<usize>> = (0..3).flat_map(|one| (0..2).map(move |two| vec![one, two])).collect();
        let drift: Vec<f64> = (0..rounds).map(|round| 0.3 * round as f64).collect();
        let logs = levels.iter().map(|levels| {
            let truth: f64 =
                [1.0, 1.2, 0.8][levels[0]] * [1.0, 1.5][levels[1]] * if levels[..] == [2, 1] { 1.3 } else { 1.0 };
            drift.iter().map(|drift| truth.ln() + drift + deviation * random.normal()).collect()
        });
        let logs = logs.collect();
        Table { levels, logs }
    }

    #[test]
    fn drift_of_whole_rounds_is_no_noise() {
        let residual = table(0.0, 4, 1).residual().unwrap();
        assert!(residual.deviation < 1e-9, "{residual:?}");
        assert_eq!(residual.freedom, 15.0);
        assert_eq!(table(0.1, 1, 1).residual(), None);
    }

    #[test]
    fn effects_are_those_of_matched_cells() {
        let table = table(1e-6, 3, 1);
        let effects = table.effects(&table.residual().unwrap());
        let factor =
            |knob, level| effects.iter().find(|effect| (effect.knob, effect.level) == (knob, level)).unwrap().factor;
        assert!((factor(0, 1).estimate - 1.2).abs() < 1e-4);
        // The interaction is part of the mean over matched cells: 0.8 × √1.3.
        assert!((factor(0, 2).estimate - 0.8 * 1.3_f64.sqrt()).abs() < 1e-4);
        assert!((factor(1, 1).estimate - 1.5 * 1.3_f64.cbrt()).abs() < 1e-4);
        assert_eq!(effects.iter().map(|effect| effect.pairs).collect::<Vec<_>>(), [2, 2, 3]);
    }

    #[test]
    fn the_strongest_interaction_of_each_pair_is_found() {
        let table = table(1e-6, 3, 1);
        let interactions = table.interactions(&table.residual().unwrap());
        assert_eq!(interactions.len(), 1);
        assert_eq!((interactions[0].knobs, interactions[0].levels), ((0, 1), (2, 1)));
        assert!((interactions[0].factor.estimate - 1.3).abs() < 1e-4);
    }

    #[test]
    fn intervals_cover_the_truth_nineteen_times_of_twenty() {
        let truth = [1.2, 0.8 * 1.3_f64.sqrt(), 1.5 * 1.3_f64.cbrt()];
        let covers = |seed: u64| {
            let table = table(0.05, 3, seed);
            let effects = table.effects(&table.residual().unwrap());
            effects.iter().zip(truth).all(|(effect, truth)| effect.factor.contains(truth))
        };
        // All three at once: Bonferroni promises at least 95 %.
        let covered = (0..400).filter(|seed| covers(*seed)).count();
        assert!((370..=400).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn the_best_group_is_the_best_alone_without_noise_and_more_with_it() {
        let calm = table(0.001, 3, 1);
        assert_eq!(calm.best_group(&calm.residual().unwrap()), [3]);
        let noisy = table(0.3, 3, 1);
        let group = noisy.best_group(&noisy.residual().unwrap());
        assert!(group.len() > 2, "{group:?}");
    }

    #[test]
    fn a_missing_cell_leaves_its_pairs_out() {
        let mut table = table(1e-6, 3, 1);
        table.levels.remove(5);
        table.logs.remove(5);
        let effects = table.effects(&table.residual().unwrap());
        assert!((effects[1].factor.estimate - 0.8).abs() < 1e-4, "without (2, 1) there is no interaction in it");
        assert!(table.interactions(&table.residual().unwrap()).iter().all(|interaction| interaction.levels != (2, 1)));
    }

    #[test]
    fn shares_say_which_knob_matters_most() {
        let shares = table(1e-6, 2, 1).shares();
        assert!(shares[1] > shares[0] && shares.iter().sum::<f64>() < 1.0, "{shares:?}");
    }
}
