//! The closed list of functions that programs name; `scripts/spark-conformance.d/Functions.java` holds the same in Java.

use super::datum::{Datum, Kind};
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$documentation:meta])* $name:ident { $($variant:ident),* $(,)? })*) => {$(
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name { $($variant),* }
    )*};
}

names! {
    /// Of `map` and, for numbers, `map_values`: a text's first character, its length in characters, itself with the number 1; a number plus one, negated, with
    /// its parity as key; a pair's key, its value, the same under the key `x`.
    MapFunction { Same, Head, Length, One, Increment, Negate, ByParity, Key, Value, ToX }
    /// Of `filter`: texts of more than one character; numbers and the values of pairs by what they are.
    Predicate { All, None, Long, Positive, Nonzero, Even, AboveOne }
    /// Of `flat_map` and, for numbers, `flat_map_values`: the words of a text; a record twice; a number, the next smaller one, and so on down to 1; the key of a
    /// pair as many times as its value says.
    FlatMapFunction { Words, Twice, Countdown, Spell }
    /// Of `map_partitions`: how many records there are; the first one.
    PartitionFunction { Size, First }
    /// Of everything that reduces.
    ReduceFunction { Sum, Max, Min }
    /// Of `transform`: without duplicates; each as `BATCH:record`; nothing in batches of an even number; the two that are shown greatest.
    TransformFunction { Distinct, Label, EmptyOnEven, GreatestTwo }
    /// Of `transform_with`: what the other side does not have; the other side in batches of an even number.
    TransformWithFunction { Subtract, Alternate }
    /// Of `update_state_by_key`: the sum; the same until it is 0; the same until a batch has no value; for how many batches the key has been there.
    UpdateFunction { Sum, SumUntilZero, DropWhenIdle, Age }
    /// Of `map_with_state`. The value of a record says what is done to the state of its key: a positive one is added to it; 0 removes it, -2 gives
    /// nothing, -3 removes then updates, -4 removes twice, -5 gets it in any case, -6 removes it in any case; any other looks at it. `stubborn` tries to change states
    /// that are timing out.
    StateFunction { Script, Stubborn }
}

impl MapFunction {
    pub(crate) fn apply(self, record: &Datum) -> Datum {
        match self {
            MapFunction::Same => record.clone(),
            MapFunction::Head => Datum::Text(record.text().chars().take(1).collect()),
            MapFunction::Length => Datum::Number(record.text().chars().count() as i64),
            MapFunction::One => Datum::Pair(record.text().to_owned(), 1),
            MapFunction::Increment => Datum::Number(record.number() + 1),
            MapFunction::Negate => Datum::Number(-record.number()),
            MapFunction::ByParity => {
                let parity = if record.number() % 2 == 0 { "even" } else { "odd" };
                Datum::Pair(parity.to_owned(), record.number())
            }
            MapFunction::Key => Datum::Text(record.pair().0.to_owned()),
            MapFunction::Value => Datum::Number(record.pair().1),
            MapFunction::ToX => Datum::Pair("x".to_owned(), record.pair().1),
        }
    }

    /// What it makes of records of this kind; `None` where it cannot be used.
    pub(crate) fn result(self, of: Kind) -> Option<Kind> {
        match (self, of) {
            (MapFunction::Same, kind) => Some(kind),
            (MapFunction::Head, Kind::Text) | (MapFunction::Key, Kind::Pair) => Some(Kind::Text),
            (MapFunction::Length, Kind::Text) | (MapFunction::Value, Kind::Pair) => Some(Kind::Number),
            (MapFunction::Increment | MapFunction::Negate, Kind::Number) => Some(Kind::Number),
            (MapFunction::One, Kind::Text) | (MapFunction::ByParity, Kind::Number) | (MapFunction::ToX, Kind::Pair) => {
                Some(Kind::Pair)
            }
            _ => None,
        }
    }
}

impl Predicate {
    pub(crate) fn keeps(self, record: &Datum) -> bool {
        match self {
            Predicate::All => true,
            Predicate::None => false,
            Predicate::Long => record.text().chars().count() > 1,
            Predicate::Positive => record.number() > 0,
            Predicate::Nonzero => record.number() != 0,
            Predicate::Even => record.number() % 2 == 0,
            Predicate::AboveOne => record.number() > 1,
        }
    }
}

