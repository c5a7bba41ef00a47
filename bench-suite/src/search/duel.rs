//! A duel: whether a challenger is better than today's setting, from rounds in which each setting has one fresh trial.
//!
//! What a round has in common is the host's drift and no noise; what is left of settings and rounds is, pooled over all settings, and
//! the interval of each challenger's gain is Student's t on the mean difference of logarithms. The intervals hold at once for the
//! challengers that entered and for all planned looks (Bonferroni), so that looking often finds no gain that is not there. Nothing goes in
//! that was seen when the challengers were chosen: their best trials of the ranking are the lucky ones.

use downbeat_reports::search::Interval;
use downbeat_reports::stats::effects::{Residual, Table};

/// Gains below this share are not worth a change of settings.
pub const WORTH: f64 = 0.01;

/// Rounds after which is looked, if there may be many more.
const LOOKS: [usize; 4] = [3, 5, 8, 12];

/// A look is worth its share of the doubt only when so many times as many rounds may follow.
const APART: f64 = 1.4;

/// A gain is known well enough when its interval is this narrow,
const WIDTH: f64 = 0.04;

/// or no wider than this share of the gain.
const WIDTH_OF_GAIN: f64 = 0.3;

/// What a look at a duel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A challenger is better, and by how much is known well enough.
    Told,
    /// No challenger can be worth the change.
    Futile,
    /// More rounds would tell more.
    Open,
}

/// Rounds of today's setting, which is arm 0, and its challengers.
#[derive(Clone, Debug)]
pub struct Duel {
    /// By round and arm: the logarithm of something of which more is better.
    rounds: Vec<Vec<Option<f64>>>,
    /// Arms that answer no more.
    out: Vec<bool>,
    /// Rounds after which is looked.
    looks: Vec<usize>,
}

/// When to look at a duel of so many rounds at most: now and then, and at its end.
pub fn looks(rounds_most: usize) -> Vec<usize> {
    let early = LOOKS.into_iter().filter(|rounds| APART * *rounds as f64 <= rounds_most as f64);
    early.chain([rounds_most]).collect()
}

impl Duel {
    /// Before any round; looked at after these rounds.
    pub fn new(challengers: usize, looks: Vec<usize>) -> Self {
        Duel { rounds: Vec::new(), out: vec![false; challengers + 1], looks }
    }

    /// Takes in a round: the logarithm of each arm, `None` of one without an answer.
    pub fn take(&mut self, round: Vec<Option<f64>>) {
        self.rounds.push(round);
    }

    /// An arm that gave no answer and is asked no more: the others are compared without it.
    pub fn leave_out(&mut self, arm: usize) {
        self.out[arm] = true;
    }

    /// Whether an arm is still asked.
    pub fn is_in(&self, arm: usize) -> bool {
        !self.out[arm]
    }

    /// Rounds in which all arms that are still in have answered.
    pub fn complete(&self) -> usize {
        self.whole_rounds().count()
    }

    fn whole_rounds(&self) -> impl Iterator<Item = &Vec<Option<f64>>> {
        self.rounds.iter().filter(|round| round.iter().zip(&self.out).all(|(log, out)| *out || log.is_some()))
    }

    /// Logarithms of an arm in whole rounds.
    fn logs(&self, arm: usize) -> Vec<f64> {
        self.whole_rounds().filter_map(|round| round[arm]).collect()
    }

    /// How many times as good as today's setting a challenger is, with an interval that holds for all challengers and looks at once. `None`
    /// before the second round, or when one of both is out.
    pub fn gain(&self, challenger: usize) -> Option<Interval> {
        if self.out[0] || self.out[challenger] {
            return None;
        }
        let arms: Vec<usize> = (0..self.out.len()).filter(|arm| self.is_in(*arm)).collect();
        let logs: Vec<Vec<f64>> = arms.iter().map(|arm| self.logs(*arm)).collect();
        let table = Table { levels: arms.iter().map(|arm| vec![*arm]).collect(), logs };
        let residual = table.residual()?;
        let difference = mean(&self.logs(challenger)) - mean(&self.logs(0));
        let error = residual.deviation * (2.0 / residual.rounds as f64).sqrt();
        Some(residual.around(difference, error, (self.out.len() - 1) * self.looks.len().max(1)))
    }

