//! `downbeat max`: the highest rate that holds, with its interval.

use super::goal::share_of_interval;
use super::laboratory::{Laboratory, PACED_SHARE, Paced, Plan, concerns_the_trial, paced_ns};
use super::rate::{Next, Options, RateSearch};
use crate::ceiling::{self, Ceilings};
use crate::failure::Failure;
use crate::load::Load;
use crate::machine;
use crate::request::SearchRequest;
use crate::run::{Outcome, command_line, result_directory, run_name};
use crate::settings::TrialSettings;
use crate::signals::Signals;
use downbeat_reports::capacity::CapacityRecord;
use downbeat_reports::exit::Exit;
use downbeat_reports::figures::{self, Figures};
use downbeat_reports::format::html;
use downbeat_reports::limit::{Limit, Metric};
use downbeat_reports::quantity::{duration, percent, rate, rate_flag};
use downbeat_reports::search::found::Found;
use downbeat_reports::search::max::{KneePoint, MaxRecord, Repeat, SCHEMA, Sustained};
use downbeat_reports::search::{Stop, Tried};
use downbeat_reports::stats::percentiles::median;
use downbeat_reports::stats::random::SplitMix64;
use downbeat_reports::store::RunDirectory;
use downbeat_workloads::catalog::Job;
use std::ffi::OsString;

/// Judged batches of a short trial: as few as a verdict takes.
const SHORT_BATCHES: u64 = 20;

/// How long the backlog is drained for the first guess, nanoseconds.
const GUESS_NS: u64 = 1_000_000_000;

/// The guess from draining is this sure; one from the user, or none, is not.
const SURE: f64 = 0.2;
const UNSURE: f64 = 1.0;

/// The next run is to be at this share of the lower end of what holds.
const NEXT_SHARE: f64 = 0.8;

/// Settings that a search has from its own purpose, or sets itself.
const NOT_OF_A_RUN: [&str; 2] = ["rate", "max_time"];

/// Why searches end, the reason that says most against the result last.
const WORST_LAST: [Stop; 6] =
    [Stop::Narrow, Stop::AtTheMost, Stop::TooNoisy, Stop::SaidNothing, Stop::BudgetSpent, Stop::Interrupted];

/// So often a trial is repeated that says nothing.
const REPEATS: usize = 3;

/// Searches for the highest rate that holds.
///
/// # Errors
/// Before anything is written: what is wrong with the request (exit 2) or the surroundings (exit 7).
pub(crate) fn run(request: &SearchRequest, arguments: &[OsString], jobs: &[&dyn Job]) -> Result<Outcome, Failure> {
    let job = crate::jobs::find(jobs, &request.workload)?;
    let settings = &request.resolved.settings;
    super::refuse_tcp(&request.source)?;
    Load::check(settings, job)?;
    refuse_impossible(request)?;
    let options = options(request);
    if request.output.dry_run {
        return Ok(Outcome::shown(describe(request, job, &options)));
    }
    let signals = Signals::catch()?;
    let ceiling_per_s = Ceilings::default().per_s(job, settings, &request.source);
    if request.resolved.is_given("rate") {
        ceiling::check(&settings.load, ceiling_per_s)?;
    }
    let run = run_name();
    let directory = result_directory(request.output.out.as_deref(), &run)?;
    let plan = Plan {
        workload: &request.workload,
        source: request.source.clone(),
        resolved: &request.resolved,
        directory: directory.path(),
        ceiling_per_s,
        quiet: request.output.quiet,
    };
    let seed_is_given = request.resolved.is_given("seed");
    let record = MaxRecord {
        schema: SCHEMA,
        run,
        command: command_line::reproducing(arguments.iter().cloned(), settings.load.seed, seed_is_given),
        workload: request.workload.clone(),
        settings: settings.values(),
        interval_ns: settings.engine.interval_ns,
        limits: request.limits.iter().map(Limit::to_string).collect(),
        resolution: options.resolution,
        ceiling_per_s,
        environment: machine::fingerprint(),
        ..MaxRecord::default()
    };
    let fill_batches = job.prime_batches(&settings.load, settings.engine.interval_ns);
    let laboratory = Laboratory::open(&plan, signals)?;
    let mut climb = Climb { request, settings, options, fill_batches, laboratory, record, points: Vec::new() };
    let failure = climb.search().err();
    climb.finish(&directory, failure)
}

