//! The search for a rate, on a simulated system whose truth is known: how often the truth is inside the interval, how wide that is, how
//! many trials it takes; and what the arithmetic itself costs.
//!
//! `cargo bench --bench search` runs both; `-- --study N` makes N searches on each kind of host (500 without it).

// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

use criterion::{BatchSize, Criterion};
use downbeat::search::rate::{Next, Options, RateSearch};
use downbeat::search::simulated::{Noise, Simulated};
use downbeat::search::surrogate::{Likeness, Observation, Surrogate};
use downbeat::search::threshold::Threshold;
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_reports::limit::Limit;
use downbeat_reports::search::{Stop, Tried};
use downbeat_reports::stats::percentiles::median;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const CAPACITY_PER_S: f64 = 1e6;

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
                let exceeds = figures.exceeded(limits).is_some();
                search.observe(Tried { rate_per_s, decisive, exceeds, judged: figures.judged, late: figures.late });
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
    for (host, noise) in [("quiet", Noise::QUIET), ("shared", Noise::SHARED)] {
        let truth = Simulated::new(CAPACITY_PER_S, noise, 1).true_rate_per_s(100, &limits);
        let found: Vec<Found> = (0..searches).map(|seed| search(noise, 1_000 + seed, &limits)).collect();
        let inside = found.iter().filter(|found| (found.lower..=found.upper).contains(&truth)).count();
        let narrow = found.iter().filter(|found| found.stop == Stop::Narrow).count();
        let middle = |of: &dyn Fn(&Found) -> f64| median(&found.iter().map(of).collect::<Vec<_>>()).unwrap_or(f64::NAN);
        let mut errors: Vec<f64> = found.iter().map(|found| (found.estimate / truth - 1.0).abs()).collect();
        errors.sort_by(f64::total_cmp);
        println!(
            "search/{host}: truth {:.1} % of the undisturbed capacity; inside the 95 % interval {inside} of {searches}; \
             {narrow} within 5 %; error median {:.2} %, 95 % of them within {:.2} %; {} trials, {} of them decisive (medians)",
            truth / CAPACITY_PER_S * 100.0,
            errors[errors.len() / 2] * 100.0,
            errors[errors.len() * 95 / 100] * 100.0,
            middle(&|found| found.trials as f64),
            middle(&|found| found.decisive as f64),
        );
    }
}

fn arithmetic(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
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
        return study(searches);
    }
    arithmetic(&mut Criterion::default().configure_from_args());
    // `cargo test` asks every bench to run once; the study is for `cargo bench`.
    if std::env::args().any(|argument| argument == "--bench") {
        study(500);
    }
}
