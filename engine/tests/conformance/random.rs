//! Random programs under random settings: the engine answers what the naive interpreter answers.
//!
//! A program is built from random choices, one operation after another, each from those that are well typed at that point. What
//! Spark leaves open (the order of records after an exchange, which partition a key is in) must not show in an answer, so
//! operations that would show it are not chosen there.

use super::answers::Seen;
use super::datum::{Datum, Kind};
use super::engine;
use super::function::{
    FlatMapFunction, MapFunction, PartitionFunction, Predicate, ReduceFunction, StateFunction, TransformFunction,
    TransformWithFunction, UpdateFunction,
};
use super::program::{Input, Op, Output, Program, Step};
use super::{cases, naive};
use downbeat_engine::Settings;
use downbeat_engine::settings::{self, CodecKind, Combine, Compression, PoolKind};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};

/// How many programs CI runs; `DOWNBEAT_CONFORMANCE_CASES` says otherwise.
const CASES: u32 = 1000;

#[test]
fn conformance_engine_agrees_with_the_naive_interpreter_on_random_programs() {
    let number = |name| {
        std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} = {text} is no number")))
    };
    let cases =
        number("DOWNBEAT_CONFORMANCE_CASES").map_or(CASES, |cases: u64| u32::try_from(cases).unwrap_or(u32::MAX));
    let seed =
        number("DOWNBEAT_CONFORMANCE_SEED").unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    let mut seed_bytes = [0; 32];
    seed_bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes));
    let outcome = runner.run(&(programs(), settings()), |(program, settings)| {
        prop_assert_eq!(engine::run(&program, settings).canonical(), naive::run(&program).canonical());
        Ok(())
    });
    let repeat = format!("repeat with DOWNBEAT_CONFORMANCE_SEED={seed} DOWNBEAT_CONFORMANCE_CASES={cases}");
    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("{reason}; {repeat}"),
        Err(TestError::Fail(reason, (program, settings))) => {
            let program = serde_json::to_string(&program).expect("plain data");
            panic!("{reason}\nof the program {program}\nunder {settings:?}\n{repeat}");
        }
    }
}

/// A generator that never made a join would prove nothing of joins.
#[test]
fn conformance_random_programs_reach_every_operation() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (mut reached, mut refused, mut records) = (BTreeMap::<String, u32>::new(), 0, 0);
    for _ in 0..CASES {
        let program = programs().new_tree(&mut runner).expect("generates").current();
        program.steps.iter().for_each(|step| *reached.entry(step.op.name()).or_default() += 1);
        let answers = naive::run(&program);
        refused += u32::from(answers.refused.is_some());
        let shows = |seen: &Option<Seen>| matches!(seen, Some(Seen::Records(shown)) if !shown.is_empty());
        records += u32::from(answers.collected.values().flatten().any(shows));
    }
    let named =
        cases().into_iter().flat_map(|case| case.program.steps).map(|step| step.op.name()).collect::<BTreeSet<_>>();
    let rare = |name: &String| reached.get(name).is_none_or(|times| *times < 10);
    let missing: Vec<String> = named.into_iter().filter(rare).collect();
    assert!(missing.is_empty(), "{missing:?} are hardly ever in a random program: {reached:?}");
    assert!(refused < CASES / 5, "{refused} of {CASES} random programs are refused");
    assert!(records > CASES * 2 / 3, "only {records} of {CASES} random programs have an answer with records");
}

fn settings() -> impl Strategy<Value = Settings> {
    let pools = prop_oneof![Just(PoolKind::Rayon), Just(PoolKind::Sequential)];
    (1usize..4, prop::option::of(1usize..6), exchanges(), pools, any::<bool>(), any::<bool>()).prop_map(
        |(threads, partitions, exchange, pool, buffer_reuse, metrics)| Settings {
            threads,
            partitions,
            pool,
            buffer_reuse,
            metrics,
            ..exchange
        },
    )
}

fn exchanges() -> impl Strategy<Value = Settings> {
    let codecs = prop::sample::select(vec![
        CodecKind::None,
        CodecKind::Rkyv,
        CodecKind::Bitcode,
        CodecKind::Postcard,
        CodecKind::Wincode,
        CodecKind::Json,
    ]);
    let compressions = prop::sample::select(vec![Compression::None, Compression::Lz4, Compression::Zstd]);
    let combines = prop::sample::select(vec![Combine::Always, Combine::Never, Combine::Adaptive]);
    let hashers =
        prop::sample::select(vec![settings::Hasher::Mum, settings::Hasher::Foldhash, settings::Hasher::Siphash]);
    (codecs, compressions, combines, hashers).prop_map(|(codec, compression, combine, hasher)| {
        let compression = if codec == CodecKind::None { Compression::None } else { compression };
        Settings { codec, compression, combine, hasher, ..Settings::default() }
    })
}