fn options(request: &SearchRequest) -> Options {
    let settings = &request.resolved.settings;
    let long = super::long_batches(&request.resolved);
    Options {
        resolution: request.resolution,
        width: request.width,
        short_batches: SHORT_BATCHES.min(long),
        long_batches: long,
        most_per_s: f64::INFINITY,
        seed: settings.load.seed,
    }
}

fn describe(request: &SearchRequest, job: &dyn Job, options: &Options) -> String {
    let settings = &request.resolved.settings;
    let fill_batches = job.prime_batches(&settings.load, settings.engine.interval_ns);
    let of = |batches| duration(paced_ns(settings, batches, fill_batches, 1.0));
    let budget =
        settings.run.max_time_ns.map_or("no limit of time".to_owned(), |ns| format!("{} at most", duration(ns)));
    let limits: Vec<String> = request.limits.iter().map(Limit::to_string).collect();
    let searches = match request.searches {
        1 => String::new(),
        searches => format!("\n         {searches} such searches, their trials in turns"),
    };
    format!(
        "plan     max {}: 1 unpaced trial for a first guess, then 3 to 14 short trials of about {} each,\n         \
         then 6 to 60 decisive ones of about {} each, until the 95 % interval is within {}; {budget}{searches}\n\
         limit    {}; nothing shed, sender not blocked, no growing delay\n",
        request.workload,
        of(options.short_batches),
        of(options.long_batches),
        percent(options.width),
        limits.join(", "),
    )
}

/// A search with a directory to write to.
struct Climb<'r> {
    request: &'r SearchRequest,
    settings: &'r TrialSettings,
    options: Options,
    fill_batches: u64,
    laboratory: Laboratory,
    record: MaxRecord,
    points: Vec<(f64, bool, Figures)>,
}

/// One of the searches that take turns.
struct Turn {
    search: RateSearch,
    /// Of its order of rungs, and of the text of its trials.
    seed: u64,
    /// What the names of its trials begin with.
    prefix: String,
    stop: Option<Stop>,
}