    /// An arm's own value, with the 95 % interval over its rounds, drift and all.
    pub fn value(&self, arm: usize) -> Option<Interval> {
        around(&self.rounds.iter().filter_map(|round| round[arm]).collect::<Vec<_>>())
    }

    /// The challenger with the largest gain.
    pub fn best(&self) -> Option<(usize, Interval)> {
        let gains = (1..self.out.len()).filter_map(|arm| Some((arm, self.gain(arm)?)));
        gains.max_by(|one, other| one.1.estimate.total_cmp(&other.1.estimate))
    }

    /// What is known after these rounds; nothing while no look is due.
    pub fn look(&self) -> Look {
        let gains: Vec<Interval> = (1..self.out.len()).filter_map(|arm| self.gain(arm)).collect();
        if gains.is_empty() || !self.looks.contains(&self.rounds.len()) {
            return Look::Open;
        }
        if gains.iter().all(|gain| gain.upper < 1.0 + WORTH) {
            return Look::Futile;
        }
        match self.best() {
            Some((_, gain)) if is_told(&gain) && gain.width() <= WIDTH.max(WIDTH_OF_GAIN * (gain.estimate - 1.0)) => {
                Look::Told
            }
            _ => Look::Open,
        }
    }
}

/// Whether chance is excluded as the cause of a gain.
pub fn is_told(gain: &Interval) -> bool {
    gain.lower > 1.0
}

/// Why a paced check does not confirm a winner that was this many times less busy, and kept or exceeded its limits in so many trials.
/// `None` when it does.
pub fn contradiction(gain: Option<&Interval>, within: u64, exceeded: u64) -> Option<String> {
    let Some(gain) = gain else { return Some("the time was over before the paced check".to_owned()) };
    if within <= exceeded {
        return Some(format!("it exceeded its limits in {exceeded} of {} paced trials", within + exceeded));
    }
    (gain.estimate <= 1.0).then(|| "at its pace it was not less busy than today's".to_owned())
}

/// Mean of logarithms with its 95 % interval by Student's t; a single one alone tells nothing of its error.
pub fn around(logs: &[f64]) -> Option<Interval> {
    let count = logs.len() as f64;
    if logs.len() < 2 {
        return logs.first().map(|log| Interval { estimate: log.exp(), lower: 0.0, upper: f64::MAX });
    }
    let mean = mean(logs);
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let residual = Residual { deviation: variance.sqrt(), freedom: count - 1.0, rounds: logs.len() };
    Some(residual.around(mean, (variance / count).sqrt(), 1))
}

