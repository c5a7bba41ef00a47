//! The naive interpreter: single-threaded, over whole histories, one obvious definition per operation, nothing shared with the
//! engine. It says what downbeat must answer.

use super::answers::{Answers, Files, Seen, shown};
use super::datum::{Datum, bracketed, joined, sorted_list};
use super::function::{StateFunction, UpdateFunction};
use super::program::{Input, Op, Output, Program, Step};
use std::collections::{BTreeMap, BTreeSet};

/// The records of a batch, by partition. After an exchange there is one partition, since which key is where is nobody's business.
type Partitions = Vec<Vec<Datum>>;

/// What an operation makes of a batch.
type Refused<T> = Result<T, String>;

/// A stream from its first batch to its last.
#[derive(Clone)]
struct History {
    /// It has records at every so many batches.
    slide: u64,
    /// By batch, from batch 1; `None` between slides.
    batches: Vec<Option<Partitions>>,
}

impl History {
    /// A stream that slides so, made batch by batch.
    fn new(slide: u64, batches: u64, mut make: impl FnMut(u64) -> Partitions) -> Self {
        let fires = |batch: u64| batch.is_multiple_of(slide);
        History { slide, batches: (1..=batches).map(|batch| fires(batch).then(|| make(batch))).collect() }
    }

    fn last_batch(&self) -> u64 {
        self.batches.len() as u64
    }

    /// The partitions of a batch; none where there is nothing.
    fn partitions(&self, batch: u64) -> &[Vec<Datum>] {
        let index = usize::try_from(batch).expect("few batches") - 1;
        self.batches[index].as_deref().unwrap_or_default()
    }

    /// The records of a batch.
    fn records(&self, batch: u64) -> Vec<Datum> {
        self.partitions(batch).concat()
    }

    /// The same slide, each batch's partitions changed.
    fn map(&self, change: impl Fn(&[Vec<Datum>], u64) -> Partitions) -> History {
        History::new(self.slide, self.last_batch(), |batch| change(self.partitions(batch), batch))
    }

    /// The same slide, each record changed where it is.
    fn map_records(&self, change: impl Fn(&Datum) -> Vec<Datum>) -> History {
        self.map(|partitions, _| {
            partitions.iter().map(|partition| partition.iter().flat_map(&change).collect()).collect()
        })
    }

    /// The same slide, all records of a batch made into one partition of others.
    fn map_batches(&self, change: impl Fn(Vec<Datum>, u64) -> Vec<Datum>) -> History {
        self.map(|partitions, batch| vec![change(partitions.concat(), batch)])
    }

    /// The batches of the window that ends with each slide.
    fn window(&self, length: u64, slide: u64) -> Refused<History> {
        for (name, batches) in [("length", length), ("slide", slide)] {
            if batches == 0 || !batches.is_multiple_of(self.slide) {
                return Err(format!("the {name} of {batches} is no multiple of {}", self.slide));
            }
        }
        Ok(History::new(slide, self.last_batch(), |batch| {
            let first = (batch + 1).saturating_sub(length).max(1);
            (first..=batch).flat_map(|batch| self.partitions(batch).to_vec()).collect()
        }))
    }

    /// The same as `window`, for what is carried from slide to slide: no batch may fall between two windows.
    fn inverse_window(&self, length: u64, slide: u64) -> Refused<History> {
        if slide > length {
            return Err(format!("the slide of {slide} is longer than the window of {length}"));
        }
        self.window(length, slide)
    }
}

/// Runs a program.
pub(crate) fn run(program: &Program) -> Answers {
    match histories(program) {
        Ok(_) if program.outputs.is_empty() => Answers::refusal("no output operation"),
        Ok(streams) => answers(program, &streams),
        Err(refusal) => Answers::refusal(refusal),
    }
}

