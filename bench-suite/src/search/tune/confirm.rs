//! Confirmation: the best settings against today's, paced, in fresh processes, in turns, so that a host that drifts favours none.

use super::rank::Ranking;
use super::{Task, more_is_better};
use crate::failure::Failure;
use crate::search::goal::Aim;
use crate::search::grid::Cell;
use crate::search::laboratory::{Laboratory, concerns_the_trial, paced_ns};
use crate::search::rate::{Next, Options, RateSearch};
use crate::search::threshold;
use crate::settings::TrialSettings;
use downbeat_reports::capacity::CostModel;
use downbeat_reports::figures::{Figures, Outcome};
use downbeat_reports::quantity::rate;
use downbeat_reports::search::tune::{Arm, TuneRecord};
use downbeat_reports::search::{Interval, Rung, Tried};
use downbeat_reports::stats::effects::Residual;
use downbeat_reports::stats::random::SplitMix64;
use std::collections::BTreeMap;

/// Candidates beside today's setting.
const CANDIDATES: usize = 3;

/// Second and third candidates that are believed to gain less than this are not worth their trials.
const WORTH: f64 = 0.01;

/// Draining predicts the paced rate within about this, once the share below is taken off.
const SPREAD: f64 = 0.1;

/// Paced batches meet pauses and the sender's share of the cores, which drained ones do not.
const PACED_SHARE: f64 = 0.85;

/// Trials that each setting should get in the time that is left, for choosing their length.
const TRIALS_WANTED: u64 = 7;

/// Judged batches of a trial, at least and at most, when the user did not say.
const BATCHES_LEAST: u64 = 20;
const BATCHES_MOST: u64 = 100;

/// Trials of an arm before it may be dropped, or recommended.
const TRIALS_LEAST: usize = 4;

/// Rounds of a goal at a rate, at most.
const ROUNDS_MOST: usize = 9;

/// Trials of an arm that may say nothing before it is given up.
const SPOILED_MOST: usize = 3;

/// Enough is known when the gain's interval is this narrow.
const GAIN_WIDTH: f64 = 0.04;

/// One setting in the race.
struct Runner {
    name: String,
    cell: Option<Cell>,
    settings: TrialSettings,
    search: RateSearch,
    /// Latencies of the goal by round, for goals at a rate.
    latencies: Vec<Option<f64>>,
    within: u64,
    exceeded: u64,
    spoiled: usize,
    trials: u64,
    model: Option<CostModel>,
    given_up: Option<String>,
}

/// The race.
pub(super) struct Confirmation<'t> {
    task: &'t Task<'t>,
    runners: Vec<Runner>,
    batches: u64,
    random: SplitMix64,
}

impl<'t> Confirmation<'t> {
    /// Today's setting, and the candidates of a ranking.
    ///
    /// # Errors
    /// Nothing was ranked.
    pub(super) fn new(task: &'t Task<'t>, ranking: &Ranking<'_>) -> Result<Self, Failure> {
        let today = task.grid.base_cell();
        let candidates = candidates(task, ranking, today.as_ref());
        if candidates.is_empty() && ranking.by_belief().is_empty() {
            return Err(Failure::new(
                downbeat_reports::exit::Exit::BudgetSpent,
                "the time was over before anything was ranked",
            )
            .help("give it longer with --max-time"));
        }
        let mut confirmation = Confirmation {
            task,
            runners: Vec::new(),
            batches: task.batches.unwrap_or(BATCHES_MOST),
            random: SplitMix64::new(task.seed ^ 0x636f_6e66),
        };
        confirmation.enter("today".to_owned(), today, task.today.clone(), ranking);
        for (number, cell) in candidates.into_iter().enumerate() {
            let settings = task.grid.settings(&cell);
            confirmation.enter(format!("candidate {}", number + 1), Some(cell), settings, ranking);
        }
        Ok(confirmation)
    }

    fn enter(&mut self, name: String, cell: Option<Cell>, settings: TrialSettings, ranking: &Ranking<'_>) {
        let model = cell.as_ref().and_then(|cell| ranking.model(cell));
        let interval_ns = settings.engine.interval_ns;
        let share = self.task.goal.share_of_interval(interval_ns).max(0.05);
        let guess =
            model.map(|model| PACED_SHARE * model.rate_per_s(interval_ns as f64, share)).filter(|rate| *rate > 1.0);
        let options = Options {
            resolution: 0.01,
            width: 0.03,
            short_batches: self.batches,
            long_batches: self.batches,
            most_per_s: 1e12,
            seed: self.task.seed ^ self.runners.len() as u64,
        };
        let spread = if guess.is_some() { SPREAD } else { 1.0 };
        self.runners.push(Runner {
            name,
            cell,
            search: RateSearch::decisive(options, guess.unwrap_or(settings.load.rate_per_s), spread),
            settings,
            latencies: Vec::new(),
            within: 0,
            exceeded: 0,
            spoiled: 0,
            trials: 0,
            model,
            given_up: None,
        });
    }

