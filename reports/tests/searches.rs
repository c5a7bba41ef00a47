//! What searches found, as text: golden files, and what the text must say in odd cases.

use crate::golden::check;
use crate::payloads::{HARMLESS, HOSTILE};
use crate::tags::{Tag, tokenize};
use downbeat_reports::capacity::CostModel;
use downbeat_reports::search::found::Found;
use downbeat_reports::search::max::{KneePoint, MaxRecord, Repeat, Sustained};
use downbeat_reports::search::sweep::{CellResult, Response, SweepRecord, WorkloadSweep};
use downbeat_reports::search::tune::{Arm, Challenger, Frontier, KnobEffect, PacedCheck, Ranked, TuneRecord};
use downbeat_reports::search::{Interval, Rung, Stop, Tried};
use std::collections::BTreeMap;

fn found() -> MaxRecord {
    let rung =
        |rate_per_s: f64, exceeded: u64| Rung { rate_per_s, trials: 4, exceeded, judged: 400, late: 3 * exceeded };
    let tried = |rate_per_s: f64, exceeds: bool| Tried {
        rate_per_s,
        decisive: true,
        exceeds,
        margin: None,
        judged: 100,
        late: 3,
    };
    let point = |rate_per_s: f64, exceeded: u64, utilisation: f64, p99_ns: u64| KneePoint {
        rate_per_s,
        trials: 4,
        exceeded,
        utilisation,
        late_share: 0.0075 * exceeded as f64,
        p50_ns: Some(p99_ns / 2),
        p99_ns: Some(p99_ns),
    };
    MaxRecord {
        workload: "word-count".into(),
        interval_ns: 200_000_000,
        limits: vec!["late<1%".into()],
        max: Some(Sustained { rate_per_s: 1.21e6, lower: 1.19e6, upper: Some(1.235e6) }),
        holds: Some(rung(1.2e6, 0)),
        falls_behind: Some(rung(1.23e6, 4)),
        stop: Some(Stop::Narrow),
        knee: vec![
            point(0.8e6, 0, 0.65, 310_000_000),
            point(1.2e6, 0, 0.96, 395_000_000),
            point(1.23e6, 4, 1.01, 2_400_000_000),
        ],
        tried: vec![tried(1.2e6, false), tried(1.23e6, true)],
        spoiled: vec!["trial 002 at 1,230,000 rec/s: the host paused".into()],
        model: Some(CostModel { fixed_ns: 41_000.0, per_record_ns: 780.0 }),
        ceiling_per_s: Some(86e6),
        elapsed_ns: 262_000_000_000,
        next: Some("downbeat run word-count --interval 200ms --rate 950k/s".into()),
        ..MaxRecord::default()
    }
}

#[test]
fn the_highest_rate_is_told_with_its_bracket_its_knee_and_what_to_do_next() {
    check("max.txt", &found().render_human());
}

#[test]
fn a_rate_that_no_trial_could_exceed_is_a_lower_bound() {
    let mut record = found();
    record.max = Some(Sustained { rate_per_s: 60e6, lower: 60e6, upper: None });
    record.stop = Some(Stop::AtTheMost);
    assert!(record.sentence().starts_with("at least 60,000,000 rec/s"), "{}", record.sentence());
    record.max = None;
    assert_eq!(record.sentence(), "no rate was found");
}

fn sweep() -> SweepRecord {
    let cell = |one: usize, two: usize, rates: [f64; 3], today: bool| CellResult {
        levels: vec![one, two],
        responses: rates.map(Some).to_vec(),
        today,
        failures: Vec::new(),
    };
    SweepRecord {
        schema: downbeat_reports::search::sweep::SCHEMA,
        response: Response::Capacity,
        knobs: vec!["codec".into(), "threads".into()],
        values: vec![vec!["none".into(), "json".into()], vec!["1".into(), "2".into()]],
        rounds: 3,
        workloads: vec![WorkloadSweep {
            workload: "word-count".into(),
            cells: vec![
                cell(0, 0, [1.00e6, 1.01e6, 0.99e6], true),
                cell(0, 1, [1.90e6, 1.92e6, 1.88e6], false),
                cell(1, 0, [0.50e6, 0.51e6, 0.50e6], false),
                cell(1, 1, [0.70e6, 0.71e6, 0.70e6], false),
            ],
            ceiling_per_s: Some(86e6),
            refused: vec![("codec=none compression=lz4".into(), "there is nothing to compress".into())],
        }],
        ..SweepRecord::default()
    }
}