fn programs() -> impl Strategy<Value = Program> {
    let inputs = prop::collection::vec(inputs(), 1..3);
    let steps = prop::collection::vec(any::<[Index; 6]>(), 1..7);
    let outputs = prop::collection::vec(any::<[Index; 3]>(), 1..4);
    (inputs, 1u64..10, steps, outputs).prop_map(|(inputs, batches, steps, outputs)| {
        let mut builder = Builder::new(&inputs);
        steps.iter().for_each(|choices| builder.step(&Choices { choices, next: 0.into() }));
        let outputs = builder.outputs(&outputs);
        Program {
            name: "random".to_owned(),
            edge: String::new(),
            shows: Vec::new(),
            inputs,
            batches,
            remember: None,
            list_completed: true,
            steps: builder.steps,
            outputs,
            differs: None,
        }
    })
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        input(Kind::Text, texts().prop_map(Datum::Text).boxed()),
        input(Kind::Number, (-3i64..5).prop_map(Datum::Number).boxed()),
        input(Kind::Pair, pairs().boxed()),
    ]
}

fn input(kind: Kind, records: BoxedStrategy<Datum>) -> impl Strategy<Value = Input> {
    let partitions = prop::collection::vec(records, 0..5);
    let batches = prop::collection::vec(prop::collection::vec(partitions, 0..4), 0..8);
    batches.prop_map(move |batches| Input { kind, batches })
}

fn texts() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "",
        " ",
        "é ü",
        "a-key-of-more-than-sixteen-bytes",
        "b a-key-of-more-than-sixteen-bytes",
    ]);
    prop_oneof![4 => "[ab]{1,2}", 2 => "[ab]( [a-c]){1,3}", 1 => fixed.prop_map(str::to_owned)]
}

fn pairs() -> impl Strategy<Value = Datum> {
    (prop_oneof![4 => "[a-d]", 1 => texts()], -3i64..5).prop_map(|(key, value)| Datum::Pair(key, value))
}

/// Random choices for one step, one after another; they are not independent, which costs nothing.
struct Choices<'c> {
    choices: &'c [Index; 6],
    next: std::cell::Cell<usize>,
}

impl Choices<'_> {
    /// One of `count`.
    fn below(&self, count: usize) -> usize {
        let next = self.next.get();
        self.next.set(next + 1);
        self.choices[next % self.choices.len()].index(count)
    }

    fn of<T: Clone>(&self, options: &[T]) -> T {
        options[self.below(options.len())].clone()
    }
}

/// What is known of a stream while a program is built.
#[derive(Clone)]
struct Known {
    name: String,
    kind: Kind,
    slide: u64,
    /// Which record is in which partition, and where, is defined.
    placed: bool,
    /// No key comes twice in a batch.
    unique: bool,
    /// It may have many records for each of the input; no more may be made of them.
    grown: bool,
}

/// Builds a program step by step.
struct Builder {
    streams: Vec<Known>,
    steps: Vec<Step>,
}

impl Builder {
    fn new(inputs: &[Input]) -> Self {
        let known = |(number, input): (usize, &Input)| Known {
            name: Program::input_name(number),
            kind: input.kind,
            slide: 1,
            placed: true,
            unique: false,
            grown: false,
        };
        Builder { streams: inputs.iter().enumerate().map(known).collect(), steps: Vec::new() }
    }

    /// Adds an operation on one of the streams, mostly one of the last.
    fn step(&mut self, choices: &Choices<'_>) {
        let back = choices.below(self.streams.len()).min(choices.below(self.streams.len()));
        let first = self.streams[self.streams.len() - 1 - back].clone();
        let second = self.second(&first, choices);
        let op = choices.of(&operations(&first, &second, choices));
        let mut of = vec![first.name.clone()];
        if is_binary(&op) {
            of.push(second.name.clone());
        }
        let name = format!("s{}", self.steps.len());
        let snapshots = match &op {
            Op::MapWithState { snapshots, .. } => snapshots.as_ref().map(|_| format!("{name}-states")),
            _ => None,
        };
        let made = made(&first, &second, &op, name.clone());
        if let Some(snapshots) = &snapshots {
            self.streams.push(Known { name: snapshots.clone(), kind: Kind::Pair, unique: true, ..made.clone() });
        }
        self.steps.push(Step { name, of, op: renamed(op, snapshots) });
        self.streams.push(made);
    }