    /// Runs rounds until enough is known or the time is over.
    ///
    /// # Errors
    /// An interruption, or something that concerns more than one trial.
    pub(super) fn run(&mut self, laboratory: &mut Laboratory) -> Result<(), Failure> {
        self.choose_length(laboratory);
        let mut round = 0;
        while self.wants_more(round) {
            let mut order: Vec<usize> =
                (0..self.runners.len()).filter(|index| self.runners[*index].given_up.is_none()).collect();
            self.random.shuffle(&mut order);
            for index in order {
                if !laboratory.has_time_for(self.trial_ns(index)) {
                    return Ok(());
                }
                self.trial(laboratory, index, round)?;
            }
            round += 1;
            self.drop_the_beaten();
        }
        Ok(())
    }

    /// Trials as long as the time allows for enough of them.
    fn choose_length(&mut self, laboratory: &Laboratory) {
        if self.task.batches.is_some() {
            return;
        }
        let Some(left_ns) = laboratory.left_ns() else { return };
        let each_ns = left_ns / (TRIALS_WANTED * self.runners.len() as u64).max(1);
        let settings = &self.task.today;
        let besides_ns = paced_ns(settings, 0, self.task.fill_batches(settings), 0.9);
        let batches = each_ns.saturating_sub(besides_ns) / settings.engine.interval_ns;
        self.batches = batches.clamp(BATCHES_LEAST, BATCHES_MOST);
    }

    fn trial_ns(&self, index: usize) -> u64 {
        let settings = &self.runners[index].settings;
        paced_ns(settings, self.batches, self.task.fill_batches(settings), 1.0)
    }

    fn wants_more(&mut self, round: usize) -> bool {
        if !matches!(self.task.goal.aim, Aim::MaxRate) {
            return round < ROUNDS_MOST && self.runners.iter().any(|runner| runner.given_up.is_none());
        }
        let is_known = round >= TRIALS_LEAST
            && match (self.best(), self.gain()) {
                (Some(0), _) => self.runners[0].search.interval().width() <= GAIN_WIDTH,
                (_, Some(gain)) => gain.width() <= GAIN_WIDTH,
                _ => false,
            };
        !is_known
            && self
                .runners
                .iter_mut()
                .any(|runner| runner.given_up.is_none() && matches!(runner.search.next_step(), Next::Trial { .. }))
    }