#[test]
fn the_text_ranks_cells_and_tells_effects_interactions_and_what_was_left_out() {
    check("sweep.txt", &sweep().render_human());
}

#[test]
fn one_round_has_a_ranking_and_no_intervals() {
    let mut sweep = sweep();
    sweep.workloads[0].cells.iter_mut().for_each(|cell| cell.responses.truncate(1));
    let text = sweep.render_human();
    assert!(text.contains("1 of 3 rounds") && text.contains("no intervals"), "{text}");
}

#[test]
fn a_cell_whose_trials_failed_is_named_and_not_ranked() {
    let mut sweep = sweep();
    let cell = &mut sweep.workloads[0].cells[1];
    (cell.responses[1], cell.failures) = (None, vec!["the trial hung and was killed".into()]);
    let text = sweep.render_human();
    assert!(
        text.contains("failed   codec=none threads=2: in 1 of 3 rounds, so it is not ranked: the trial hung"),
        "{text}"
    );
    assert_eq!(sweep.table(&sweep.workloads[0]).1, [0, 2, 3]);
}

#[test]
fn less_latency_is_better() {
    let mut sweep = sweep();
    sweep.response = Response::P99;
    let text = sweep.render_human();
    let first = text.lines().nth(1).unwrap();
    assert!(first.contains("codec=json threads=1"), "{text}");
}

fn tuned() -> TuneRecord {
    let arm = |name: &str, changes: &[(&str, &str)], value: Interval| Arm {
        name: name.into(),
        changes: changes.iter().map(|(knob, value)| ((*knob).into(), (*value).into())).collect(),
        value: Some(value),
        trials: 6,
        ..Arm::default()
    };
    TuneRecord {
        workload: "hashtags".into(),
        goal: "max rate, late<1%".into(),
        interval_ns: 200_000_000,
        cells: 72,
        unpaced_trials: 20,
        ranking: vec![Ranked {
            values: BTreeMap::from([("combine".into(), "always".into())]),
            predicted: 2e6,
            trials: 2,
            today: true,
        }],
        effects: vec![KnobEffect {
            knob: "pool".into(),
            best: "pinned".into(),
            worst: "sequential".into(),
            factor: 1.9,
        }],
        arms: vec![
            arm("today", &[], Interval { estimate: 1e6, lower: 0.97e6, upper: 1.02e6 }),
            arm("candidate 1", &[("pool", "pinned")], Interval { estimate: 1.3e6, lower: 1.25e6, upper: 1.33e6 }),
        ],
        recommended: Some(1),
        gain: Some(Interval { estimate: 1.3, lower: 1.24, upper: 1.36 }),
        findings: vec!["fixed cost: 0.3 % of the interval".into()],
        frontier: vec![Frontier { interval_ns: 200_000_000, today_per_s: 1e6, recommended_per_s: 1.3e6 }],
        not_tried: vec!["52 of 72 settings; they are believed to be worse".into()],
        refuted_by: Some("downbeat run hashtags --config best.toml --rate 1212k/s".into()),
        ceiling_per_s: Some(86e6),
        elapsed_ns: 290_000_000_000,
        ..TuneRecord::default()
    }
}

#[test]
fn the_text_says_what_to_change_what_it_gains_and_what_would_refute_it() {
    check("tune.txt", &tuned().render_human());
}

#[test]
fn a_tuning_that_finds_nothing_says_so() {
    let mut record = tuned();
    (record.recommended, record.gain) = (Some(0), None);
    assert!(record.sentence().starts_with("keep today's setting"), "{}", record.sentence());
    record.recommended = None;
    assert!(record.sentence().starts_with("no recommendation"));
}