fn histories(program: &Program) -> Refused<BTreeMap<String, History>> {
    let mut streams = BTreeMap::new();
    for (number, input) in program.inputs.iter().enumerate() {
        streams.insert(Program::input_name(number), read(input, program.batches));
    }
    for step in &program.steps {
        let of: Vec<History> = step.of.iter().map(|name| streams[name].clone()).collect();
        if of.iter().any(|stream| stream.slide != of[0].slide) {
            return Err(format!("{}: all streams must slide alike", step.name));
        }
        if let Op::MapWithState { snapshots: Some(name), .. } = &step.op {
            streams.insert(name.clone(), map_with_state(step, &of[0]).1);
        }
        let made = operate(step, &of)?;
        streams.insert(step.name.clone(), made);
    }
    Ok(streams)
}

fn read(input: &Input, batches: u64) -> History {
    History::new(1, batches, |batch| {
        let index = usize::try_from(batch).expect("few batches") - 1;
        input.batches.get(index).cloned().unwrap_or_default()
    })
}

fn operate(step: &Step, of: &[History]) -> Refused<History> {
    let first = &of[0];
    Ok(match &step.op {
        Op::Map { function } => first.map_records(|record| vec![function.apply(record)]),
        Op::Filter { function } => {
            first.map_records(|record| if function.keeps(record) { vec![record.clone()] } else { Vec::new() })
        }
        Op::FlatMap { function } => first.map_records(|record| function.apply(record)),
        Op::MapPartitions { function } => {
            first.map(|partitions, _| partitions.iter().map(|partition| function.apply(partition)).collect())
        }
        Op::Glom => first
            .map(|partitions, _| partitions.iter().map(|partition| vec![Datum::Text(bracketed(partition))]).collect()),
        Op::Repartition { partitions } => first.map(|of, _| spread(&of.concat(), *partitions)),
        Op::Union => History::new(first.slide, first.last_batch(), |batch| {
            of.iter().flat_map(|side| side.partitions(batch).to_vec()).collect()
        }),
        Op::Count => first.map_batches(|records, _| vec![Datum::Number(records.len() as i64)]),
        Op::Reduce { function } => first
            .map_batches(|records, _| records.into_iter().reduce(|a, b| function.apply(a, b)).into_iter().collect()),
        Op::CountByValue => first.map_batches(|records, _| counts(&records)),
        Op::Transform { function } => first.map_batches(|records, batch| function.apply(&records, batch)),
        Op::TransformWith { function } => {
            first.map_batches(|records, batch| function.apply(&records, &of[1].records(batch), batch))
        }
        Op::MapValues { function } => first.map_records(|record| {
            let (key, value) = record.pair();
            vec![Datum::Pair(key.to_owned(), function.apply(&Datum::Number(value)).number())]
        }),
        Op::FlatMapValues { function } => first.map_records(|record| {
            let (key, value) = record.pair();
            let values = function.apply(&Datum::Number(value));
            values.into_iter().map(|value| Datum::Pair(key.to_owned(), value.number())).collect()
        }),
        Op::GroupByKey => first.map_batches(|records, _| grouped(&records)),
        Op::ReduceByKey { function } => first.map_batches(|records, _| {
            per_key(&records, |values| values.into_iter().reduce(|a, b| function.numbers(a, b)))
        }),
        Op::CombineByKey => first.map_batches(|records, _| {
            let mean = |(key, values): (String, Vec<i64>)| {
                Datum::Text(format!("{key}:{}/{}", values.iter().sum::<i64>(), values.len()))
            };
            groups(&records).into_iter().map(mean).collect()
        }),
        Op::Cogroup => first.map_batches(|records, batch| cogrouped(&records, &of[1].records(batch))),
        Op::Join => first.map_batches(|records, batch| join(&records, &of[1].records(batch), false, false)),
        Op::LeftOuterJoin => first.map_batches(|records, batch| join(&records, &of[1].records(batch), true, false)),
        Op::RightOuterJoin => first.map_batches(|records, batch| join(&records, &of[1].records(batch), false, true)),
        Op::FullOuterJoin => first.map_batches(|records, batch| join(&records, &of[1].records(batch), true, true)),
        Op::JoinDataset { dataset } => first.map_batches(|records, batch| {
            let number = usize::try_from(batch).expect("few batches").min(dataset.len());
            join(&records, &dataset[number - 1], false, false)
        }),
        Op::Window { length, slide } => first.window(*length, slide.unwrap_or(first.slide))?,
        Op::ReduceByWindow { function, inverse, length, slide } => {
            let window =
                if *inverse { first.inverse_window(*length, *slide)? } else { first.window(*length, *slide)? };
            window
                .map_batches(|records, _| records.into_iter().reduce(|a, b| function.apply(a, b)).into_iter().collect())
        }
        Op::CountByWindow { length, slide } => count_by_window(first, *length, *slide)?,
        Op::CountByValueAndWindow { length, slide } => {
            first.inverse_window(*length, *slide)?.map_batches(|records, _| counts(&records))
        }
        Op::GroupByKeyAndWindow { length, slide } => {
            first.window(*length, *slide)?.map_batches(|records, _| grouped(&records))
        }
        Op::ReduceByKeyAndWindow { function, length, slide } => {
            first.window(*length, *slide)?.map_batches(|records, _| {
                per_key(&records, |values| values.into_iter().reduce(|a, b| function.numbers(a, b)))
            })
        }
        Op::ReduceByKeyAndInverseWindow { filter, length, slide } => {
            first.inverse_window(*length, *slide)?.map_batches(|records, _| {
                let sums = per_key(&records, |values| Some(values.into_iter().sum()));
                sums.into_iter().filter(|sum| filter.is_none_or(|filter| filter.keeps(sum))).collect()
            })
        }
        Op::UpdateStateByKey { function, initial } => {
            update_state(first, *function, initial.as_deref().unwrap_or_default())
        }
        Op::MapWithState { .. } => map_with_state(step, first).0,
    })
}