    /// A stream to go with the first: of the same kind and, mostly, the same slide.
    fn second(&self, first: &Known, choices: &Choices<'_>) -> Known {
        let fits = |other: &&Known| other.kind == first.kind && (other.slide == first.slide || choices.below(16) == 0);
        let fitting: Vec<Known> = self.streams.iter().filter(fits).cloned().collect();
        choices.of(&fitting)
    }

    /// Outputs: the records of some streams, each once, and the print of one.
    fn outputs(&self, choices: &[[Index; 3]]) -> Vec<Output> {
        let mut outputs = Vec::new();
        let mut wanted = vec![self.streams.len() - 1];
        wanted.extend(choices.iter().map(|choice| choice[0].index(self.streams.len())));
        wanted.sort_unstable();
        wanted.dedup();
        for number in wanted {
            let Known { name, placed, .. } = &self.streams[number];
            outputs.push(Output::Collect { of: name.clone() });
            if *placed && choices[0][1].index(3) == 0 {
                outputs.push(Output::Print { of: name.clone(), records: choices[0][2].index(5) });
            }
        }
        outputs
    }
}

fn is_binary(op: &Op) -> bool {
    matches!(
        op,
        Op::Union
            | Op::TransformWith { .. }
            | Op::Cogroup
            | Op::Join
            | Op::LeftOuterJoin
            | Op::RightOuterJoin
            | Op::FullOuterJoin
    )
}

fn renamed(mut op: Op, name: Option<String>) -> Op {
    if let Op::MapWithState { snapshots, .. } = &mut op {
        *snapshots = name;
    }
    op
}

/// What is known of the stream that an operation makes.
fn made(first: &Known, second: &Known, op: &Op, name: String) -> Known {
    let narrow = matches!(
        op,
        Op::Map { .. }
            | Op::Filter { .. }
            | Op::FlatMap { .. }
            | Op::MapPartitions { .. }
            | Op::Glom
            | Op::Union
            | Op::MapValues { .. }
            | Op::FlatMapValues { .. }
    );
    let keeps_keys = matches!(op, Op::Filter { .. } | Op::MapValues { .. });
    let by_key = matches!(
        op,
        Op::ReduceByKey { .. }
            | Op::CountByValue
            | Op::CountByValueAndWindow { .. }
            | Op::ReduceByKeyAndWindow { .. }
            | Op::ReduceByKeyAndInverseWindow { .. }
            | Op::UpdateStateByKey { .. }
    );
    let grows = matches!(op, Op::FlatMap { .. } | Op::FlatMapValues { .. }) || is_binary(op);
    Known {
        name,
        kind: op.result(first.kind),
        slide: slide(op).unwrap_or(first.slide),
        placed: narrow && first.placed && (second.placed || !is_binary(op)),
        unique: by_key || keeps_keys && first.unique,
        grown: first.grown || grows || is_binary(op) && second.grown,
    }
}

fn slide(op: &Op) -> Option<u64> {
    match op {
        Op::Window { slide, .. } => *slide,
        Op::ReduceByWindow { slide, .. }
        | Op::CountByWindow { slide, .. }
        | Op::CountByValueAndWindow { slide, .. }
        | Op::GroupByKeyAndWindow { slide, .. }
        | Op::ReduceByKeyAndWindow { slide, .. }
        | Op::ReduceByKeyAndInverseWindow { slide, .. } => Some(*slide),
        _ => None,
    }
}

/// All operations that are well typed here.
fn operations(first: &Known, second: &Known, choices: &Choices<'_>) -> Vec<Op> {
    let mut options =
        vec![Op::Count, Op::CountByValue, Op::Union, Op::Repartition { partitions: choices.below(4) + 1 }];
    options.extend(maps(first.kind).into_iter().map(|function| Op::Map { function }));
    options.push(Op::Filter { function: choices.of(predicates(first.kind)) });
    options.push(Op::Transform { function: choices.of(&TRANSFORMS) });
    options.push(Op::TransformWith {
        function: choices.of(&[TransformWithFunction::Subtract, TransformWithFunction::Alternate]),
    });
    if first.placed {
        options.push(Op::Glom);
        options.push(Op::MapPartitions { function: choices.of(&[PartitionFunction::Size, PartitionFunction::First]) });
    }
    if !first.grown {
        options.extend(flat_maps(first.kind).into_iter().map(|function| Op::FlatMap { function }));
    }
    options.extend(windows(first, choices));
    match first.kind {
        Kind::Text => options.push(Op::Reduce { function: choices.of(&[ReduceFunction::Max, ReduceFunction::Min]) }),
        Kind::Number => options.push(Op::Reduce { function: choices.of(&REDUCTIONS) }),
        Kind::Pair => options.extend(keyed(first, second, choices)),
    }
    options
}

