//! The search for a rate and the duel of settings, on simulated systems whose truth is known: how often the truth is inside the
//! interval, how wide that is, how many trials it takes, how often a gain is told, and none is told wrongly; and what the arithmetic costs.
//!
//! `cargo bench --bench search` runs all; `-- --study N` makes N searches on each kind of host (500 without it).

// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

use criterion::{BatchSize, Criterion};
use downbeat::search::duel::{Duel, Look, contradiction, is_told, looks};
use downbeat::search::rate::{Next, Options, RateSearch};
use downbeat::search::simulated::{Noise, Simulated};
use downbeat::search::surrogate::{Likeness, Observation, Surrogate};
use downbeat::search::threshold::Threshold;
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_reports::limit::Limit;
use downbeat_reports::search::{Stop, Tried};
use downbeat_reports::stats::percentiles::median;
use downbeat_reports::stats::random::SplitMix64;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const CAPACITY_PER_S: f64 = 1e6;

const HOSTS: [(&str, Noise); 4] =
    [("quiet", Noise::QUIET), ("shared", Noise::SHARED), ("measured", Noise::MEASURED), ("drifting", Noise::DRIFTING)];

/// Gains of the better of two challengers; the other one gains half as much.
const GAINS: [f64; 4] = [0.0, 0.05, 0.1, 0.2];

/// Rounds that a tuning over 48 settings has, and those of one with time.
const ROUNDS: [usize; 2] = [3, 12];

/// Pairs of the paced check, its rate as a share of today's capacity, judged batches of a trial.
const PAIRS: usize = 4;
const CHECK_SHARE: f64 = 0.72;
const CHECK_BATCHES: u64 = 40;

/// How long an unpaced trial takes, seconds.
const DRAIN_S: f64 = 3.0;

/// What a whole search found.
struct Found {
    lower: f64,
    estimate: f64,
    upper: f64,
    decisive: usize,
    trials: usize,
    stop: Stop,
}

fn search(noise: Noise, seed: u64, limits: &[Limit]) -> Found {
    let mut system = Simulated::new(CAPACITY_PER_S, noise, seed);
    let options =
        Options { resolution: 0.01, width: 0.05, short_batches: 20, long_batches: 100, most_per_s: 1e9, seed };
    // Draining a backlog misses the paced rate by some percent, now up, now down.
    let guess_per_s = CAPACITY_PER_S * (0.85 + 0.2 * (seed % 7) as f64 / 6.0);
    let mut search = RateSearch::new(options, guess_per_s, 0.2);
    let stop = loop {
        match search.next_step() {
            Next::Stop(stop) => break stop,
            Next::Trial { rate_per_s, batches, decisive } => {
                let figures = system.trial(rate_per_s, batches);
                search.observe(Tried::of(&figures, limits, rate_per_s, decisive));
            }
        }
    };
    let interval = search.interval();
    Found {
        lower: interval.lower,
        estimate: interval.estimate,
        upper: interval.upper,
        decisive: search.tried().iter().filter(|tried| tried.decisive).count(),
        trials: search.tried().len(),
        stop,
    }
}

