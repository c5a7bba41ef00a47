//! `downbeat max`: the highest rate that holds, with its interval.

use super::laboratory::{Laboratory, Paced, Plan, concerns_the_trial, paced_ns};
use super::rate::{Next, Options, RateSearch};
use crate::ceiling::{self, Ceilings};
use crate::cli::SearchRequest;
use crate::failure::Failure;
use crate::load::Load;
use crate::machine;
use crate::run::{Outcome, command_line, result_directory, run_name};
use crate::settings::TrialSettings;
use crate::signals::Signals;
use downbeat_reports::exit::Exit;
use downbeat_reports::figures::{self, Figures};
use downbeat_reports::format::html;
use downbeat_reports::limit::Limit;
use downbeat_reports::quantity::{duration, percent, rate};
use downbeat_reports::search::found::Found;
use downbeat_reports::search::max::{KneePoint, MaxRecord, SCHEMA, Sustained};
use downbeat_reports::search::{Stop, Tried};
use downbeat_reports::stats::percentiles::median;
use downbeat_reports::store::RunDirectory;
use downbeat_workloads::catalog::Job;
use std::ffi::OsString;

/// Judged batches of a short trial: as few as a verdict takes.
const SHORT_BATCHES: u64 = 20;

/// How long the backlog is drained for the first guess, nanoseconds.
const GUESS_NS: u64 = 1_000_000_000;

/// Rates up to this share of the generator's ceiling are tried: nearer to it the generator is what is measured.
const CEILING_SHARE: f64 = 0.8;