const TRANSFORMS: [TransformFunction; 4] = [
    TransformFunction::Distinct,
    TransformFunction::Label,
    TransformFunction::EmptyOnEven,
    TransformFunction::GreatestTwo,
];
const REDUCTIONS: [ReduceFunction; 3] = [ReduceFunction::Sum, ReduceFunction::Max, ReduceFunction::Min];

fn maps(of: Kind) -> Vec<MapFunction> {
    use MapFunction::{ByParity, Head, Increment, Key, Length, Negate, One, Same, ToX, Value};
    let all = [Same, Head, Length, One, Increment, Negate, ByParity, Key, Value, ToX];
    all.into_iter().filter(|function| function.result(of).is_some()).collect()
}

fn flat_maps(of: Kind) -> Vec<FlatMapFunction> {
    use FlatMapFunction::{Countdown, Spell, Twice, Words};
    [Words, Twice, Countdown, Spell].into_iter().filter(|function| function.result(of).is_some()).collect()
}

fn predicates(of: Kind) -> &'static [Predicate] {
    use Predicate::{AboveOne, All, Even, Long, None, Nonzero, Positive};
    if of == Kind::Text { &[All, None, Long] } else { &[All, None, Positive, Nonzero, Even, AboveOne] }
}

/// Windows, mostly of lengths that fit.
fn windows(first: &Known, choices: &Choices<'_>) -> Vec<Op> {
    let unit = if choices.below(16) == 0 { 1 } else { first.slide };
    let (length, slide) = ((choices.below(5) as u64 + 1) * unit, (choices.below(3) as u64 + 1) * unit);
    let mut options = vec![
        Op::Window { length, slide: Some(slide) },
        Op::Window { length, slide: None },
        Op::CountByWindow { length, slide },
        Op::CountByValueAndWindow { length, slide },
    ];
    match first.kind {
        Kind::Text => {}
        Kind::Number => {
            let inverse = choices.below(2) == 0;
            let function = if inverse { ReduceFunction::Sum } else { choices.of(&REDUCTIONS) };
            options.push(Op::ReduceByWindow { function, inverse, length, slide });
        }
        Kind::Pair => options.extend([
            Op::GroupByKeyAndWindow { length, slide },
            Op::ReduceByKeyAndWindow { function: choices.of(&REDUCTIONS), length, slide },
            Op::ReduceByKeyAndInverseWindow { filter: None, length, slide },
            Op::ReduceByKeyAndInverseWindow { filter: Some(Predicate::Nonzero), length, slide },
        ]),
    }
    options
}

fn keyed(first: &Known, second: &Known, choices: &Choices<'_>) -> Vec<Op> {
    let initial =
        (choices.below(2) == 0).then(|| vec![Datum::Pair("a".to_owned(), 10), Datum::Pair("z".to_owned(), 20)]);
    let updates =
        [UpdateFunction::Sum, UpdateFunction::SumUntilZero, UpdateFunction::DropWhenIdle, UpdateFunction::Age];
    let mut options = vec![
        Op::GroupByKey,
        Op::ReduceByKey { function: choices.of(&REDUCTIONS) },
        Op::CombineByKey,
        Op::MapValues { function: choices.of(&[MapFunction::Increment, MapFunction::Negate]) },
        Op::UpdateStateByKey { function: choices.of(&updates), initial: initial.clone() },
    ];
    if first.unique {
        let mapped = Op::MapWithState {
            function: choices.of(&[StateFunction::Script, StateFunction::Stubborn]),
            timeout: (choices.below(2) == 0).then(|| choices.below(3) as u64 + 1),
            checkpoint: None,
            initial,
            snapshots: (choices.below(2) == 0).then(String::new),
        };
        // Few streams are unique; those that are get it often enough.
        options.extend(std::iter::repeat_n(mapped, 4));
    }
    if !first.grown {
        let few = |key: &str| vec![Datum::Pair(key.to_owned(), 7), Datum::Pair("b".to_owned(), 8)];
        options.push(Op::FlatMapValues { function: choices.of(&[FlatMapFunction::Twice, FlatMapFunction::Countdown]) });
        options.push(Op::JoinDataset { dataset: vec![few("a"), few("c"), Vec::new(), few("b")] });
    }
    if !first.grown && !second.grown {
        options.extend([Op::Cogroup, Op::Join, Op::LeftOuterJoin, Op::RightOuterJoin, Op::FullOuterJoin]);
    }
    options
}