impl FlatMapFunction {
    pub(crate) fn apply(self, record: &Datum) -> Vec<Datum> {
        match self {
            FlatMapFunction::Words => {
                record.text().split(' ').filter(|word| !word.is_empty()).map(|word| Datum::Text(word.into())).collect()
            }
            FlatMapFunction::Twice => vec![record.clone(); 2],
            FlatMapFunction::Countdown => (1..=record.number()).rev().map(Datum::Number).collect(),
            FlatMapFunction::Spell => {
                let (key, times) = record.pair();
                vec![Datum::Text(key.to_owned()); usize::try_from(times).unwrap_or(0)]
            }
        }
    }

    /// What it makes of records of this kind; `None` where it cannot be used.
    pub(crate) fn result(self, of: Kind) -> Option<Kind> {
        match (self, of) {
            (FlatMapFunction::Twice, kind) => Some(kind),
            (FlatMapFunction::Words, Kind::Text) | (FlatMapFunction::Spell, Kind::Pair) => Some(Kind::Text),
            (FlatMapFunction::Countdown, Kind::Number) => Some(Kind::Number),
            _ => None,
        }
    }
}

impl PartitionFunction {
    pub(crate) fn apply(self, partition: &[Datum]) -> Vec<Datum> {
        match self {
            PartitionFunction::Size => vec![Datum::Number(partition.len() as i64)],
            PartitionFunction::First => partition.first().cloned().into_iter().collect(),
        }
    }

    pub(crate) fn result(self, of: Kind) -> Kind {
        match self {
            PartitionFunction::Size => Kind::Number,
            PartitionFunction::First => of,
        }
    }
}

impl ReduceFunction {
    /// Of two numbers, or of two texts.
    pub(crate) fn apply(self, left: Datum, right: Datum) -> Datum {
        match self {
            ReduceFunction::Sum => Datum::Number(left.number() + right.number()),
            ReduceFunction::Max => left.max(right),
            ReduceFunction::Min => left.min(right),
        }
    }

    pub(crate) fn numbers(self, left: i64, right: i64) -> i64 {
        self.apply(Datum::Number(left), Datum::Number(right)).number()
    }
}

impl TransformFunction {
    pub(crate) fn apply(self, records: &[Datum], batch: u64) -> Vec<Datum> {
        let mut records = records.to_vec();
        match self {
            TransformFunction::Distinct => {
                records.sort();
                records.dedup();
                records
            }
            TransformFunction::Label => records.iter().map(|record| Datum::Text(format!("{batch}:{record}"))).collect(),
            TransformFunction::EmptyOnEven if batch.is_multiple_of(2) => Vec::new(),
            TransformFunction::EmptyOnEven => records,
            TransformFunction::GreatestTwo => {
                records.sort_by_key(|record| std::cmp::Reverse(record.to_string()));
                records.truncate(2);
                records
            }
        }
    }

    pub(crate) fn result(self, of: Kind) -> Kind {
        if self == TransformFunction::Label { Kind::Text } else { of }
    }
}

impl TransformWithFunction {
    pub(crate) fn apply(self, left: &[Datum], right: &[Datum], batch: u64) -> Vec<Datum> {
        match self {
            TransformWithFunction::Subtract => left.iter().filter(|record| !right.contains(record)).cloned().collect(),
            TransformWithFunction::Alternate if batch.is_multiple_of(2) => right.to_vec(),
            TransformWithFunction::Alternate => left.to_vec(),
        }
    }
}

impl UpdateFunction {
    /// The new state of a key; `None` removes it.
    pub(crate) fn apply(self, values: &[i64], state: Option<i64>) -> Option<i64> {
        let sum = state.unwrap_or(0) + values.iter().sum::<i64>();
        match self {
            UpdateFunction::Sum => Some(sum),
            UpdateFunction::SumUntilZero => Some(sum).filter(|sum| *sum != 0),
            UpdateFunction::DropWhenIdle => Some(sum).filter(|_| !values.is_empty()),
            UpdateFunction::Age => Some(state.map_or(0, |age| age + 1)),
        }
    }
}