/// A contest in which the best candidate gained that much.
fn contested(gain: Interval) -> TuneRecord {
    let mut record = tuned();
    record.arms.iter_mut().for_each(|arm| (arm.unpaced_trials, arm.trials) = (3, 4));
    (record.recommended, record.gain) = (Some(0), None);
    record.challenger = Some(Challenger { arm: 1, gain });
    record
}

#[test]
fn the_best_challenger_is_shown_with_its_interval_also_when_todays_setting_is_kept() {
    let record = contested(Interval { estimate: 1.019, lower: 0.969, upper: 1.072 });
    let challenge = "+1.9 % [−3.1 %, +7.2 %]: not told to be faster";
    assert!(record.sentence().ends_with(&format!("best challenger {challenge}")), "{}", record.sentence());
    check("tune-kept.txt", &record.render_human());
    let slower = contested(Interval { estimate: 0.9, lower: 0.85, upper: 0.95 });
    assert!(slower.sentence().ends_with("best challenger −10 % [−15 %, −5 %]: slower"), "{}", slower.sentence());
    let found = Found::Tune(record);
    for format in ["human", "markdown", "html"] {
        assert!(found.render(format).unwrap().contains(challenge), "{format}");
    }
}

#[test]
fn a_gain_that_the_paced_check_does_not_confirm_is_kept_out_with_the_reason() {
    let gain = Interval { estimate: 1.2, lower: 1.15, upper: 1.25 };
    let mut record = contested(gain);
    record.check = Some(PacedCheck {
        arm: 1,
        rate_per_s: 8e5,
        pairs: 4,
        gain: Some(Interval { estimate: 0.98, lower: 0.95, upper: 1.01 }),
        within: 4,
        exceeded: 0,
        contradiction: Some("at its pace it was not less busy than today's".into()),
    });
    let text = record.render_human();
    assert!(text.contains("told unpaced, but at its pace it was not less busy"), "{text}");
    assert!(text.contains("in 4 pairs, today's setting is 0.980 [0.950, 1.010] times as busy"), "{text}");
    record.check = None;
    assert!(record.sentence().ends_with("not checked at its pace"), "{}", record.sentence());
    (record.recommended, record.gain) = (Some(1), Some(gain));
    assert_eq!(record.challenge().as_deref(), Some("+20 % [+15 %, +25 %]"));
}

#[test]
fn searches_in_turns_are_listed_with_how_far_they_lie_apart() {
    let repeat = |seed: u64, rate_per_s: Option<f64>| Repeat {
        seed,
        max: rate_per_s.map(|rate_per_s| Sustained { rate_per_s, lower: 1e6, upper: Some(1.1e6) }),
        trials: 12,
        stop: if rate_per_s.is_some() { Stop::Narrow } else { Stop::TooNoisy },
    };
    let mut record = found();
    assert_eq!(record.spread(), None);
    record.repeats = vec![repeat(1, Some(1.02e6)), repeat(2, None), repeat(3, Some(1.0e6)), repeat(4, Some(1.04e6))];
    assert!((record.spread().unwrap() - 0.04 / 1.02).abs() < 1e-9);
    let text = record.render_human();
    assert!(text.contains("search  2 no rate, 12 trials"), "{text}");
    assert!(text.contains("in turns 3 searches found a rate, 1 none; (highest − lowest) ÷ median: 3.9 %"), "{text}");
}

#[test]
fn values_are_shown_by_the_kind_of_goal() {
    let of = |goal: &str| TuneRecord { goal: goal.into(), ..TuneRecord::default() };
    assert_eq!(of("max rate, late<1%").show(1e6), "1,000,000 rec/s");
    assert_eq!(of("min p99 at 100k/s, late<1%").show(2e8), "200 ms");
    assert_eq!(of("min threads that hold 50k/s").show(2.0), "2 threads");
}