/// Records dealt out to partitions in turn.
fn spread(records: &[Datum], partitions: usize) -> Partitions {
    let share = |number: usize| records.iter().skip(number).step_by(partitions).cloned().collect();
    (0..partitions).map(share).collect()
}

/// The values of each key, in order of the records.
fn groups(records: &[Datum]) -> BTreeMap<String, Vec<i64>> {
    let mut groups = BTreeMap::<String, Vec<i64>>::new();
    for (key, value) in records.iter().map(Datum::pair) {
        groups.entry(key.to_owned()).or_default().push(value);
    }
    groups
}

fn per_key(records: &[Datum], combine: impl Fn(Vec<i64>) -> Option<i64>) -> Vec<Datum> {
    let combined = groups(records).into_iter().filter_map(|(key, values)| Some((key, combine(values)?)));
    combined.map(|(key, value)| Datum::Pair(key, value)).collect()
}

fn counts(records: &[Datum]) -> Vec<Datum> {
    let ones: Vec<Datum> = records.iter().map(|record| Datum::Pair(record.to_string(), 1)).collect();
    per_key(&ones, |ones| Some(ones.len() as i64))
}

/// Nothing before the first record of all, a number from then on.
fn count_by_window(of: &History, length: u64, slide: u64) -> Refused<History> {
    let has_begun = |batch: u64| (1..=batch).any(|batch| !of.records(batch).is_empty());
    Ok(of.inverse_window(length, slide)?.map_batches(|records, batch| {
        if has_begun(batch) { vec![Datum::Number(records.len() as i64)] } else { Vec::new() }
    }))
}

fn grouped(records: &[Datum]) -> Vec<Datum> {
    groups(records).into_iter().map(|(key, values)| Datum::Text(format!("{key}:{}", sorted_list(&values)))).collect()
}

fn keys_of_both<'g>(
    left: &'g BTreeMap<String, Vec<i64>>,
    right: &'g BTreeMap<String, Vec<i64>>,
) -> BTreeSet<&'g String> {
    left.keys().chain(right.keys()).collect()
}

fn cogrouped(left: &[Datum], right: &[Datum]) -> Vec<Datum> {
    let (left, right) = (groups(left), groups(right));
    let list = |side: &BTreeMap<String, Vec<i64>>, key| sorted_list(side.get(key).map_or(&[], Vec::as_slice));
    keys_of_both(&left, &right)
        .into_iter()
        .map(|key| Datum::Text(format!("{key}:{}|{}", list(&left, key), list(&right, key))))
        .collect()
}