    fn trial(&mut self, laboratory: &mut Laboratory, index: usize, round: usize) -> Result<(), Failure> {
        let at_rate = self.task.goal.rate_per_s();
        let batches = self.batches;
        let runner = &mut self.runners[index];
        let asked = match (at_rate, runner.search.next_step()) {
            (Some(rate_per_s), _) => Some(rate_per_s),
            (None, Next::Trial { rate_per_s, .. }) => Some(rate_per_s),
            (None, Next::Stop(_)) => None,
        };
        let Some(rate_per_s) = asked else { return Ok(()) };
        let mut settings = runner.settings.clone();
        settings.load.rate_per_s = rate_per_s;
        let name = format!("paced-{}-{:02}", runner.name.replace(' ', "-"), round + 1);
        let paced = match laboratory.paced(&settings, batches, &name) {
            Ok(paced) => paced,
            Err(failure) if concerns_the_trial(&failure) => {
                laboratory.say(&format!("paced    {:<12} failed: {}", runner.name, failure.message));
                runner.spoil(failure.message);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        runner.trials += 1;
        let outcome = paced.outcome(&self.task.goal.limits);
        let shown = match &outcome {
            Outcome::Within => "within".to_owned(),
            Outcome::Exceeds(why) => format!("exceeds: {why}"),
            Outcome::Disturbed(why) => format!("exceeds, while the host paused: {why}"),
            Outcome::Spoiled(why) => format!("says nothing: {why}"),
            Outcome::Broken(why) => format!("BROKEN: {why}"),
        };
        laboratory.say(&format!("paced    {:<12} {:>16}  {shown}", runner.name, rate(rate_per_s)));
        match outcome {
            Outcome::Within => runner.take(rate_per_s, &paced.figures, false, self.task.goal.aim),
            Outcome::Exceeds(_) | Outcome::Disturbed(_) => {
                runner.take(rate_per_s, &paced.figures, true, self.task.goal.aim)
            }
            Outcome::Spoiled(why) => runner.spoil(why),
            Outcome::Broken(why) => runner.given_up = Some(why),
        }
        Ok(())
    }

    /// Candidates that are surely worse than another one run no more. Today's setting stays: everything is compared with it.
    fn drop_the_beaten(&mut self) {
        let Some(best) = self.best().filter(|_| matches!(self.task.goal.aim, Aim::MaxRate)) else { return };
        let leader = self.runners[best].search.threshold().clone();
        for (index, runner) in self.runners.iter_mut().enumerate() {
            let has_run = runner.search.tried().len() >= TRIALS_LEAST;
            if index == 0 || index == best || runner.given_up.is_some() || !has_run {
                continue;
            }
            if threshold::ratio(&leader, runner.search.threshold()).lower > 1.0 {
                runner.given_up = Some("beaten by another candidate".to_owned());
            }
        }
    }

    /// The arm that serves the goal best by its median; today's when there is no other.
    fn best(&self) -> Option<usize> {
        let merit = |index: &usize| self.runners[*index].merit(self.task.goal.aim);
        let running = (0..self.runners.len()).filter(|index| self.runners[*index].is_eligible(self.task.goal.aim));
        running
            .filter(|index| merit(index).is_some())
            .max_by(|one, other| merit(one).unwrap_or(0.0).total_cmp(&merit(other).unwrap_or(0.0)))
    }

    /// How many times as good as today's the best arm is.
    fn gain(&self) -> Option<Interval> {
        let best = self.best()?;
        let (today, best) = (&self.runners[0], &self.runners[best]);
        match self.task.goal.aim {
            Aim::MaxRate => {
                let has_run = today.search.tried().len().min(best.search.tried().len()) >= 2;
                has_run.then(|| threshold::ratio(best.search.threshold(), today.search.threshold()))
            }
            Aim::MinLatency { .. } => paired(&today.latencies, &best.latencies),
            Aim::MinThreads { .. } => {
                let saved = today.threads() / best.threads();
                Some(Interval { estimate: saved, lower: saved, upper: saved })
            }
        }
    }

    /// Fills arms, recommendation and gain into the record.
    pub(super) fn tell(&self, record: &mut TuneRecord) {
        let today = self.task.today.values();
        record.arms = self.runners.iter().map(|runner| runner.arm(&today, self.task.goal.aim)).collect();
        let tried = |runner: &Runner| runner.within + runner.exceeded;
        if tried(&self.runners[0]) == 0 && !matches!(self.task.goal.aim, Aim::MinThreads { .. }) {
            return;
        }
        let Some(best) = self.best() else { return };
        let gain = self.gain();
        let is_told = gain.is_some_and(|gain| gain.lower > 1.0);
        // Settings that hold beat one that does not, whatever the figures.
        let today_fails = self.task.goal.rate_per_s().is_some() && !self.runners[0].holds();
        let is_better = best != 0 && tried(&self.runners[best]) >= 2 && (is_told || today_fails);
        if best != 0 && !is_better && self.runners[0].is_eligible(self.task.goal.aim) {
            record.recommended = Some(0);
            return;
        }
        (record.recommended, record.gain) = (Some(best), gain.filter(|_| best != 0));
    }
}

impl Runner {
    fn spoil(&mut self, why: String) {
        self.spoiled += 1;
        if self.spoiled > SPOILED_MOST {
            self.given_up = Some(why);
        }
    }

    fn take(&mut self, rate_per_s: f64, figures: &Figures, exceeds: bool, aim: Aim) {
        *(if exceeds { &mut self.exceeded } else { &mut self.within }) += 1;
        let latency = match aim {
            Aim::MinLatency { quantile, .. } => figures.latency_ns(quantile).map(|ns| ns as f64),
            _ => None,
        };
        self.latencies.push(latency);
        let (judged, late) = (figures.judged, figures.late);
        self.search.observe(Tried { rate_per_s, decisive: true, exceeds, judged, late });
    }

    fn holds(&self) -> bool {
        self.within > self.exceeded
    }

    fn is_eligible(&self, aim: Aim) -> bool {
        let has_run = self.within + self.exceeded > 0;
        has_run && self.given_up.is_none() && (matches!(aim, Aim::MaxRate) || self.holds())
    }

    fn threads(&self) -> f64 {
        self.settings.engine.effective_threads() as f64
    }

    fn merit(&self, aim: Aim) -> Option<f64> {
        match aim {
            Aim::MaxRate => Some(self.search.interval().estimate),
            Aim::MinLatency { .. } => Some(1.0 / mean_log(&self.latencies)?.exp()),
            // Among equal numbers of threads the one that was within its limits more often.
            Aim::MinThreads { .. } => {
                Some(1.0 / self.threads() + 1e-3 * self.within as f64 / (self.within + self.exceeded) as f64)
            }
        }
    }

    fn arm(&self, today: &BTreeMap<String, String>, aim: Aim) -> Arm {
        let values = self.settings.values();
        let value = match aim {
            Aim::MaxRate => (self.within + self.exceeded > 0).then(|| self.search.interval()),
            Aim::MinLatency { .. } => alone(&self.latencies),
            Aim::MinThreads { .. } => {
                Some(Interval { estimate: self.threads(), lower: self.threads(), upper: self.threads() })
            }
        };
        let changed = self.cell.as_ref().map_or_else(BTreeMap::new, |_| {
            values.into_iter().filter(|(knob, value)| today.get(knob) != Some(value)).collect()
        });
        let rungs: Vec<Rung> = self.search.rungs();
        let at_rate = !more_is_better(aim);
        Arm {
            name: self.name.clone(),
            changes: changed,
            value,
            trials: self.trials,
            rungs,
            holds: (at_rate && self.within + self.exceeded > 0).then(|| self.holds()),
            model: self.model,
            given_up: self.given_up.clone(),
        }
    }
}

/// The settings that are worth a confirmation: the best three beliefs, without changes that bring nothing; for the least threads, the
/// best setting of each number of threads that may hold the rate, and of the next lower one.
fn candidates(task: &Task<'_>, ranking: &Ranking<'_>, today: Option<&Cell>) -> Vec<Cell> {
    let mut chosen: Vec<Cell> = Vec::new();
    let believed_today = today.and_then(|cell| ranking.belief(cell));
    for cell in ranking.by_belief() {
        let simple = ranking.without_needless_changes(&cell);
        let is_new = !chosen.contains(&simple) && Some(&simple) != today;
        let is_wanted = match task.goal.aim {
            Aim::MinThreads { rate_per_s } => {
                let threads = |cell: &Cell| task.grid.settings(cell).engine.effective_threads();
                let can = ranking.model(&simple).is_none_or(|model| {
                    let interval_ns = task.grid.settings(&simple).engine.interval_ns;
                    model.rate_per_s(interval_ns as f64, task.goal.share_of_interval(interval_ns)) >= 0.8 * rate_per_s
                });
                can && chosen.iter().all(|other| threads(other) != threads(&simple))
            }
            // What promises next to nothing takes time from what promises more; one is tried in any case.
            Aim::MaxRate | Aim::MinLatency { .. } => {
                let promise =
                    ranking.belief(&simple).zip(believed_today).map_or(f64::MAX, |(belief, today)| belief - today);
                chosen.is_empty() || promise >= WORTH
            }
        };
        if is_new && is_wanted {
            chosen.push(simple);
        }
        if chosen.len() == CANDIDATES && !matches!(task.goal.aim, Aim::MinThreads { .. }) {
            break;
        }
    }
    if let Aim::MinThreads { .. } = task.goal.aim {
        chosen.sort_by_key(|cell| task.grid.settings(cell).engine.effective_threads());
        chosen.truncate(CANDIDATES);
    }
    chosen
}

fn mean_log(values: &[Option<f64>]) -> Option<f64> {
    let logs: Vec<f64> = values.iter().flatten().map(|value| value.ln()).collect();
    (!logs.is_empty()).then(|| logs.iter().sum::<f64>() / logs.len() as f64)
}

/// Mean of logarithms with its 95 % interval by Student's t.
fn around(logs: &[f64]) -> Option<Interval> {
    let count = logs.len() as f64;
    if logs.len() < 2 {
        return logs.first().map(|log| Interval { estimate: log.exp(), lower: 0.0, upper: f64::MAX });
    }
    let mean = logs.iter().sum::<f64>() / count;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let residual = Residual { deviation: variance.sqrt(), freedom: count - 1.0, rounds: logs.len() };
    Some(residual.around(mean, (variance / count).sqrt(), 1))
}

fn alone(values: &[Option<f64>]) -> Option<Interval> {
    around(&values.iter().flatten().map(|value| value.ln()).collect::<Vec<_>>())
}

/// How many times the first is the second, by rounds that both have.
fn paired(first: &[Option<f64>], second: &[Option<f64>]) -> Option<Interval> {
    let ratios = first.iter().zip(second).filter_map(|(first, second)| Some(((*first)? / (*second)?).ln()));
    around(&ratios.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paired_rounds_take_the_drift_out() {
        // Both drift by a factor of three, and the second always takes 0.8 of the first.
        let first = [Some(100.0), Some(200.0), Some(300.0)];
        let second = [Some(80.0), Some(161.0), Some(239.0)];
        let gain = paired(&first, &second).unwrap();
        assert!((gain.estimate - 1.25).abs() < 0.01 && gain.lower > 1.2 && gain.upper < 1.3, "{gain:?}");
        assert!(alone(&first).unwrap().width() > 1.0);
    }

    #[test]
    fn one_round_alone_tells_nothing() {
        let gain = paired(&[Some(100.0)], &[Some(50.0)]).unwrap();
        assert!(gain.lower <= 1.0, "{gain:?}");
        assert_eq!(paired(&[None], &[Some(1.0)]), None);
    }
}
