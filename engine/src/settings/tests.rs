//! Laws of the knob table and of values with units.

use super::*;

#[test]
fn every_knob_reads_back_what_it_prints() {
    for knob in KNOBS {
        let mut settings = Settings::default();
        let text = (knob.get)(&settings);
        (knob.set)(&mut settings, &text).unwrap_or_else(|error| panic!("{}: {error}", knob.name));
        assert_eq!((knob.get)(&settings), text, "{}", knob.name);
    }
}

#[test]
fn knob_names_are_unique_and_choices_are_listed() {
    for (index, knob) in KNOBS.iter().enumerate() {
        assert!(KNOBS[..index].iter().all(|other| other.name != knob.name), "{} twice", knob.name);
        if let KnobKind::Choice(words) = knob.kind {
            assert_eq!(knob.range, words.join(", "), "{}", knob.name);
        }
        assert!(!knob.trades.is_empty());
    }
}

#[test]
fn a_number_without_unit_is_refused_with_an_example() {
    let error = parse_duration_ns("100").unwrap_err();
    assert_eq!(error.to_string(), "`100` has no unit: write for example `100ms`");
    assert!(matches!(parse_rate("5000"), Err(ValueError::MissingUnit { .. })));
    assert!(matches!(parse_bytes("64"), Err(ValueError::MissingUnit { .. })));
}

#[test]
fn zero_negative_and_nonsense_are_refused() {
    assert!(matches!(parse_duration_ns("0ms"), Err(ValueError::NotPositive { .. })));
    assert!(matches!(parse_duration_ns("-5ms"), Err(ValueError::NotPositive { .. })));
    assert!(matches!(parse_duration_ns("0.1ns"), Err(ValueError::NotPositive { .. })));
    assert!(matches!(parse_duration_ns("fast"), Err(ValueError::NotANumber { .. })));
    assert!(matches!(parse_duration_ns("5 parsecs"), Err(ValueError::UnknownUnit { .. })));
    assert!(matches!(parse_duration_ns("99999999999999h"), Err(ValueError::TooLarge { .. })));
    assert!(matches!(parse_rate("0/s"), Err(ValueError::NotPositive { .. })));
    assert!(matches!(parse_rate("0"), Err(ValueError::NotPositive { .. })), "no unit would help");
    assert!(matches!(parse_rate("inf/s"), Err(ValueError::NotANumber { .. })));
}

#[test]
fn a_mistyped_choice_or_name_finds_the_one_that_was_meant() {
    let mut settings = Settings::default();
    let codec = find_knob(KNOBS, "codec").expect("in the table");
    let error = (codec.set)(&mut settings, "rkvy").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`rkvy` is none of none, rkyv, bitcode, postcard, wincode, json; did you mean `rkyv`?"
    );
    assert_eq!(suggest("inteval", KNOBS.iter().map(|knob| knob.name)), Some("interval"));
    assert_eq!(suggest("zzz", KNOBS.iter().map(|knob| knob.name)), None);
    assert!(find_knob(KNOBS, "block-interval").is_some());
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let refused = |settings: Settings, knob: &str| match settings.validate() {
        Err(EngineError::Setting { knob: named, .. }) => assert_eq!(named, knob),
        other => panic!("{knob}: {other:?}"),
    };
    let fine = Settings::default();
    assert!(fine.validate().is_ok());
    refused(Settings { interval_ns: 0, ..fine.clone() }, "interval");
    refused(Settings { interval_ns: 1_500_000, ..fine.clone() }, "interval");
    refused(Settings { block_interval_ns: Some(300_000_000), ..fine.clone() }, "block_interval");
    refused(Settings { threads: 0, ..fine.clone() }, "threads");
    refused(Settings { queue_capacity: 0, ..fine.clone() }, "queue_capacity");
    refused(Settings { concurrent_jobs: 0, ..fine.clone() }, "concurrent_jobs");
    refused(Settings { concurrent_jobs: 65, ..fine.clone() }, "concurrent_jobs");
    refused(Settings { max_rate_per_s: Some(0.5), ..fine.clone() }, "max_rate");
    refused(Settings { max_rate_per_s: Some(f64::NAN), ..fine.clone() }, "max_rate");
    refused(Settings { backpressure_initial_rate_per_s: Some(-1.0), ..fine.clone() }, "backpressure_initial_rate");
    refused(Settings { compression: Compression::Lz4, ..fine.clone() }, "compression");
    refused(Settings { pid_proportional: f64::INFINITY, ..fine.clone() }, "pid_proportional");
    refused(Settings { pid_integral: -0.1, ..fine.clone() }, "pid_integral");
    refused(Settings { pid_derivative: f64::NAN, ..fine.clone() }, "pid_derivative");
    refused(Settings { pid_min_rate_per_s: 0.0, ..fine.clone() }, "pid_min_rate");
    refused(Settings { memory_limit_bytes: 5, ..fine }, "memory_limit");
}

#[test]
fn durations_sizes_and_rates_are_written_as_they_are_read() {
    for text in ["200ms", "1.5s", "250us", "7ns", "1s"] {
        assert_eq!(format_duration_ns(parse_duration_ns(text).unwrap()), text);
    }
    for text in ["64MiB", "1GiB", "3B", "1536KiB"] {
        assert_eq!(format_bytes(parse_bytes(text).unwrap()), text);
    }
    for text in ["150k/s", "1.25M/s", "10/s"] {
        assert_eq!(format_rate(parse_rate(text).unwrap()), text);
    }
}

#[test]
fn rates_and_numbers_can_be_set_and_unset() {
    let mut settings = Settings::default();
    let mut set = |name: &str, text: &str| {
        let knob = find_knob(KNOBS, name).expect("in the table");
        (knob.set)(&mut settings, text).map(|()| (knob.get)(&settings))
    };
    assert_eq!(set("max_rate", "2.5k/s"), Ok("2.5k/s".into()));
    assert_eq!(set("max_rate", "none"), Ok("none".into()));
    assert_eq!(set("pid_integral", "0.05"), Ok("0.05".into()));
    assert_eq!(set("pid_derivative", "0"), Ok("0".into()));
    assert_eq!(set("overload", "shed"), Ok("shed".into()));
    assert_eq!(set("pool", "pinned"), Ok("pinned".into()));
    assert!(set("pid_integral", "-1").is_err() && set("pid_integral", "NaN").is_err());
    assert!(set("max_rate", "100").is_err() && set("overload", "drop").is_err());
}
