//! The records of a batch, and of one of its partitions, as an output operation sees them.

use super::Label;
use crate::dstream::{BatchTime, Node, Prepared, Sink};
use crate::record::Family;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;

/// The records of one batch.
pub struct Batch<'b, R: Family> {
    node: &'b dyn Node<R>,
    id: u64,
    partitions: usize,
    label: Label,
    operator: Operator,
}

impl<'b, R: Family> Batch<'b, R> {
    pub(super) fn new(
        node: &'b dyn Node<R>,
        run: &JobRun<'_>,
        prepared: Prepared,
        label: Label,
        operator: Operator,
    ) -> Self {
        Batch { node, id: run.batch, partitions: prepared.partitions, label, operator }
    }

    /// Counts live batches from 0; primed ones count on their own.
    pub fn index(&self) -> u64 {
        self.label.index
    }

    /// Label: wall time of the end of the interval.
    pub fn time(&self) -> BatchTime {
        BatchTime::of_milliseconds(self.label.time_ns / 1_000_000)
    }

    /// Label: wall time of the end of the interval, nanoseconds since 1970.
    pub fn time_ns(&self) -> i64 {
        self.label.time_ns
    }

    /// Run back to back to fill windows and state before the first live batch.
    pub fn is_primed(&self) -> bool {
        self.label.primed
    }

    /// Partitions the records are in.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// One of its partitions; `number` is below `partitions()`.
    pub(super) fn partition(&self, number: usize) -> Partition<'b, R> {
        Partition { node: self.node, id: self.id, number, label: self.label, operator: self.operator }
    }

    /// Shows each record, partition by partition, on this thread.
    pub fn for_each(&self, mut visit: impl FnMut(R::View<'_>)) {
        (0..self.partitions).for_each(|partition| self.for_each_of(partition, &mut visit));
    }

    /// Shows each record, partition by partition, on this thread, until `visit` fails.
    ///
    /// # Errors
    /// The first that `visit` returns.
    pub fn try_for_each<E>(&self, mut visit: impl FnMut(R::View<'_>) -> Result<(), E>) -> Result<(), E> {
        (0..self.partitions).try_for_each(|partition| self.partition(partition).try_for_each(&mut visit))
    }

    /// Shows each record of one partition.
    ///
    /// # Panics
    /// A record could not be computed; the batch fails with the reason.
    pub fn for_each_of(&self, partition: usize, visit: impl FnMut(R::View<'_>)) {
        self.partition(partition).for_each(visit);
    }

    /// Number of records.
    pub fn len(&self) -> u64 {
        let mut records = 0;
        self.for_each(|_| records += 1);
        records
    }

    /// True when there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The records of one partition of a batch. They are computed while they are shown: showing them twice computes them twice.
pub struct Partition<'b, R: Family> {
    node: &'b dyn Node<R>,
    id: u64,
    number: usize,
    label: Label,
    operator: Operator,
}

impl<R: Family> Partition<'_, R> {
    /// Counts the partitions of the batch from 0. With the batch's time it names the records: the same records have the same two
    /// when a batch is run again with the same settings.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Label of the batch.
    pub fn time(&self) -> BatchTime {
        BatchTime::of_milliseconds(self.label.time_ns / 1_000_000)
    }

    /// Of a batch that is run to fill windows and state before the first live batch.
    pub fn is_primed(&self) -> bool {
        self.label.primed
    }

    /// Shows each record.
    ///
    /// # Panics
    /// A record could not be computed; the batch fails with the reason.
    pub fn for_each(&self, visit: impl FnMut(R::View<'_>)) {
        struct Visit<F>(F, Operator);
        impl<R: Family, F: FnMut(R::View<'_>)> Sink<R> for Visit<F> {
            fn accept<'a>(&mut self, records: &[R::View<'a>]) {
                self.1.enter();
                records.iter().for_each(|view| (self.0)(*view));
            }
        }
        if let Err(error) = self.node.push(self.id, self.number, &mut Visit(visit, self.operator)) {
            // The closure of an output must not go on as if it had seen all; the job run makes this the batch's failure.
            std::panic::resume_unwind(Box::new(error));
        }
        self.operator.enter();
    }

    /// Shows each record until `visit` fails.
    ///
    /// # Errors
    /// The first that `visit` returns.
    ///
    /// # Panics
    /// A record could not be computed; the batch fails with the reason.
    pub fn try_for_each<E>(&self, mut visit: impl FnMut(R::View<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut result = Ok(());
        self.for_each(|view| {
            if result.is_ok() {
                result = visit(view);
            }
        });
        result
    }
}