fn study(searches: u64) {
    let limits = Limit::parse_all("late<1%").expect("a limit");
    for (host, noise) in HOSTS {
        let truth = Simulated::new(CAPACITY_PER_S, noise, 1).true_rate_per_s(100, &limits);
        let found: Vec<Found> = (0..searches).map(|seed| search(noise, 1_000 + seed, &limits)).collect();
        let inside = found.iter().filter(|found| (found.lower..=found.upper).contains(&truth)).count();
        let narrow = found.iter().filter(|found| found.stop == Stop::Narrow).count();
        let middle = |of: &dyn Fn(&Found) -> f64| median(&found.iter().map(of).collect::<Vec<_>>()).unwrap_or(f64::NAN);
        let mut errors: Vec<f64> = found.iter().map(|found| (found.estimate / truth - 1.0).abs()).collect();
        errors.sort_by(f64::total_cmp);
        println!(
            "search/{host}: truth {:.1} % of the undisturbed capacity; inside the 95 % interval {inside} of {searches}; \
             {narrow} within 5 %; error median {:.2} %, 95 % of them within {:.2} %, standard deviation {:.2} %; \
             {} trials, {} of them decisive (medians)",
            truth / CAPACITY_PER_S * 100.0,
            errors[errors.len() / 2] * 100.0,
            errors[errors.len() * 95 / 100] * 100.0,
            (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt() * 100.0,
            middle(&|found| found.trials as f64),
            middle(&|found| found.decisive as f64),
        );
    }
}

/// What a contest came to.
struct Contested {
    recommended: bool,
    covered: bool,
    rounds: usize,
}

/// Today's setting and two challengers of known gains, the winner checked at its pace, as `tune` does it.
fn contest(noise: Noise, gain: f64, rounds_most: usize, seed: u64) -> Contested {
    let mut host = Simulated::new(CAPACITY_PER_S, noise, seed);
    let mut random = SplitMix64::new(seed ^ 0x6475_656c);
    let capacities = [1.0, 1.0 + gain, 1.0 + 0.5 * gain].map(|factor| factor * CAPACITY_PER_S);
    let mut duel = Duel::new(2, looks(rounds_most));
    while duel.complete() < rounds_most && duel.look() == Look::Open {
        let mut order = [0, 1, 2];
        random.shuffle(&mut order);
        let mut logs = vec![None; 3];
        for arm in order {
            host.capacity_per_s = capacities[arm];
            logs[arm] = Some(host.drained_per_s(DRAIN_S).ln());
        }
        duel.take(logs);
    }
    let rounds = duel.complete();
    let covered = duel.gain(1).is_some_and(|told| told.contains(1.0 + gain));
    let winner = duel.best().filter(|(_, told)| is_told(told));
    let recommended =
        winner.is_some_and(|(winner, _)| is_confirmed(&mut host, &mut random, capacities[0], capacities[winner]));
    Contested { recommended, covered, rounds }
}

fn is_confirmed(host: &mut Simulated, random: &mut SplitMix64, today_per_s: f64, winner_per_s: f64) -> bool {
    let limits = Limit::parse_all("late<1%").expect("a limit");
    let (mut pairs, mut within, mut exceeded) = (Duel::new(1, vec![PAIRS]), 0, 0);
    for _ in 0..PAIRS {
        let mut order = [0, 1];
        random.shuffle(&mut order);
        let mut logs = vec![None; 2];
        for side in order {
            host.capacity_per_s = [today_per_s, winner_per_s][side];
            let figures = host.trial(CHECK_SHARE * today_per_s, CHECK_BATCHES);
            let exceeds = figures.exceeded(&limits).is_some();
            within += u64::from(side == 1 && !exceeds);
            exceeded += u64::from(side == 1 && exceeds);
            logs[side] = Some(-figures.utilisation.ln());
        }
        pairs.take(logs);
    }
    contradiction(pairs.gain(1).as_ref(), within, exceeded).is_none()
}

fn duels(contests: u64) {
    for (host, noise) in HOSTS {
        for most in ROUNDS {
            for gain in GAINS {
                let all: Vec<Contested> = (0..contests).map(|seed| contest(noise, gain, most, 5_000 + seed)).collect();
                let share = |of: &dyn Fn(&Contested) -> bool| {
                    100.0 * all.iter().filter(|one| of(one)).count() as f64 / contests as f64
                };
                println!(
                    "duel/{host}, {most} rounds at most, gain {:>2.0} %: a change is recommended in {:.1} %; the interval has the gain \
                     inside in {:.1} %; {:.1} rounds (mean) of {contests} contests",
                    100.0 * gain,
                    share(&|one| one.recommended),
                    share(&|one| one.covered),
                    all.iter().map(|one| one.rounds as f64).sum::<f64>() / contests as f64,
                );
            }
        }
    }
}

fn arithmetic(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
    group.bench_function("one margin taken in", |bencher| {
        let threshold = Threshold::around(CAPACITY_PER_S, 0.2);
        bencher.iter_batched(
            || threshold.clone(),
            |mut threshold| {
                threshold.observe_margin(black_box(0.97 * CAPACITY_PER_S), 0.01);
                threshold
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("one trial taken in", |bencher| {
        let threshold = Threshold::around(CAPACITY_PER_S, 0.2);
        bencher.iter_batched(
            || threshold.clone(),
            |mut threshold| {
                threshold.observe(black_box(0.97 * CAPACITY_PER_S), true);
                threshold
            },
            BatchSize::SmallInput,
        );
    });
    let observation = |index: usize| Observation {
        levels: vec![index % 3, index / 3 % 4, index / 12 % 3],
        log: (index as f64).sin(),
        error: 0.02,
    };
    let observations: Vec<Observation> = (0..50).map(observation).collect();
    group.bench_function("surrogate of 50 trials", |bencher| {
        bencher.iter(|| Surrogate::learn(&[Likeness::Category; 3], black_box(&observations)));
    });
    group.finish();
}

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--study").skip(1);
    let searches = arguments.next().and_then(|count| count.parse().ok());
    if let Some(searches) = searches {
        study(searches);
        return duels(searches);
    }
    arithmetic(&mut Criterion::default().configure_from_args());
    // `cargo test` asks every bench to run once; the study is for `cargo bench`.
    if std::env::args().any(|argument| argument == "--bench") {
        study(500);
        duels(500);
    }
}