/// The guess from draining is this sure; one from the user, or none, is not.
const SURE: f64 = 0.2;
const UNSURE: f64 = 1.0;

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
    format!(
        "plan     max {}: 1 unpaced trial for a first guess, then 4 to 14 short trials of about {} each,\n         \
         then 6 to 60 decisive ones of about {} each, until the 95 % interval is within {}; {budget}\n\
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

impl Climb<'_> {
    fn search(&mut self) -> Result<(), Failure> {
        let (guess_per_s, spread) = self.guess()?;
        if let Some(ceiling_per_s) = self.record.ceiling_per_s {
            self.options.most_per_s = CEILING_SHARE * ceiling_per_s / self.settings.load.arrivals.peak_factor();
        }
        let mut search = RateSearch::new(self.options, guess_per_s, spread);
        let stop = self.climb(&mut search);
        self.conclude(&search, *stop.as_ref().unwrap_or(&Stop::Interrupted));
        stop.map(|_| ())
    }

    /// Where to begin: the rate that the user gave, or what draining a backlog predicts.
    fn guess(&mut self) -> Result<(f64, f64), Failure> {
        let given = self.request.resolved.is_given("rate").then_some((self.settings.load.rate_per_s, UNSURE));
        let drained = match self.laboratory.capacity(self.settings, GUESS_NS, "capacity") {
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
        let drained = drained.rate_per_s().map(|(rate_per_s, _)| (rate_per_s, SURE));
        Ok(given.or(drained).unwrap_or((self.settings.load.rate_per_s, UNSURE)))
    }

    fn climb(&mut self, search: &mut RateSearch) -> Result<Stop, Failure> {
        loop {
            let (rate_per_s, batches, decisive) = match search.next_step() {
                Next::Stop(stop) => return Ok(stop),
                Next::Trial { rate_per_s, batches, decisive } => (rate_per_s, batches, decisive),
            };
            if !self.laboratory.has_time_for(paced_ns(self.settings, batches, self.fill_batches, 1.0)) {
                return Ok(Stop::BudgetSpent);
            }
            let number = search.tried().len() + 1;
            let tried = match self.trial(rate_per_s, batches, decisive, number) {
                Ok(tried) => tried,
                Err(failure) if self.laboratory.interrupted().is_some() => {
                    self.laboratory.say(&failure.message);
                    return Ok(Stop::Interrupted);
                }
                Err(failure) => return Err(failure),
            };
            search.observe(tried);
            let known = search.interval();
            let (lower, upper) = (rate(known.lower), rate(known.upper));
            self.laboratory.say(&format!("         between {lower} and {upper}"));
        }
    }

    /// One trial, repeated while it says nothing.
    fn trial(&mut self, rate_per_s: f64, batches: u64, decisive: bool, number: usize) -> Result<Tried, Failure> {
        let mut settings = self.settings.clone();
        settings.load.rate_per_s = rate_per_s;
        let mut last = String::new();
        for repeat in 0..=REPEATS {
            let name = format!("{number:03}{}", ["", "-again", "-again-2", "-again-3"][repeat]);
            let paced = match self.laboratory.paced(&settings, batches, &name) {
                Ok(paced) => paced,
                // It died or hung: its evidence stays, and another process is another chance.
                Err(failure) if concerns_the_trial(&failure) => {
                    last = failure.to_string();
                    self.record.spoiled.push(format!("trial {name} at {}: {last}", rate(rate_per_s)));
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let outcome = paced.outcome(&self.request.limits);
            let kind = if decisive { "decisive" } else { "short" };
            let shown =
                |word: &str, why: &str| format!("trial {number:>3}  {kind:<8} {:>14}  {word}{why}", rate(rate_per_s));
            match outcome {
                figures::Outcome::Within => {
                    self.laboratory.say(&shown("within", ""));
                    return Ok(self.tried(paced, rate_per_s, decisive, false));
                }
                figures::Outcome::Disturbed(why) if repeat == 0 => {
                    self.laboratory.say(&shown("disturbed, again: ", &why));
                    self.record
                        .spoiled
                        .push(format!("trial {name} at {}: {why}, while the host paused", rate(rate_per_s)));
                    last = why;
                }
                figures::Outcome::Exceeds(why) | figures::Outcome::Disturbed(why) => {
                    self.laboratory.say(&shown("exceeds: ", &why));
                    return Ok(self.tried(paced, rate_per_s, decisive, true));
                }
                figures::Outcome::Spoiled(why) => {
                    self.laboratory.say(&shown("says nothing: ", &why));
                    self.record.spoiled.push(format!("trial {name} at {}: {why}", rate(rate_per_s)));
                    last = why;
                }
                figures::Outcome::Broken(why) => return Err(Failure::new(Exit::Broken, why).help(self.evidence(&name))),
            }
        }
        Err(Failure::new(
            Exit::NotJudged,
            format!("{} trials at {} said nothing: {last}", REPEATS + 1, rate(rate_per_s)),
        ))
    }

    fn evidence(&self, name: &str) -> String {
        format!("evidence: trials/{name}.json in the result directory; downbeat report shows it")
    }

    fn tried(&mut self, paced: Paced, rate_per_s: f64, decisive: bool, exceeds: bool) -> Tried {
        let figures = paced.figures;
        let tried = Tried { rate_per_s, decisive, exceeds, judged: figures.judged, late: figures.late };
        self.points.push((rate_per_s, exceeds, figures));
        tried
    }

    fn conclude(&mut self, search: &RateSearch, stop: Stop) {
        let record = &mut self.record;
        record.stop = Some(stop);
        record.tried = search.tried().to_vec();
        (record.holds, record.falls_behind) = search.bracket();
        record.knee = knee(&self.points);
        record.elapsed_ns = self.laboratory.elapsed_ns();
        if search.tried().iter().any(|tried| tried.decisive) || stop == Stop::AtTheMost {
            let known = Sustained::from(search.interval());
            record.max = Some(match (stop, search.tried().iter().map(|tried| tried.rate_per_s).reduce(f64::max)) {
                (Stop::AtTheMost, Some(most)) => Sustained { rate_per_s: most, lower: most, upper: None },
                _ => known,
            });
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
            (None, Some(Stop::TooNoisy), _) => Exit::NotJudged,
            _ => Exit::Ok,
        };
        let text = match self.request.output.json {
            true => json,
            false => super::with_report(record.render_human(), &directory.file("report.html")),
        };
        Ok(Outcome { text: text.into_bytes(), message: failure.map(|failure| format!("error: {failure}")), exit })
    }
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
