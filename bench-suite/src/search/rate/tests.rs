//! Whole searches on simulated systems: the truth is found, in few trials, and what cannot be found is said.

use super::*;
use crate::search::simulated::{Noise, Simulated};
use downbeat_reports::limit::Limit;

fn options(seed: u64) -> Options {
    Options { resolution: 0.01, width: 0.05, short_batches: 20, long_batches: 100, most_per_s: 1e9, seed }
}

fn limits() -> Vec<Limit> {
    Limit::parse_all("late<1%").expect("a limit")
}

/// A whole search on a simulated system.
fn search(system: &mut Simulated, options: Options, guess_per_s: f64) -> (RateSearch, Stop) {
    let (limits, mut search) = (limits(), RateSearch::new(options, guess_per_s, 0.3));
    loop {
        match search.next_step() {
            Next::Stop(stop) => return (search, stop),
            Next::Trial { rate_per_s, batches, decisive } => {
                let figures = system.trial(rate_per_s, batches);
                search.observe(Tried::of(&figures, &limits, rate_per_s, decisive));
            }
        }
    }
}

#[test]
fn the_truth_is_inside_the_interval_nineteen_times_of_twenty() {
    // On a host that wanders few searches can be narrow and right: they are to be right.
    for (noise, narrow_least, trials_most) in
        [(Noise::QUIET, 57, 25), (Noise::SHARED, 48, 45), (Noise::MEASURED, 5, 75), (Noise::DRIFTING, 0, 75)]
    {
        let truth = Simulated::new(1e6, noise, 1).true_rate_per_s(100, &limits());
        let (mut inside, mut narrow, mut trials) = (0, 0, 0);
        for seed in 0..60 {
            let (search, stop) = search(&mut Simulated::new(1e6, noise, 100 + seed), options(seed), 0.9e6);
            narrow += u64::from(stop == Stop::Narrow);
            let interval = search.interval();
            assert!(stop == Stop::TooNoisy || interval.width() <= 0.05, "{interval:?}");
            inside += u64::from(interval.contains(truth));
            trials += search.tried().len();
        }
        assert!(inside >= 55, "{inside} of 60 have the truth {truth} inside, {noise:?}");
        assert!(narrow >= narrow_least, "{narrow} of 60 became narrow, {noise:?}");
        assert!(trials / 60 < trials_most, "{} trials a search, {noise:?}", trials / 60);
    }
}

#[test]
fn a_first_guess_that_is_wrong_by_far_is_found_out() {
    for guess_per_s in [3e3, 0.1e6, 7e6, 300e6] {
        let mut system = Simulated::new(1e6, Noise::QUIET, 5);
        let (search, stop) = search(&mut system, options(7), guess_per_s);
        assert_eq!(stop, Stop::Narrow, "{guess_per_s}");
        assert!((0.9e6..1.02e6).contains(&search.interval().estimate), "{:?}", search.interval());
    }
}

#[test]
fn what_holds_at_the_highest_rate_that_may_be_tried_is_said_so_after_few_trials() {
    let options = Options { most_per_s: 0.5e6, ..options(1) };
    let (search, stop) = search(&mut Simulated::new(1e6, Noise::QUIET, 5), options, 0.9e6);
    assert_eq!(stop, Stop::AtTheMost);
    assert!(search.tried().len() <= 12 && search.tried().iter().all(|tried| tried.rate_per_s <= 0.5e6));
}

#[test]
fn a_host_on_which_nothing_can_be_told_ends_the_search() {
    let mut search = RateSearch::new(options(1), 1e6, 0.3);
    let mut random = SplitMix64::new(9);
    let stop = loop {
        match search.next_step() {
            Next::Stop(stop) => break stop,
            Next::Trial { rate_per_s, decisive, .. } => {
                let exceeds = random.below(2) == 0;
                search.observe(Tried { rate_per_s, decisive, exceeds, margin: None, judged: 100, late: 0 });
            }
        }
    };
    assert_eq!(stop, Stop::TooNoisy);
}

#[test]
fn ladders_are_climbed_in_mirrored_order_and_rungs_are_pooled() {
    let (search, _) = search(&mut Simulated::new(1e6, Noise::SHARED, 3), options(4), 1e6);
    let decisive: Vec<f64> =
        search.tried().iter().filter(|tried| tried.decisive).map(|tried| tried.rate_per_s).collect();
    assert_eq!(decisive[..3], [decisive[5], decisive[4], decisive[3]]);
    let rungs = search.rungs();
    assert_eq!(rungs.iter().map(|rung| rung.trials).sum::<u64>(), decisive.len() as u64);
    let (holds, behind) = search.bracket();
    let (holds, behind) = (holds.expect("some hold"), behind.expect("some do not"));
    assert!(holds.rate_per_s < behind.rate_per_s);
    assert!(holds.judged >= 100 && 2 * holds.exceeded <= holds.trials && 2 * behind.exceeded > behind.trials);
}

#[test]
fn the_same_seed_asks_for_the_same_trials() {
    let run = |seed| search(&mut Simulated::new(1e6, Noise::SHARED, 3), options(seed), 1e6).0.tried().to_vec();
    assert_eq!(run(4), run(4));
    assert_ne!(run(4), run(5));
}