/// Each value of a key on the left with each on the right; a side that may miss stands in with nothing.
fn join(left: &[Datum], right: &[Datum], keep_left: bool, keep_right: bool) -> Vec<Datum> {
    let (left, right) = (groups(left), groups(right));
    let side = |side: &BTreeMap<String, Vec<i64>>, key: &String, may_miss: bool| -> Vec<Option<i64>> {
        match side.get(key) {
            Some(values) => values.iter().map(|value| Some(*value)).collect(),
            None if may_miss => vec![None],
            None => Vec::new(),
        }
    };
    let mut joins = Vec::new();
    for key in keys_of_both(&left, &right) {
        for left in side(&left, key, keep_right) {
            for right in side(&right, key, keep_left) {
                joins.push(joined(key, left, right));
            }
        }
    }
    joins
}

fn update_state(of: &History, function: UpdateFunction, initial: &[Datum]) -> History {
    let mut states: BTreeMap<String, i64> =
        initial.iter().map(Datum::pair).map(|(key, state)| (key.to_owned(), state)).collect();
    History::new(of.slide, of.last_batch(), |batch| {
        let values = groups(&of.records(batch));
        let keys: BTreeSet<String> = states.keys().chain(values.keys()).cloned().collect();
        let update = |key: String| {
            let values = values.get(&key).map_or(&[][..], Vec::as_slice);
            function.apply(values, states.get(&key).copied()).map(|state| (key, state))
        };
        states = keys.into_iter().filter_map(update).collect();
        vec![states.iter().map(|(key, state)| Datum::Pair(key.clone(), *state)).collect()]
    })
}

/// The state of a key, and the batch in which it was last touched.
type Stamped = (i64, u64);

/// The stream of what the function gives, and that of all states.
fn map_with_state(step: &Step, of: &History) -> (History, History) {
    let Op::MapWithState { function, timeout, initial, .. } = &step.op else { panic!("{} has no state", step.name) };
    let initial = initial.iter().flatten().map(Datum::pair);
    let mut states: BTreeMap<String, Stamped> =
        initial.map(|(key, state)| (key.to_owned(), (state, of.slide))).collect();
    let mut snapshots = BTreeMap::new();
    let mapped = History::new(of.slide, of.last_batch(), |batch| {
        let mut given = Vec::new();
        for record in of.records(batch) {
            given.extend(state_call(record.pair(), &mut states, batch, timeout.is_some()));
        }
        if let Some(timeout) = timeout {
            given.extend(time_out(*function, &mut states, batch, *timeout));
        }
        snapshots
            .insert(batch, states.iter().map(|(key, (state, _))| Datum::Pair(key.clone(), *state)).collect::<Vec<_>>());
        vec![given.into_iter().map(Datum::Text).collect()]
    });
    let snapshots = History::new(of.slide, of.last_batch(), |batch| vec![snapshots[&batch].clone()]);
    (mapped, snapshots)
}

/// What a record does to the state of its key, and what it gives.
fn state_call(
    (key, value): (&str, i64),
    states: &mut BTreeMap<String, Stamped>,
    batch: u64,
    touch: bool,
) -> Option<String> {
    let state = states.get(key).map(|(state, _)| *state);
    if touch && let Some((_, touched)) = states.get_mut(key) {
        *touched = batch;
    }
    match value {
        1.. => {
            let sum = state.unwrap_or(0) + value;
            states.insert(key.to_owned(), (sum, batch));
            Some(format!("{key}={sum}"))
        }
        0 => {
            states.remove(key);
            Some(format!("{key} {}", if state.is_some() { "removed" } else { "absent" }))
        }
        -2 => None,
        // To remove what is not there is no misuse.
        -3 | -4 | -6 => {
            states.remove(key);
            Some(match value {
                -3 => format!("{key} remove, update: refused"),
                -4 => format!("{key} remove, remove: refused"),
                _ => format!("{key} remove: taken"),
            })
        }
        -5 => Some(format!("{key} get: {}", if state.is_some() { "taken" } else { "refused" })),
        _ => {
            let is = state.map_or("is not".to_owned(), |state| format!("is {state}"));
            Some(format!("{key} {is} at {batch}"))
        }
    }
}

