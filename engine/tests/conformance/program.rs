//! The language of programs: jobs, their inputs and the number of their batches, as plain data.
//!
//! Batches count from 1, as do the labels of Spark's manual clock in seconds; windows, time-outs and slices are given in
//! batches. Three interpreters read programs: Spark (scripts/spark-conformance.d), downbeat (`engine`), and the naive one
//! (`naive`).

use super::answers::Answers;
use super::datum::{Datum, Kind};
use super::function::{
    FlatMapFunction, MapFunction, PartitionFunction, Predicate, ReduceFunction, StateFunction, TransformFunction,
    TransformWithFunction, UpdateFunction,
};
use serde::{Deserialize, Serialize};

/// A job with its input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// Named for the edge it is there for.
    pub(crate) name: String,
    /// The edge, in words.
    pub(crate) edge: String,
    /// Which rows of the conformance table it speaks for.
    pub(crate) shows: Vec<String>,
    /// The first is the stream `a`, the second `b`, and so on.
    pub(crate) inputs: Vec<Input>,
    /// How many batches to run; inputs that end before give empty ones.
    pub(crate) batches: u64,
    /// For how many batches streams must be remembered, for slices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remember: Option<u64>,
    /// The numbers of the batches that listeners hear of are an answer too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) list_completed: bool,
    /// The streams that are made of the inputs, in an order in which each knows those it is made of.
    pub(crate) steps: Vec<Step>,
    /// In the order of the job.
    pub(crate) outputs: Vec<Output>,
    /// Downbeat's answer is another one on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) differs: Option<Differs>,
}

/// The content of one input, by batch and partition.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    pub(crate) kind: Kind,
    pub(crate) batches: Vec<Vec<Vec<Datum>>>,
}

/// A stream that is made of others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Its name.
    #[serde(rename = "let")]
    pub(crate) name: String,
    /// The streams it is made of.
    pub(crate) of: Vec<String>,
    /// How.
    #[serde(flatten)]
    pub(crate) op: Op,
}

/// An operation. What is made of groups and joins is shown as text at once, so that there are no further kinds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Op {
    Map {
        function: MapFunction,
    },
    Filter {
        function: Predicate,
    },
    FlatMap {
        function: FlatMapFunction,
    },
    MapPartitions {
        function: PartitionFunction,
    },
    Glom,
    Repartition {
        partitions: usize,
    },
    Union,
    Count,
    Reduce {
        function: ReduceFunction,
    },
    CountByValue,
    Transform {
        function: TransformFunction,
    },
    TransformWith {
        function: TransformWithFunction,
    },
    MapValues {
        function: MapFunction,
    },
    FlatMapValues {
        function: FlatMapFunction,
    },
    GroupByKey,
    ReduceByKey {
        function: ReduceFunction,
    },
    /// The sum of the values of each key and their number, as `key:sum/number`.
    CombineByKey,
    Cogroup,
    Join,
    LeftOuterJoin,
    RightOuterJoin,
    FullOuterJoin,
    /// The dataset is another one at each batch; the last one stays.
    JoinDataset {
        dataset: Vec<Vec<Datum>>,
    },
    Window {
        length: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slide: Option<u64>,
    },
    /// With `inverse`, the function is the sum.
    ReduceByWindow {
        function: ReduceFunction,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        inverse: bool,
        length: u64,
        slide: u64,
    },
    CountByWindow {
        length: u64,
        slide: u64,
    },
    CountByValueAndWindow {
        length: u64,
        slide: u64,
    },
    GroupByKeyAndWindow {
        length: u64,
        slide: u64,
    },
    ReduceByKeyAndWindow {
        function: ReduceFunction,
        length: u64,
        slide: u64,
    },
    /// Of sums. Downbeat has no filter here: the same predicate filters the stream afterwards.
    ReduceByKeyAndInverseWindow {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<Predicate>,
        length: u64,
        slide: u64,
    },
    UpdateStateByKey {
        function: UpdateFunction,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        initial: Option<Vec<Datum>>,
    },
    MapWithState {
        function: StateFunction,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<u64>,
        /// At every so many batches Spark writes a checkpoint; only then does it look for time-outs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        initial: Option<Vec<Datum>>,
        /// The name of the stream of all states.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshots: Option<String>,
    },
}

/// An output operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "output", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Output {
    /// The records of each batch.
    Collect {
        of: String,
    },
    Print {
        of: String,
        records: usize,
    },
    SaveAsTextFiles {
        of: String,
        prefix: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suffix: Option<String>,
    },
    /// Once batch `after` is done: the batches in `from..=to`.
    Slice {
        of: String,
        after: u64,
        from: u64,
        to: u64,
    },
}

/// Why downbeat's answer is another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Differs {
    /// The heading in SEMANTICS.md.
    pub(crate) section: String,
    /// In one sentence.
    pub(crate) reason: String,
    /// Downbeat's answers.
    pub(crate) own: Answers,
}

impl Op {
    /// Its name in programs.
    pub(crate) fn name(&self) -> String {
        let json = serde_json::to_value(self).expect("plain data");
        json["op"].as_str().expect("the tag").to_owned()
    }

    /// The kind of its records, given that of the first stream it is made of.
    pub(crate) fn result(&self, of: Kind) -> Kind {
        match self {
            Op::Map { function } => function.result(of).expect("a function for this kind"),
            Op::FlatMap { function } => function.result(of).expect("a function for this kind"),
            Op::MapPartitions { function } => function.result(of),
            Op::Transform { function } => function.result(of),
            Op::Count | Op::CountByWindow { .. } => Kind::Number,
            Op::CountByValue | Op::CountByValueAndWindow { .. } => Kind::Pair,
            Op::Glom
            | Op::GroupByKey
            | Op::CombineByKey
            | Op::Cogroup
            | Op::Join
            | Op::LeftOuterJoin
            | Op::RightOuterJoin
            | Op::FullOuterJoin
            | Op::JoinDataset { .. }
            | Op::GroupByKeyAndWindow { .. }
            | Op::MapWithState { .. } => Kind::Text,
            Op::Filter { .. }
            | Op::Repartition { .. }
            | Op::Union
            | Op::Reduce { .. }
            | Op::TransformWith { .. }
            | Op::MapValues { .. }
            | Op::FlatMapValues { .. }
            | Op::ReduceByKey { .. }
            | Op::Window { .. }
            | Op::ReduceByWindow { .. }
            | Op::ReduceByKeyAndWindow { .. }
            | Op::ReduceByKeyAndInverseWindow { .. }
            | Op::UpdateStateByKey { .. } => of,
        }
    }
}

impl Program {
    /// The name of the input of this number.
    pub(crate) fn input_name(number: usize) -> String {
        char::from(b'a' + u8::try_from(number).expect("few inputs")).to_string()
    }
}