/// Each search with this text in every string from outside.
fn poisoned(with: &str) -> [Found; 3] {
    let text = || with.to_owned();
    let map = || BTreeMap::from([(text(), text())]);
    let mut max = MaxRecord { schema: downbeat_reports::search::max::SCHEMA, ..found() };
    (max.workload, max.run, max.command) = (text(), text(), text());
    (max.limits, max.spoiled, max.settings, max.environment) = (vec![text()], vec![text()], map(), map());
    let mut swept = sweep();
    (swept.command, swept.hash, swept.knobs) = (text(), text(), vec![text(), text()]);
    swept.values = vec![vec![text(), text()], vec![text(), text()]];
    (swept.settings, swept.environment, swept.skipped) = (map(), map(), vec![text()]);
    swept.workloads[0].workload = text();
    swept.workloads[0].refused = vec![(text(), text())];
    swept.workloads[0].cells[0].failures = vec![text()];
    let mut tune = TuneRecord { schema: downbeat_reports::search::tune::SCHEMA, ..tuned() };
    (tune.workload, tune.run, tune.command, tune.refuted_by) = (text(), text(), text(), Some(text()));
    (tune.settings, tune.environment, tune.ranking[0].values, tune.arms[1].changes) = (map(), map(), map(), map());
    (tune.effects[0].knob, tune.effects[0].best, tune.effects[0].worst) = (text(), text(), text());
    (tune.findings, tune.not_tried, tune.failures) = (vec![text()], vec![text()], vec![text()]);
    (tune.arms[0].name, tune.arms[0].given_up) = (text(), Some(text()));
    tune.challenger = Some(Challenger { arm: 1, gain: Interval { estimate: 1.2, lower: 1.1, upper: 1.3 } });
    tune.recommended = Some(0);
    tune.check = Some(PacedCheck { arm: 1, contradiction: Some(text()), ..PacedCheck::default() });
    [Found::Max(max), Found::Sweep(swept), Found::Tune(tune)]
}

#[test]
fn hostile_text_leaves_the_structure_of_the_pages_of_searches() {
    let structure = |found: &Found| -> Vec<(String, Vec<String>)> {
        let names = |tag: Tag| (tag.name, tag.attributes.into_iter().map(|(name, _)| name).collect());
        tokenize(&found.render("html").unwrap()).into_iter().map(names).collect()
    };
    let plain = poisoned(HARMLESS).map(|found| structure(&found));
    for with in HOSTILE {
        for (found, plain) in poisoned(with).iter().zip(&plain) {
            assert!(structure(found) == *plain, "{}: {with:?}", found.file());
            for format in ["human", "markdown", "json"] {
                let text = found.render(format).unwrap();
                let active = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
                assert_eq!(text.chars().find(active), None, "{} as {format}: {with:?}", found.file());
            }
        }
    }
}

#[test]
fn searches_are_read_back_as_they_were_and_checked() {
    for found in poisoned(HARMLESS) {
        let stored = found.render("json").unwrap();
        let read = Found::parse(found.file(), stored.as_bytes()).unwrap();
        assert_eq!(read.render("html"), found.render("html"));
        assert!(Found::parse(found.file(), b"{\"schema\":2}").unwrap_err().contains("schema 2"));
    }
    let mut broken = sweep();
    broken.workloads[0].cells[0].levels = vec![0, 9];
    let json = Found::Sweep(broken).render("json").unwrap();
    assert!(Found::parse("sweep.json", json.as_bytes()).unwrap_err().contains("levels"));
}

#[test]
fn pages_of_searches_have_their_plots_and_stay_small() {
    for found in poisoned(HARMLESS) {
        let page = found.render("html").unwrap();
        assert!(page.len() < 100_000 && page.contains("id=\"verdict\""));
        assert_eq!(found.render("html").unwrap(), page);
    }
    let mut large = sweep();
    large.values =
        vec![(0..10).map(|value| format!("a{value}")).collect(), (0..10).map(|value| format!("b{value}")).collect()];
    let base = large.workloads[0].cells[0].clone();
    large.workloads[0].cells =
        (0..100).map(|cell| CellResult { levels: vec![cell / 10, cell % 10], ..base.clone() }).collect();
    assert!(Found::Sweep(large).render("html").unwrap().len() < 10 << 20);
}
