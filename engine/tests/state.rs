//! State across batches: `update_state_by_key` and `map_with_state`.

use crate::bench::{Bench, CODECS, Collected, INTERVAL, any_exchange, collect, collect_counts};
use downbeat_engine::dstream::{Mapped, StateSpec};
use downbeat_engine::record::{Own, Pair, Text};
use downbeat_engine::settings::CodecKind;
use downbeat_engine::source::QueueHandle;
use downbeat_engine::{DStream, EngineError, Settings};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

type Numbers = DStream<Pair<Text, i64>>;
type Shown = Vec<(String, i64)>;

/// Records of one batch; what the functions of the tests do with a key is the number's to say.
type Input<'i> = &'i [(&'i str, i64)];

fn shown(records: Input<'_>) -> Shown {
    let mut shown: Shown = records.iter().map(|(key, number)| ((*key).to_owned(), *number)).collect();
    shown.sort();
    shown
}

fn collect_numbers(stream: &Numbers) -> Collected<(String, i64)> {
    collect(stream, |(key, number)| (String::from_utf8_lossy(key).into_owned(), number))
}

fn push(feed: &QueueHandle<Pair<Text, i64>>, records: Input<'_>) {
    feed.push(records.iter().map(|(key, number)| (key.as_bytes(), *number))).expect("not stopped");
}

/// Runs batches through a job; it returns the streams to collect.
fn run<const STREAMS: usize>(
    settings: Settings,
    batches: &[Input<'_>],
    job: impl FnOnce(&Numbers) -> [Numbers; STREAMS],
) -> ([Vec<Shown>; STREAMS], Vec<Option<EngineError>>) {
    let mut bench = Bench::new(settings);
    let (feed, numbers) = bench.context.queue_stream();
    let seen = job(&numbers).map(|stream| collect_numbers(&stream));
    bench.context.start().expect("starts");
    for records in batches {
        push(&feed, records);
        bench.tick();
    }
    let failures = bench.reports().into_iter().map(|report| report.failure).collect();
    (seen.map(|seen| seen.lock().expect("no panic").clone()), failures)
}

fn batches(count: u64) -> Duration {
    INTERVAL * u32::try_from(count).expect("few")
}

/// Sums; a number of 0 removes the key, 13 is not digested.
fn summed(numbers: &Numbers) -> Numbers {
    numbers.update_state_by_key::<i64>(|values, state| {
        assert!(!values.contains(&13), "cannot digest");
        let sum = state.unwrap_or(&0) + values.iter().sum::<i64>();
        (!values.contains(&0)).then_some(sum)
    })
}

#[test]
fn every_key_with_state_is_updated_at_every_batch() {
    // Counts the batches since its first record in tens, and records in ones.
    let (seen, _) = run(Settings::default(), &[&[("a", 1), ("b", 1), ("a", 1)], &[], &[("b", 1)]], |numbers| {
        [numbers.update_state_by_key::<i64>(|values, state| {
            Some(state.unwrap_or(&0) + 10 + i64::try_from(values.len()).expect("few"))
        })]
    });
    assert_eq!(
        seen,
        [[shown(&[("a", 12), ("b", 11)]), shown(&[("a", 22), ("b", 21)]), shown(&[("a", 32), ("b", 32)])]]
    );
}

#[test]
fn a_key_without_state_after_its_update_is_removed_and_may_come_again() {
    let input: [Input<'_>; 5] = [&[("a", 1), ("b", 2)], &[("a", 0)], &[("c", 0)], &[("a", 5)], &[]];
    let (seen, _) = run(Settings::default(), &input, |numbers| [summed(numbers)]);
    let later = shown(&[("a", 5), ("b", 2)]);
    assert_eq!(seen, [[shown(&[("a", 1), ("b", 2)]), shown(&[("b", 2)]), shown(&[("b", 2)]), later.clone(), later]]);
}

#[test]
fn a_removed_key_is_not_updated_any_more() {
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = calls.clone();
    run(Settings::default(), &[&[("a", 0)], &[], &[]], |numbers| {
        [numbers.update_state_by_key::<i64>(move |_, state| {
            assert_eq!(state, None);
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            None
        })]
    });
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn the_values_of_a_key_come_together_and_the_longer_form_sees_time_and_key() {
    let mut bench = Bench::new(Settings::default());
    let (feed, words) = bench.context.queue_stream::<Pair<Text, Text>>();
    let joined = words.update_state_by_key_with::<Text>(StateSpec::new(), |time, key, values, state| {
        let mut all: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        all.sort_unstable();
        let mut text = state.cloned().unwrap_or_else(|| key.to_vec());
        text.extend_from_slice(format!("|{time}:").as_bytes());
        text.extend(all.concat());
        Some(text)
    });
    let seen = collect(&joined, |(key, text)| (key.to_vec(), String::from_utf8_lossy(text).into_owned()));
    bench.context.start().expect("starts");
    let long: &[u8] = b"a key of more than sixteen bytes";
    feed.push([(long, &b"y"[..]), (b"k", b"z"), (long, b"x")]).expect("not stopped");
    bench.tick();
    feed.push([(&b"k"[..], &b"w"[..])]).expect("not stopped");
    bench.tick();
    let seen = seen.lock().expect("no panic");
    let line = |end: &str| (long.to_vec(), format!("{}|1100 ms:xy{end}", String::from_utf8_lossy(long)));
    assert_eq!(seen[0], [line(""), (b"k".to_vec(), "k|1100 ms:z".to_owned())]);
    assert_eq!(seen[1], [line("|1200 ms:"), (b"k".to_vec(), "k|1100 ms:z|1200 ms:w".to_owned())]);
}

#[test]
fn initial_states_are_updated_from_the_first_batch_on() {
    let input: [Input<'_>; 2] = [&[("a", 1), ("c", 1)], &[("b", 1)]];
    let (seen, _) = run(Settings { partitions: Some(3), ..Settings::default() }, &input, |numbers| {
        let spec = StateSpec::new().initial([(&b"a"[..], 9), (b"b", 20), (b"a", 10)]);
        [numbers.update_state_by_key_with::<i64>(spec, |_, _, values, state| {
            Some(state.unwrap_or(&0) + values.iter().sum::<i64>())
        })]
    });
    assert_eq!(seen, [[shown(&[("a", 11), ("b", 20), ("c", 1)]), shown(&[("a", 11), ("b", 21), ("c", 1)])]]);
}

#[test]
fn a_batch_whose_update_panics_changes_no_state_and_shows_none() {
    for partitions in 1..4 {
        let settings = Settings { partitions: Some(partitions), threads: 2, ..Settings::default() };
        // The third batch would remove a, change b and bring d; the fifth is the first with e.
        let input: [Input<'_>; 6] = [
            &[("a", 1), ("b", 2), ("c", 3)],
            &[("b", 2)],
            &[("a", 0), ("b", 7), ("d", 9), ("c", 13)],
            &[("a", 4)],
            &[("e", 13)],
            &[],
        ];
        let (seen, failures) = run(settings, &input, |numbers| [summed(numbers)]);
        let last = shown(&[("a", 5), ("b", 4), ("c", 3)]);
        let first = [shown(&[("a", 1), ("b", 2), ("c", 3)]), shown(&[("a", 1), ("b", 4), ("c", 3)])];
        assert_eq!(seen, [[&first[..], &[last.clone(), last]].concat()]);
        let failed: Vec<bool> = failures.iter().map(Option::is_some).collect();
        assert_eq!(failed, [false, false, true, false, true, false]);
        let failure = failures[2].as_ref().expect("failed").to_string();
        assert!(failure.contains("update_state_by_key at") && failure.contains("state.rs"), "{failure}");
        assert!(failure.contains("cannot digest"), "{failure}");
    }
}

#[test]
fn a_batch_that_fails_before_it_comes_to_the_state_changes_none() {
    let input: [Input<'_>; 3] = [&[("a", 1)], &[("a", 2), ("poison", 0)], &[("a", 4)]];
    let (seen, failures) = run(Settings::default(), &input, |numbers| {
        let checked = numbers.filter(|(key, _)| if key == b"poison" { panic!("cannot digest") } else { true });
        let counted = StateSpec::new().timeout(batches(1));
        [summed(&checked), mapped(&checked, counted).snapshots()]
    });
    let expected = [shown(&[("a", 1)]), shown(&[("a", 5)])];
    assert_eq!(seen, [expected.clone(), expected]);
    assert_eq!(failures.iter().filter(|failure| failure.is_some()).count(), 1);
}

#[test]
fn state_is_touched_only_when_its_stream_fires() {
    let input: [Input<'_>; 5] = [&[("a", 1)], &[("b", 1)], &[("a", 1)], &[], &[("a", 100)]];
    let (seen, _) = run(Settings::default(), &input, |numbers| {
        let windowed = numbers.window(batches(3), batches(2));
        let counted = windowed
            .update_state_by_key::<i64>(|values, state| Some(state.unwrap_or(&0) + 10 + values.iter().sum::<i64>()));
        let mapped = mapped(&windowed, StateSpec::new().timeout(batches(1)));
        [counted, mapped.snapshots(), (*mapped).clone()]
    });
    assert_eq!(seen[0], [shown(&[("a", 11), ("b", 11)]), shown(&[("a", 22), ("b", 22)])]);
    assert_eq!(
        seen[1],
        [shown(&[("a", 1), ("b", 1)]), shown(&[("a", 2), ("b", 2)])],
        "in the second window both came again"
    );
    assert_eq!(seen[2].len(), 2);
}

#[test]
fn time_outs_are_no_part_of_an_update_of_every_key() {
    let error = crate::bench::refusal(|lines| {
        let spec = StateSpec::new().timeout(batches(3));
        let pairs = lines.map_to_pair::<Text, u64>(|line| (line, 1));
        drop(collect_counts(&pairs.update_state_by_key_with::<u64>(spec, |_, _, _, state| state.copied())));
    });
    assert!(
        error.to_string().contains("update_state_by_key_with at") && error.to_string().contains("time-outs"),
        "{error}"
    );
}

#[test]
fn state_inside_a_transform_is_refused() {
    let (_, failures) = run(Settings::default(), &[&[("a", 1)]], |numbers| {
        [
            numbers.transform(|batch, _| summed(batch)),
            numbers.transform(|batch, _| (*mapped(batch, StateSpec::new())).clone()),
        ]
    });
    assert!(failures[0].as_ref().expect("failed").to_string().contains("one batch only"));
}

/// What a key that times out emits instead of its sum: that much more.
const TIMED_OUT: i64 = 1_000;

/// Sums and emits each sum. A number of 0 removes the key, 13 is not digested, 99 does nothing.
fn mapped(numbers: &Numbers, spec: StateSpec<Text, i64>) -> Mapped<Text, i64, Pair<Text, i64>> {
    numbers.map_with_state::<i64, Pair<Text, i64>>(spec, |_, key, value, state, out| {
        let before = state.get().copied().unwrap_or(0);
        match value {
            None => {
                assert!(state.is_timing_out() && state.exists());
                assert!(before < 500, "too much to time out");
                out((key, before + TIMED_OUT));
            }
            Some(0) => state.remove(),
            Some(13) => panic!("cannot digest"),
            Some(99) => (),
            Some(number) => {
                state.update(before + number);
                out((key, before + number));
            }
        }
    })
}

/// What is emitted, and the states.
fn both(numbers: &Numbers, spec: StateSpec<Text, i64>) -> [Numbers; 2] {
    let mapped = mapped(numbers, spec);
    [(*mapped).clone(), mapped.snapshots()]
}

#[test]
fn each_record_is_a_call_and_snapshots_have_all_keys() {
    // Spark's own vectors: MapWithStateSuite, basic operations.
    let input: [Input<'_>; 7] = [
        &[],
        &[("a", 1)],
        &[("a", 1), ("b", 1)],
        &[("a", 1), ("b", 1), ("c", 1)],
        &[("a", 1), ("b", 1)],
        &[("a", 1)],
        &[],
    ];
    let ([emitted, snapshots], _) = run(Settings::default(), &input, |numbers| both(numbers, StateSpec::new()));
    let expected: [Input<'_>; 7] = [
        &[],
        &[("a", 1)],
        &[("a", 2), ("b", 1)],
        &[("a", 3), ("b", 2), ("c", 1)],
        &[("a", 4), ("b", 3)],
        &[("a", 5)],
        &[],
    ];
    assert_eq!(emitted, expected.map(shown));
    let expected: [Input<'_>; 7] = [
        &[],
        &[("a", 1)],
        &[("a", 2), ("b", 1)],
        &[("a", 3), ("b", 2), ("c", 1)],
        &[("a", 4), ("b", 3), ("c", 1)],
        &[("a", 5), ("b", 3), ("c", 1)],
        &[("a", 5), ("b", 3), ("c", 1)],
    ];
    assert_eq!(snapshots, expected.map(shown));
}

#[test]
fn records_of_one_key_see_what_the_ones_before_them_did() {
    let input: [Input<'_>; 2] = [&[("a", 1), ("a", 2), ("a", 0), ("a", 5), ("b", 0)], &[("a", 1), ("a", 0), ("a", 0)]];
    let ([emitted, snapshots], _) = run(Settings::default(), &input, |numbers| both(numbers, StateSpec::new()));
    assert_eq!(emitted, [shown(&[("a", 1), ("a", 3), ("a", 5)]), shown(&[("a", 6)])]);
    assert_eq!(snapshots, [shown(&[("a", 5)]), shown(&[])]);
}

#[test]
fn initial_states_are_there_before_the_first_record() {
    let input: [Input<'_>; 3] = [&[], &[("a", 1)], &[("c", 1), ("d", 1)]];
    let ([emitted, snapshots], _) = run(Settings { partitions: Some(2), ..Settings::default() }, &input, |numbers| {
        both(numbers, StateSpec::new().initial([(&b"a"[..], 5), (b"b", 10), (b"c", -21), (b"c", -20)]))
    });
    assert_eq!(emitted, [shown(&[]), shown(&[("a", 6)]), shown(&[("c", -19), ("d", 1)])]);
    let expected: [Input<'_>; 3] = [
        &[("a", 5), ("b", 10), ("c", -20)],
        &[("a", 6), ("b", 10), ("c", -20)],
        &[("a", 6), ("b", 10), ("c", -19), ("d", 1)],
    ];
    assert_eq!(snapshots, expected.map(shown));
}

#[test]
fn a_key_times_out_at_the_first_batch_at_which_it_was_idle_for_longer() {
    // Spark's vector (MapWithStateSuite, state timing out), with the batch of each time-out fixed.
    let input: [Input<'_>; 8] =
        [&[("a", 1), ("b", 1), ("c", 1)], &[("a", 1), ("b", 1)], &[("a", 1)], &[], &[], &[], &[], &[]];
    let ([emitted, snapshots], _) =
        run(Settings::default(), &input, |numbers| both(numbers, StateSpec::new().timeout(batches(3))));
    let gone = |key, sum| shown(&[(key, sum + TIMED_OUT)]);
    assert_eq!(emitted[3..], [shown(&[]), gone("c", 1), gone("b", 2), gone("a", 3), shown(&[])]);
    assert_eq!(
        snapshots[3],
        shown(&[("a", 3), ("b", 2), ("c", 1)]),
        "idle for as long as the time-out is not too long"
    );
    assert_eq!(snapshots[4..], [shown(&[("a", 3), ("b", 2)]), shown(&[("a", 3)]), shown(&[]), shown(&[])]);
}

#[test]
fn records_in_the_batch_of_the_time_out_keep_a_key() {
    // The idle keys' times are over in the third batch: a is changed then, b only looked at, c left alone.
    let input: [Input<'_>; 5] = [&[("a", 1), ("b", 1), ("c", 1)], &[], &[("a", 1), ("b", 99)], &[], &[]];
    let ([emitted, snapshots], _) =
        run(Settings::default(), &input, |numbers| both(numbers, StateSpec::new().timeout(batches(1))));
    assert_eq!(emitted[2], shown(&[("a", 2), ("c", 1 + TIMED_OUT)]));
    assert_eq!(snapshots[3], shown(&[("a", 2), ("b", 1)]), "looking at a key refreshes it");
    assert_eq!(emitted[4], shown(&[("a", 2 + TIMED_OUT), ("b", 1 + TIMED_OUT)]));
}

#[test]
fn initial_states_time_out_as_if_touched_in_the_first_batch() {
    let input: [Input<'_>; 4] = [&[], &[("a", 1)], &[], &[]];
    let ([emitted, _], _) = run(Settings::default(), &input, |numbers| {
        both(numbers, StateSpec::new().initial([(&b"a"[..], 5), (b"b", 10)]).timeout(batches(1)))
    });
    assert_eq!(
        emitted,
        [shown(&[]), shown(&[("a", 6)]), shown(&[("b", 10 + TIMED_OUT)]), shown(&[("a", 6 + TIMED_OUT)])]
    );
}

#[test]
fn a_time_out_of_nothing_keeps_keys_for_one_batch() {
    let input: [Input<'_>; 3] = [&[("a", 1), ("b", 1)], &[("a", 1)], &[]];
    let ([emitted, snapshots], _) =
        run(Settings::default(), &input, |numbers| both(numbers, StateSpec::new().timeout(Duration::ZERO)));
    assert_eq!(emitted[1..], [shown(&[("a", 2), ("b", 1 + TIMED_OUT)]), shown(&[("a", 2 + TIMED_OUT)])]);
    assert_eq!(snapshots, [shown(&[("a", 1), ("b", 1)]), shown(&[("a", 2)]), shown(&[])]);
}

#[test]
fn removed_keys_never_time_out_and_those_that_come_again_do_so_by_their_new_age() {
    let input: [Input<'_>; 6] = [&[("a", 1), ("b", 1)], &[("a", 0), ("b", 0)], &[("b", 5)], &[], &[], &[]];
    let ([emitted, snapshots], _) =
        run(Settings::default(), &input, |numbers| both(numbers, StateSpec::new().timeout(batches(2))));
    assert_eq!(emitted[3..], [shown(&[]), shown(&[]), shown(&[("b", 5 + TIMED_OUT)])]);
    assert_eq!(snapshots[1..4], [shown(&[]), shown(&[("b", 5)]), shown(&[("b", 5)])]);
}

#[test]
fn a_batch_that_panics_leaves_state_and_ages_as_they_were() {
    for partitions in 1..4 {
        let settings = Settings { partitions: Some(partitions), threads: 2, ..Settings::default() };
        // The third batch removes a, changes b, brings d and refreshes c before it fails: nothing of it may stay.
        let input: [Input<'_>; 6] = [
            &[("a", 1), ("b", 1), ("c", 1)],
            &[("b", 1)],
            &[("a", 0), ("b", 7), ("b", 7), ("d", 9), ("c", 99), ("e", 13)],
            &[("a", 4)],
            &[],
            &[],
        ];
        let ([emitted, snapshots], failures) =
            run(settings, &input, |numbers| both(numbers, StateSpec::new().timeout(batches(2))));
        let failed: Vec<bool> = failures.iter().map(Option::is_some).collect();
        assert_eq!(failed, [false, false, true, false, false, false]);
        let failure = failures[2].as_ref().expect("failed").to_string();
        assert!(failure.contains("map_with_state at") && failure.contains("cannot digest"), "{failure}");
        // The failed batch is missing. In the fourth, c is idle for three batches; in the fifth b is.
        assert_eq!(
            emitted[2..],
            [shown(&[("a", 5), ("c", 1 + TIMED_OUT)]), shown(&[("b", 2 + TIMED_OUT)]), shown(&[])]
        );
        assert_eq!(
            snapshots[1..],
            [
                shown(&[("a", 1), ("b", 2), ("c", 1)]),
                shown(&[("a", 5), ("b", 2)]),
                shown(&[("a", 5)]),
                shown(&[("a", 5)])
            ]
        );
    }
}

#[test]
fn a_panic_in_the_last_call_of_a_key_is_undone_too_and_tried_again() {
    let input: [Input<'_>; 5] = [&[("a", 1), ("b", 600)], &[("c", 1)], &[("b", -200)], &[], &[]];
    let ([emitted, snapshots], failures) =
        run(Settings { partitions: Some(1), ..Settings::default() }, &input, |numbers| {
            both(numbers, StateSpec::new().timeout(Duration::ZERO))
        });
    // Both time out in the second batch, but the call for b fails; so a stays, c does not come.
    assert!(failures[1].is_some() && failures.iter().filter(|failure| failure.is_some()).count() == 1);
    assert_eq!(emitted[1], shown(&[("a", 1 + TIMED_OUT), ("b", 400)]));
    assert_eq!(snapshots, [shown(&[("a", 1), ("b", 600)]), shown(&[("b", 400)]), shown(&[]), shown(&[])]);
}

#[test]
fn misuse_of_a_state_fails_the_batch_with_sparks_meaning() {
    type Misuse = fn(&mut downbeat_engine::dstream::State<'_, i64>);
    let misuses: [(Misuse, &str); 4] = [
        (|state| (state.remove(), state.update(1)).1, "cannot update the state after it has been removed"),
        (|state| (state.remove(), state.remove()).1, "has been removed in the same call already"),
        (
            |state| {
                if state.is_timing_out() {
                    state.update(1)
                }
            },
            "cannot update the state: its key is timing out",
        ),
        (
            |state| {
                if state.is_timing_out() {
                    state.remove()
                }
            },
            "cannot remove the state: its key is timing out",
        ),
    ];
    for (misuse, meaning) in misuses {
        let (seen, failures) = run(Settings::default(), &[&[], &[("b", 1)], &[]], |numbers| {
            let spec = StateSpec::new().initial([(&b"a"[..], 5)]).timeout(Duration::ZERO);
            let mapped = numbers.map_with_state::<i64, Pair<Text, i64>>(spec, move |_, _, _, state, _| misuse(state));
            [mapped.snapshots()]
        });
        let failure = failures[1].as_ref().expect("failed").to_string();
        assert!(failure.contains("map_with_state at") && failure.contains(meaning), "{failure}");
        assert_eq!(seen[0][0], shown(&[("a", 5)]));
    }
}

#[test]
fn text_is_emitted_without_being_owned_and_states_are_any_value() {
    let mut bench = Bench::new(Settings { codec: CodecKind::Rkyv, ..Settings::default() });
    let (feed, visits) = bench.context.queue_stream::<Pair<Own<String>, Text>>();
    let last_pages =
        visits.map_with_state::<Own<Vec<String>>, Text>(StateSpec::new(), |time, user, page, state, out| {
            let mut pages = state.get().cloned().unwrap_or_default();
            out(user.as_bytes());
            out(format!("{time}: {} before", pages.len()).as_bytes());
            page.into_iter().for_each(|page| {
                out(page);
                pages.push(String::from_utf8_lossy(page).into_owned());
            });
            state.update(pages);
        });
    let seen = collect(&last_pages, |text| String::from_utf8_lossy(text).into_owned());
    let states = collect(&last_pages.snapshots(), |(user, pages)| (user.clone(), pages.clone()));
    bench.context.start().expect("starts");
    let user = "u".to_owned();
    for page in ["p", "q"] {
        feed.push([(&user, page.as_bytes())]).expect("not stopped");
        bench.tick();
    }
    let seen = seen.lock().expect("no panic");
    assert_eq!(*seen, [["1100 ms: 0 before", "p", "u"], ["1200 ms: 1 before", "q", "u"]]);
    assert_eq!(states.lock().expect("no panic")[1], [(user, vec!["p".to_owned(), "q".to_owned()])]);
}

#[test]
fn an_output_may_read_its_batch_while_it_goes_through_it() {
    let mut bench = Bench::new(Settings::default());
    let (feed, numbers) = bench.context.queue_stream::<Pair<Text, i64>>();
    let nested = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    for stream in [summed(&numbers), mapped(&numbers, StateSpec::new()).snapshots()] {
        let nested = nested.clone();
        stream.for_each_batch(move |batch| {
            batch.for_each(|_| {
                nested.fetch_add(batch.len(), std::sync::atomic::Ordering::Relaxed);
            });
        });
    }
    bench.context.start().expect("starts");
    push(&feed, &[("a", 1), ("b", 1)]);
    bench.tick();
    assert_eq!(nested.load(std::sync::atomic::Ordering::Relaxed), 8);
}

#[test]
fn an_output_that_fails_takes_nothing_back_from_the_state() {
    let mut bench = Bench::new(Settings::default());
    let (feed, numbers) = bench.context.queue_stream::<Pair<Text, i64>>();
    let sums = summed(&numbers);
    sums.for_each_batch(|batch| assert!(batch.index() != 0, "not now"));
    let seen = collect_numbers(&sums);
    bench.context.start().expect("starts");
    push(&feed, &[("a", 1)]);
    bench.tick();
    push(&feed, &[("a", 2)]);
    bench.tick();
    assert!(bench.reports()[0].failure.is_some());
    assert_eq!(*seen.lock().expect("no panic"), [shown(&[("a", 1)]), shown(&[("a", 3)])]);
}

#[test]
fn many_keys_on_many_threads_agree_with_a_plain_sum() {
    for codec in CODECS {
        let settings = Settings { codec, threads: 3, partitions: Some(4), ..Settings::default() };
        let mut bench = Bench::new(settings);
        let (feed, numbers) = bench.context.queue_stream::<Pair<u64, u64>>();
        let updated = numbers.update_state_by_key::<u64>(|values, state| {
            let sum = state.unwrap_or(&0) + values.iter().sum::<u64>();
            (sum < 60).then_some(sum)
        });
        let spec = StateSpec::new().timeout(batches(1));
        let mapped = numbers.map_with_state::<u64, Pair<u64, u64>>(spec, |_, key, value, state, out| match value {
            Some(number) => state.update(state.get().unwrap_or(&0) + number),
            None => out((key, *state.get().expect("is there"))),
        });
        let seen =
            [collect(&updated, |pair| pair), collect(&mapped.snapshots(), |pair| pair), collect(&mapped, |pair| pair)];
        bench.context.start().expect("starts");
        let mut sums = BTreeMap::<u64, u64>::new();
        let mut aged = BTreeMap::<u64, (u64, u64)>::new();
        // So many keys leave that what is kept of the others moves together.
        for (batch, keys) in (0..).zip([9_973, 9_970, 8_000, 500, 400, 300, 200, 100]) {
            let records: Vec<(u64, u64)> = (0..20_000).map(|n| (n * 7 % keys, n % 11)).collect();
            for (piece, some) in records.chunks(5_000).enumerate() {
                bench
                    .clock
                    .advance_to(crate::bench::START_NS + batch * crate::bench::INTERVAL_NS + piece as u64 * 20_000_000);
                feed.push(some.iter().copied()).expect("not stopped");
            }
            bench.tick();
            for (key, number) in records {
                *sums.entry(key).or_default() += number;
                let (sum, touched) = aged.entry(key).or_default();
                (*sum, *touched) = (*sum + number, batch);
            }
            sums.retain(|_, sum| *sum < 60);
            let gone: Vec<(u64, u64)> = aged
                .iter()
                .filter(|(_, (_, touched))| *touched + 1 < batch)
                .map(|(key, (sum, _))| (*key, *sum))
                .collect();
            aged.retain(|_, (_, touched)| *touched + 1 >= batch);
            let expected =
                [sums.clone().into_iter().collect(), aged.iter().map(|(key, (sum, _))| (*key, *sum)).collect(), gone];
            let got = seen.each_ref().map(|seen| seen.lock().expect("no panic")[batch as usize].clone());
            assert!(
                got == expected,
                "{codec:?}, batch {batch}: {:?} keys, not {:?}",
                got.map(|keys| keys.len()),
                expected.map(|keys| keys.len())
            );
        }
    }
}

/// A naive engine: what both operators have to do, one record after the other.
#[derive(Clone, Default)]
struct Model {
    summed: BTreeMap<String, i64>,
    mapped: BTreeMap<String, (i64, u64)>,
}

impl Model {
    /// The sums after a batch; `None` when it fails.
    fn update(&mut self, records: &[(String, i64)]) -> Option<Shown> {
        if records.iter().any(|(_, number)| *number == 13) {
            return None;
        }
        for (key, number) in records {
            *self.summed.entry(key.clone()).or_default() += number;
        }
        self.summed.retain(|key, _| !records.contains(&(key.clone(), 0)));
        Some(self.summed.clone().into_iter().collect())
    }

    /// What a batch emits and leaves; `None` when it fails.
    fn map(&mut self, records: &[(String, i64)], batch: u64, timeout: Option<u64>) -> Option<(Shown, Shown)> {
        let (mut after, mut emitted) = (self.mapped.clone(), Shown::new());
        for (key, number) in records {
            match number {
                13 => return None,
                0 => drop(after.remove(key)),
                99 => drop(after.get_mut(key).map(|(_, touched)| *touched = batch)),
                number => {
                    let (sum, touched) = after.entry(key.clone()).or_default();
                    (*sum, *touched) = (*sum + number, batch);
                    emitted.push((key.clone(), *sum));
                }
            }
        }
        let is_idle = |touched: u64| timeout.is_some_and(|timeout| touched + timeout < batch);
        for (key, (sum, _)) in after.iter().filter(|(_, (_, touched))| is_idle(*touched)) {
            if *sum >= 500 {
                return None;
            }
            emitted.push((key.clone(), sum + TIMED_OUT));
        }
        after.retain(|_, (_, touched)| !is_idle(*touched));
        self.mapped = after;
        emitted.sort();
        Some((emitted, self.mapped.iter().map(|(key, (sum, _))| (key.clone(), *sum)).collect()))
    }
}

fn records() -> impl Strategy<Value = Vec<(String, i64)>> {
    let keys = prop_oneof![6 => "[a-f]", 2 => "[a-c] key of more than 16 bytes"];
    let numbers = prop_oneof![40 => -3i64..5, 6 => Just(0i64), 8 => Just(99i64), 1 => Just(13i64), 2 => Just(300i64)];
    prop::collection::vec((keys, numbers), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn both_operators_agree_with_a_naive_engine(
        input in prop::collection::vec(records(), 1..12),
        initial in prop::collection::vec(("[a-h]", 1i64..5), 0..6),
        timeout in prop::option::of(0u64..4),
        partitions in 1usize..5,
        threads in 1usize..3,
        exchange in any_exchange(),
    ) {
        let settings = Settings { partitions: Some(partitions), threads, ..exchange };
        let borrowed: Vec<Vec<(&str, i64)>> =
            input.iter().map(|records| records.iter().map(|(key, number)| (key.as_str(), *number)).collect()).collect();
        let slices: Vec<Input<'_>> = borrowed.iter().map(Vec::as_slice).collect();
        let spec = || StateSpec::new().initial(initial.iter().map(|(key, number)| (key.as_bytes(), *number)));
        let ([summed, emitted, snapshots], _) = run(settings, &slices, |numbers| {
            let summed = numbers.update_state_by_key_with::<i64>(spec(), |_, _, values, state| {
                assert!(!values.contains(&13), "cannot digest");
                let sum = state.unwrap_or(&0) + values.iter().sum::<i64>();
                (!values.contains(&0)).then_some(sum)
            });
            let timed = timeout.map_or_else(spec, |timeout| spec().timeout(batches(timeout)));
            let [emitted, snapshots] = both(numbers, timed);
            [summed, emitted, snapshots]
        });
        let mut model = Model::default();
        for (key, number) in &initial {
            model.summed.insert(key.clone(), *number);
            model.mapped.insert(key.clone(), (*number, 0));
        }
        let sums: Vec<Shown> = input.iter().filter_map(|records| model.update(records)).collect();
        prop_assert_eq!(summed, sums);
        let numbered = (0..).zip(&input);
        let (emits, states): (Vec<Shown>, Vec<Shown>) = numbered.filter_map(|(batch, records)| model.map(records, batch, timeout)).unzip();
        prop_assert_eq!(emitted, emits);
        prop_assert_eq!(snapshots, states);
    }
}