fn mean(logs: &[f64]) -> f64 {
    logs.iter().sum::<f64>() / logs.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_reports::stats::random::SplitMix64;

    /// Rounds of arms with these gains, on a host that becomes ever slower.
    fn duel(gains: &[f64], deviation: f64, rounds: usize, seed: u64) -> Duel {
        let mut random = SplitMix64::new(seed);
        let mut duel = Duel::new(gains.len() - 1, vec![4]);
        for round in 0..rounds {
            let drift = -0.2 * round as f64;
            duel.take(gains.iter().map(|gain| Some(gain.ln() + drift + deviation * random.normal())).collect());
        }
        duel
    }

    #[test]
    fn a_gain_is_told_on_a_host_that_drifts() {
        let duel = duel(&[1.0, 1.1, 1.02], 0.005, 4, 1);
        let (best, gain) = duel.best().unwrap();
        assert_eq!((best, duel.look()), (1, Look::Told));
        assert!(gain.contains(1.1) && gain.lower > 1.05, "{gain:?}");
        assert!(duel.value(0).unwrap().width() > 0.3, "the drift is in the value of one arm alone");
    }

    #[test]
    fn challengers_that_gain_nothing_are_futile() {
        assert_eq!(duel(&[1.0, 0.95, 0.96], 0.003, 4, 2).look(), Look::Futile);
        assert_eq!(duel(&[1.0, 0.95, 1.0], 0.02, 4, 2).look(), Look::Open, "one may still gain");
    }

    #[test]
    fn nothing_is_told_before_its_look_or_while_it_is_too_wide() {
        assert_eq!(duel(&[1.0, 2.0], 1e-4, 3, 3).look(), Look::Open);
        assert_eq!(duel(&[1.0, 2.0], 1e-4, 4, 3).look(), Look::Told);
        let mut wide = Duel::new(1, vec![4]);
        [0.1, 0.14, 0.18, 0.22].into_iter().for_each(|log| wide.take(vec![Some(0.0), Some(log)]));
        let (_, gain) = wide.best().unwrap();
        assert!(is_told(&gain) && gain.width() > WIDTH, "{gain:?}");
        assert_eq!(wide.look(), Look::Open);
    }

    #[test]
    fn arms_are_paired_by_round_also_when_one_missed_some() {
        let mut duel = Duel::new(1, vec![5]);
        // Both drift by a factor of four; a round without an answer must not shift the pairs.
        duel.take(vec![Some(1.0), Some(1.1)]);
        duel.take(vec![None, Some(1.6)]);
        duel.take(vec![Some(2.0), Some(2.101)]);
        duel.take(vec![Some(2.4), None]);
        duel.take(vec![Some(3.0), Some(3.099)]);
        let gain = duel.gain(1).unwrap();
        assert_eq!(duel.complete(), 3);
        assert!((gain.estimate.ln() - 0.1).abs() < 0.001 && gain.width() < 0.02, "{gain:?}");
    }

    #[test]
    fn an_arm_that_left_is_compared_no_more_and_the_others_are() {
        let mut duel = duel(&[1.0, 1.1, 1.2], 0.005, 2, 4);
        duel.take(vec![Some(0.0), Some(0.1), None]);
        duel.leave_out(2);
        assert_eq!((duel.gain(2), duel.complete()), (None, 3));
        assert_eq!(duel.best().unwrap().0, 1);
        duel.leave_out(0);
        assert_eq!(duel.best(), None);
    }

    #[test]
    fn two_challengers_need_more_than_one() {
        let both = duel(&[1.0, 1.05, 1.05], 0.02, 6, 5);
        let mut one = both.clone();
        one.rounds.iter_mut().for_each(|round| round.truncate(2));
        one.out.truncate(2);
        let reach = |duel: &Duel| {
            let arms = duel.out.len();
            let table = Table { levels: vec![Vec::new(); arms], logs: (0..arms).map(|arm| duel.logs(arm)).collect() };
            let gain = duel.gain(1).unwrap();
            (gain.upper / gain.estimate).ln() / table.residual().unwrap().deviation
        };
        // t of 97.5 % with 5 degrees of freedom, and of 98.75 % with 10, times the root of 2 / 6.
        assert!((reach(&one) - 2.571 * 0.57735).abs() < 1e-3, "{}", reach(&one));
        assert!((reach(&both) - 2.634 * 0.57735).abs() < 1e-3, "{}", reach(&both));
    }

    #[test]
    fn looks_share_the_doubt() {
        assert_eq!((looks(3), looks(6), looks(12)), (vec![3], vec![3, 6], vec![3, 5, 8, 12]));
        let once = duel(&[1.0, 1.1], 0.01, 4, 7);
        let often = Duel { looks: vec![2, 3, 4], ..once.clone() };
        assert!(often.gain(1).unwrap().width() > 1.3 * once.gain(1).unwrap().width());
    }

    #[test]
    fn one_round_alone_tells_nothing() {
        assert_eq!(duel(&[1.0, 2.0], 0.0, 1, 6).gain(1), None);
        assert_eq!(around(&[]), None);
        assert!(around(&[0.7]).unwrap().lower <= 0.0);
    }
}