/// Lets go of the keys that have been idle for strictly longer than the time-out; returns what the last call for each gives.
fn time_out(function: StateFunction, states: &mut BTreeMap<String, Stamped>, batch: u64, timeout: u64) -> Vec<String> {
    let idle = |(_, touched): &Stamped| touched + timeout < batch;
    let gone: Vec<(String, Stamped)> =
        states.iter().filter(|(_, state)| idle(state)).map(|(key, state)| (key.clone(), *state)).collect();
    states.retain(|_, state| !idle(state));
    let last = |(key, (state, _)): (String, Stamped)| match function {
        StateFunction::Script => format!("{key} times out at {state}"),
        StateFunction::Stubborn => format!("{key} times out at {state}, update: refused, remove: refused"),
    };
    gone.into_iter().map(last).collect()
}

fn answers(program: &Program, streams: &BTreeMap<String, History>) -> Answers {
    let mut answers =
        Answers { completed: program.list_completed.then(|| (1..=program.batches).collect()), ..Answers::default() };
    for output in &program.outputs {
        match output {
            Output::Collect { of } => {
                let seen = |batch: &Option<Partitions>| {
                    batch.as_ref().map(|partitions| Seen::Records(shown(partitions.concat())))
                };
                answers.collected.insert(of.clone(), streams[of].batches.iter().map(seen).collect());
            }
            Output::Print { of, records } => {
                let printed = answers.printed.get_or_insert_with(|| vec![String::new(); streams[of].batches.len()]);
                for (page, (batch, partitions)) in printed.iter_mut().zip((1u64..).zip(&streams[of].batches)) {
                    page.push_str(
                        &partitions
                            .as_ref()
                            .map(|partitions| print(&partitions.concat(), *records, batch))
                            .unwrap_or_default(),
                    );
                }
            }
            Output::SaveAsTextFiles { of, prefix, suffix } => {
                save(answers.files.get_or_insert_default(), &streams[of], prefix, suffix.as_deref());
            }
            Output::Slice { of, from, to, .. } => answers.sliced.push(slice(&streams[of], *from, *to)),
        }
    }
    answers
}

/// What Spark prints of a batch.
fn print(records: &[Datum], wanted: usize, batch: u64) -> String {
    let rule = "-".repeat(43);
    let mut lines = vec![rule.clone(), format!("Time: {batch}000 ms"), rule];
    lines.extend(records.iter().take(wanted).map(Datum::to_string));
    if records.len() > wanted {
        lines.push("...".to_owned());
    }
    lines.push(String::new());
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A directory for each batch, a file for each partition, a marker of success.
fn save(files: &mut Files, of: &History, prefix: &str, suffix: Option<&str>) {
    for (batch, partitions) in (1u64..).zip(&of.batches) {
        let Some(partitions) = partitions else { continue };
        let suffix = suffix.map(|suffix| format!(".{suffix}")).unwrap_or_default();
        let directory = files.entry(format!("{prefix}-{batch}000{suffix}")).or_default();
        directory.insert("_SUCCESS".to_owned(), Vec::new());
        for (number, partition) in partitions.iter().enumerate() {
            directory.insert(format!("part-{number:05}"), partition.iter().map(Datum::to_string).collect());
        }
    }
}

/// The batches of a stream from one to another, both included, both moved to the slide before.
fn slice(of: &History, from: u64, to: u64) -> Vec<Vec<String>> {
    let batches =
        (from - from % of.slide..=to - to % of.slide).step_by(usize::try_from(of.slide).expect("few batches"));
    batches.filter(|batch| *batch > 0).map(|batch| shown(of.records(batch))).collect()
}