impl Climb<'_> {
    fn search(&mut self) -> Result<(), Failure> {
        let mut turns = Vec::new();
        for number in 0..self.request.searches {
            turns.push(self.begin(number)?);
        }
        let ended = self.in_turns(&mut turns);
        self.conclude(&turns);
        ended
    }

    fn begin(&mut self, number: u64) -> Result<Turn, Failure> {
        let seed = self.options.seed.wrapping_add(number);
        let prefix = if self.request.searches > 1 { format!("search-{}-", number + 1) } else { String::new() };
        let (guess_per_s, spread) = self.guess(seed, &prefix)?;
        let options = Options { most_per_s: self.laboratory.most_per_s(&self.settings.load), seed, ..self.options };
        Ok(Turn { search: RateSearch::new(options, guess_per_s, spread), seed, prefix, stop: None })
    }

    /// A trial of each search that is not at its end, in an order of its own, until all are.
    fn in_turns(&mut self, turns: &mut [Turn]) -> Result<(), Failure> {
        let mut random = SplitMix64::new(self.options.seed ^ 0x7475_726e);
        loop {
            let mut open: Vec<usize> = (0..turns.len()).filter(|turn| turns[*turn].stop.is_none()).collect();
            if open.is_empty() {
                return Ok(());
            }
            random.shuffle(&mut open);
            for turn in open {
                turns[turn].stop = self.step(&mut turns[turn])?;
            }
        }
    }

    /// Where to begin: the rate that the user gave, or what draining a backlog predicts.
    fn guess(&mut self, seed: u64, prefix: &str) -> Result<(f64, f64), Failure> {
        let mut settings = self.settings.clone();
        settings.load.seed = seed;
        let given = self.request.resolved.is_given("rate").then_some((self.settings.load.rate_per_s, UNSURE));
        let drained = match self.laboratory.capacity(&settings, GUESS_NS, &format!("{prefix}capacity")) {
            Ok(drained) => drained,
            Err(failure) if concerns_the_trial(&failure) => {
                self.laboratory.say(&format!("no guess from draining: {}", failure.message));
                return Ok(given.unwrap_or((self.settings.load.rate_per_s, UNSURE)));
            }
            Err(failure) => return Err(failure),
        };
        self.record.model = drained.model();
        // Of a user's own file the trial's process finds it out.
        self.record.ceiling_per_s = self.record.ceiling_per_s.or(drained.ceiling_per_s);
        let drained = predicted_per_s(&drained, &self.request.limits).map(|rate_per_s| (rate_per_s, SURE));
        Ok(given.or(drained).unwrap_or((self.settings.load.rate_per_s, UNSURE)))
    }

    /// The next trial of a search; why it ends when there is none.
    fn step(&mut self, turn: &mut Turn) -> Result<Option<Stop>, Failure> {
        let asked = turn.search.next_step();
        let batches = match asked {
            Next::Stop(stop) => return Ok(Some(stop)),
            Next::Trial { batches, .. } => batches,
        };
        if !self.laboratory.has_time_for(paced_ns(self.settings, batches, self.fill_batches, 1.0)) {
            return Ok(Some(Stop::BudgetSpent));
        }
        let tried = match self.trial(turn, asked) {
            Ok(Some(tried)) => tried,
            Ok(None) => return Ok(Some(Stop::SaidNothing)),
            Err(failure) if self.laboratory.interrupted().is_some() => {
                self.laboratory.say(&failure.message);
                return Ok(Some(Stop::Interrupted));
            }
            Err(failure) => return Err(failure),
        };
        turn.search.observe(tried);
        let known = turn.search.interval();
        let (lower, upper) = (rate(known.lower), rate(known.upper));
        self.laboratory.say(&format!("         between {lower} and {upper}"));
        Ok(None)
    }

    /// One trial, repeated while it says nothing; `None` when it never says anything. Why is in the record then.
    fn trial(&mut self, turn: &Turn, asked: Next) -> Result<Option<Tried>, Failure> {
        let Next::Trial { rate_per_s, batches, decisive } = asked else {
            return Err(Failure::internal("a search that ended asked for a trial"));
        };
        let number = turn.search.tried().len() + 1;
        let mut settings = self.settings.clone();
        (settings.load.rate_per_s, settings.load.seed) = (rate_per_s, turn.seed);
        for repeat in 0..=REPEATS {
            let name = format!("{}{number:03}{}", turn.prefix, ["", "-again", "-again-2", "-again-3"][repeat]);
            let paced = match self.laboratory.paced(&settings, batches, &name) {
                Ok(paced) => paced,
                // It died or hung: its evidence stays, and another process is another chance.
                Err(failure) if concerns_the_trial(&failure) => {
                    self.record.spoiled.push(format!("trial {name} at {}: {}", rate(rate_per_s), failure.one_line()));
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let outcome = paced.outcome(&self.request.limits);
            let kind = if decisive { "decisive" } else { "short" };
            let shown = |word: &str, why: &str| {
                format!("trial {:>3}  {kind:<8} {:>14}  {word}{why}", number_of(turn), rate(rate_per_s))
            };
            match outcome {
                figures::Outcome::Within => {
                    self.laboratory.say(&shown("within", ""));
                    return Ok(Some(self.tried(paced, rate_per_s, decisive)));
                }
                figures::Outcome::Disturbed(why) if repeat == 0 => {
                    self.laboratory.say(&shown("disturbed, again: ", &why));
                    self.record
                        .spoiled
                        .push(format!("trial {name} at {}: {why}, while the host paused", rate(rate_per_s)));
                }
                figures::Outcome::Exceeds(why) | figures::Outcome::Disturbed(why) => {
                    self.laboratory.say(&shown("exceeds: ", &why));
                    return Ok(Some(self.tried(paced, rate_per_s, decisive)));
                }
                figures::Outcome::Spoiled(why) => {
                    self.laboratory.say(&shown("says nothing: ", &why));
                    self.record.spoiled.push(format!("trial {name} at {}: {why}", rate(rate_per_s)));
                }
                figures::Outcome::Broken(why) => return Err(Failure::new(Exit::Broken, why).help(self.evidence(&name))),
            }
        }
        Ok(None)
    }

    fn evidence(&self, name: &str) -> String {
        format!("evidence: trials/{name}.json in the result directory; downbeat report shows it")
    }

    fn tried(&mut self, paced: Paced, rate_per_s: f64, decisive: bool) -> Tried {
        let tried = Tried::of(&paced.figures, &self.request.limits, rate_per_s, decisive);
        self.points.push((rate_per_s, tried.exceeds, paced.figures));
        tried
    }

    fn conclude(&mut self, turns: &[Turn]) {
        let record = &mut self.record;
        let stop_of = |turn: &Turn| turn.stop.unwrap_or(Stop::Interrupted);
        record.stop = turns.iter().map(stop_of).max_by_key(|stop| WORST_LAST.iter().position(|known| known == stop));
        record.tried = turns.iter().flat_map(|turn| turn.search.tried().iter().copied()).collect();
        record.knee = knee(&self.points);
        record.elapsed_ns = self.laboratory.elapsed_ns();
        let Some(first) = turns.first() else { return };
        (record.holds, record.falls_behind) = first.search.bracket();
        record.max = sustained(&first.search, stop_of(first));
        let is_known = record.max.is_some() || first.search.tried().is_empty();
        record.so_far = (!is_known).then(|| Sustained::from(first.search.interval()));
        record.next = record.max.map(|max| next_command(self.request, max.lower));
        if turns.len() > 1 {
            record.repeats = turns
                .iter()
                .map(|turn| Repeat {
                    seed: turn.seed,
                    max: sustained(&turn.search, stop_of(turn)),
                    trials: turn.search.tried().len() as u64,
                    stop: stop_of(turn),
                })
                .collect();
        }
    }

    fn finish(self, directory: &RunDirectory, failure: Option<Failure>) -> Result<Outcome, Failure> {
        let record = &self.record;
        let json = super::json(record)?;
        directory.write("max.json", json.as_bytes())?;
        directory.write("report.html", html::search(&Found::Max(record.clone())).as_bytes())?;
        let exit = match (&failure, record.stop, self.laboratory.interrupted()) {
            (_, _, Some(exit)) => exit,
            (Some(failure), _, _) => failure.exit(),
            (None, Some(Stop::BudgetSpent), _) => Exit::BudgetSpent,
            (None, Some(Stop::TooNoisy | Stop::SaidNothing), _) => Exit::NotJudged,
            _ => Exit::Ok,
        };
        let text = match self.request.output.json {
            true => json,
            false => super::with_report(record.render_human(), &directory.file("report.html")),
        };
        Ok(Outcome { text: text.into_bytes(), message: failure.map(|failure| format!("error: {failure}")), exit })
    }
}

/// The rate at which paced batches keep the limits, records per second, as draining predicts it.
fn predicted_per_s(drained: &CapacityRecord, limits: &[Limit]) -> Option<f64> {
    let share = share_of_interval(limits, drained.interval_ns);
    let per_s = PACED_SHARE * drained.model()?.rate_per_s(drained.interval_ns as f64, share);
    (per_s > 1.0).then_some(per_s)
}

/// A limit that the wait for the end of the interval breaks by itself.
fn refuse_impossible(request: &SearchRequest) -> Result<(), Failure> {
    let interval_ns = request.resolved.settings.engine.interval_ns;
    if share_of_interval(&request.limits, interval_ns) > 0.0 {
        return Ok(());
    }
    let limits: Vec<String> = request.limits.iter().map(Limit::to_string).collect();
    let message = format!(
        "no rate keeps {}: records wait for the end of their interval, and that alone takes longer",
        limits.join(", ")
    );
    Err(Failure::usage(message).help("allow more latency, or shorten the interval: --interval 20ms"))
}

/// The command that runs the setting a fifth below what holds, with what the user had asked for.
fn next_command(request: &SearchRequest, lower_per_s: f64) -> String {
    let resolved = &request.resolved;
    let mut words = vec!["downbeat".to_owned(), "run".to_owned(), request.workload.clone()];
    for (knob, value) in resolved.settings.values() {
        if resolved.is_given(&knob) && !NOT_OF_A_RUN.contains(&knob.as_str()) {
            words.extend([format!("--{}", knob.replace('_', "-")), value]);
        }
    }
    let late = request.limits.iter().find(|limit| limit.metric == Metric::Late && !resolved.is_given("late_limit"));
    if let Some(limit) = late {
        words.extend(["--late-limit".to_owned(), limit.to_string().replace("late<", "")]);
    }
    words.extend(["--rate".to_owned(), rate_flag(NEXT_SHARE * lower_per_s)]);
    words.extend(request.source.flags());
    command_line::quoted(&words)
}

/// The number of a search's next trial, behind that of the search when there are several.
fn number_of(turn: &Turn) -> String {
    let number = turn.search.tried().len() + 1;
    if turn.prefix.is_empty() { number.to_string() } else { format!("{}{number}", turn.prefix) }
}

/// What a search found. `None` before its first decisive trial.
fn sustained(search: &RateSearch, stop: Stop) -> Option<Sustained> {
    let most = search.tried().iter().map(|tried| tried.rate_per_s).reduce(f64::max);
    if let (Stop::AtTheMost, Some(most)) = (stop, most) {
        return Some(Sustained { rate_per_s: most, lower: most, upper: None });
    }
    search.tried().iter().any(|tried| tried.decisive).then(|| Sustained::from(search.interval()))
}

/// What happened at each rate, ascending.
fn knee(points: &[(f64, bool, Figures)]) -> Vec<KneePoint> {
    let mut rates: Vec<f64> = points.iter().map(|(rate_per_s, _, _)| *rate_per_s).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let at = |rate_per_s: f64| {
        let there: Vec<&(f64, bool, Figures)> = points.iter().filter(|point| point.0 == rate_per_s).collect();
        let middle = |of: &dyn Fn(&Figures) -> Option<f64>| {
            median(&there.iter().filter_map(|(_, _, figures)| of(figures)).collect::<Vec<_>>())
        };
        let latency = |quantile: f64| middle(&|figures| figures.latency_ns(quantile).map(|ns| ns as f64));
        let (late, judged) =
            there.iter().fold((0, 0), |(late, judged), (_, _, figures)| (late + figures.late, judged + figures.judged));
        KneePoint {
            rate_per_s,
            trials: there.len() as u64,
            exceeded: there.iter().filter(|(_, exceeds, _)| *exceeds).count() as u64,
            utilisation: middle(&|figures| Some(figures.utilisation)).unwrap_or(0.0),
            late_share: late as f64 / judged.max(1) as f64,
            p50_ns: latency(0.5).map(|ns| ns as u64),
            p99_ns: latency(0.99).map(|ns| ns as u64),
        }
    };
    rates.into_iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_reports::capacity::Drain;

    #[test]
    fn the_first_guess_takes_the_limits_share_and_that_of_paced_batches() {
        let drain = |records_per_batch: u64, processing_ns: u64| Drain {
            records_per_batch,
            processing_ns: vec![processing_ns; 3],
            ..Drain::default()
        };
        // F = 0, c = 100 ns: 10 million a second when drained.
        let drains = vec![drain(1_000_000, 100_000_000), drain(100_000, 10_000_000)];
        let drained = CapacityRecord { interval_ns: 200_000_000, drains, ..CapacityRecord::default() };
        let guess = |limits: &str| predicted_per_s(&drained, &Limit::parse_all(limits).unwrap());
        assert_eq!(guess("late<1%").map(f64::round), Some(8.5e6));
        assert_eq!(guess("utilisation<80%").map(f64::round), Some(6.8e6));
        assert_eq!(guess("p50<150ms,late<1%").map(f64::round), Some(2.125e6));
        assert_eq!(guess("p99<100ms"), None);
    }
}
