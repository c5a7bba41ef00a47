//! Operators that look at one record at a time.

use super::source::push_column;
use super::{Chunk, DStream, Node, Prepared, Sink, operator};
use crate::error::EngineError;
use crate::exchange::for_each_word;
use crate::record::{CHUNK, Column, Family, Text, TextColumn};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// A closure from views of `A` to views of `B` that may borrow from them. Implemented by every such closure.
pub trait MapFunction<'a, A: Family, B: Family>: Fn(A::View<'a>) -> B::View<'a> {}

impl<'a, A: Family, B: Family, F: Fn(A::View<'a>) -> B::View<'a>> MapFunction<'a, A, B> for F {}

impl<A: Family> DStream<A> {
    /// Each record turned into another: `words.map::<u64>(|word| word.len() as u64)`.
    #[track_caller]
    pub fn map<B: Family>(&self, function: impl for<'a> MapFunction<'a, A, B> + Send + Sync + 'static) -> DStream<B> {
        self.map_as(function, operator("map"))
    }

    pub(super) fn map_as<B: Family>(
        &self,
        function: impl for<'a> MapFunction<'a, A, B> + Send + Sync + 'static,
        operator: Operator,
    ) -> DStream<B> {
        self.derive(Arc::new(MapNode { parent: self.node.clone(), function, operator, records: PhantomData }))
    }

    /// The records for which the predicate holds.
    #[track_caller]
    pub fn filter(&self, predicate: impl for<'a> Fn(A::View<'a>) -> bool + Send + Sync + 'static) -> DStream<A> {
        self.derive(Arc::new(FilterNode { parent: self.node.clone(), predicate, operator: operator("filter") }))
    }

    /// Each record turned into any number of others: `lines.flat_map::<Text>(|line, out| line.split(is_space).for_each(out))`.
    #[track_caller]
    pub fn flat_map<B: Family>(
        &self,
        function: impl for<'a> Fn(A::View<'a>, &mut dyn FnMut(B::View<'a>)) + Send + Sync + 'static,
    ) -> DStream<B> {
        self.flat_map_as(function, operator("flat_map"))
    }

    pub(super) fn flat_map_as<B: Family>(
        &self,
        function: impl for<'a> Fn(A::View<'a>, &mut dyn FnMut(B::View<'a>)) + Send + Sync + 'static,
        operator: Operator,
    ) -> DStream<B> {
        self.derive(Arc::new(FlatMapNode { parent: self.node.clone(), function, operator, records: PhantomData }))
    }

    /// Each record turned into any number of others that are made for it and do not borrow from it; each is copied:
    /// `tweets.flat_map_copied::<Text>(|tweet, out| out(parsed(tweet).text.as_bytes()))`. What borrows is cheaper with
    /// [`DStream::flat_map`].
    #[track_caller]
    pub fn flat_map_copied<B: Family>(
        &self,
        function: impl Fn(A::View<'_>, &mut dyn FnMut(B::View<'_>)) + Send + Sync + 'static,
    ) -> DStream<B> {
        let operator = operator("flat_map_copied");
        self.derive(Arc::new(CopyNode { parent: self.node.clone(), function, operator, records: PhantomData }))
    }
}

impl DStream<Text> {
    /// The words of each text: maximal runs of bytes other than 09–0D and 20. Splits whole blocks at once.
    pub fn words(&self) -> DStream<Text> {
        self.derive(Arc::new(WordsNode { parent: self.node.clone() }))
    }
}

struct MapNode<A: Family, B: Family, F> {
    parent: Arc<dyn Node<A>>,
    function: F,
    operator: Operator,
    records: PhantomData<fn() -> B>,
}

impl<A: Family, B: Family, F> Node<B> for MapNode<A, B, F>
where
    F: for<'a> MapFunction<'a, A, B> + Send + Sync,
{
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<B>) -> Result<(), EngineError> {
        self.parent.push(
            batch,
            partition,
            &mut MapSink::<B, F> { function: &self.function, operator: self.operator, sink },
        )
    }
}

struct MapSink<'s, B: Family, F> {
    function: &'s F,
    operator: Operator,
    sink: &'s mut dyn Sink<B>,
}

impl<A: Family, B: Family, F: for<'a> MapFunction<'a, A, B>> Sink<A> for MapSink<'_, B, F> {
    fn accept<'a>(&mut self, records: &[A::View<'a>]) {
        for some in records.chunks(CHUNK) {
            self.operator.enter();
            let mapped: Chunk<B::View<'a>> = some.iter().map(|view| (self.function)(*view)).collect();
            self.sink.accept(&mapped);
        }
    }
}

struct FilterNode<A: Family, F> {
    parent: Arc<dyn Node<A>>,
    predicate: F,
    operator: Operator,
}

impl<A: Family, F: for<'a> Fn(A::View<'a>) -> bool + Send + Sync> Node<A> for FilterNode<A, F> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<A>) -> Result<(), EngineError> {
        self.parent.push(
            batch,
            partition,
            &mut FilterSink { predicate: &self.predicate, operator: self.operator, sink },
        )
    }
}

struct FilterSink<'s, A: Family, F> {
    predicate: &'s F,
    operator: Operator,
    sink: &'s mut dyn Sink<A>,
}

impl<A: Family, F: for<'a> Fn(A::View<'a>) -> bool> Sink<A> for FilterSink<'_, A, F> {
    fn accept<'a>(&mut self, records: &[A::View<'a>]) {
        for some in records.chunks(CHUNK) {
            self.operator.enter();
            let kept: Chunk<A::View<'a>> = some.iter().copied().filter(|view| (self.predicate)(*view)).collect();
            if !kept.is_empty() {
                self.sink.accept(&kept);
            }
        }
    }
}

struct FlatMapNode<A: Family, B: Family, F> {
    parent: Arc<dyn Node<A>>,
    function: F,
    operator: Operator,
    records: PhantomData<fn() -> B>,
}

impl<A: Family, B: Family, F> Node<B> for FlatMapNode<A, B, F>
where
    F: for<'a> Fn(A::View<'a>, &mut dyn FnMut(B::View<'a>)) + Send + Sync,
{
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<B>) -> Result<(), EngineError> {
        self.parent.push(
            batch,
            partition,
            &mut FlatMapSink::<B, F> { function: &self.function, operator: self.operator, sink },
        )
    }
}

struct FlatMapSink<'s, B: Family, F> {
    function: &'s F,
    operator: Operator,
    sink: &'s mut dyn Sink<B>,
}

impl<A, B, F> Sink<A> for FlatMapSink<'_, B, F>
where
    A: Family,
    B: Family,
    F: for<'a> Fn(A::View<'a>, &mut dyn FnMut(B::View<'a>)),
{
    fn accept<'a>(&mut self, records: &[A::View<'a>]) {
        let mut chunk = Chunk::<B::View<'a>>::new();
        let (operator, sink) = (self.operator, &mut *self.sink);
        let mut emit = |view: B::View<'a>| {
            if chunk.is_full() {
                sink.accept(&chunk);
                chunk.clear();
                operator.enter();
            }
            chunk.push(view);
        };
        operator.enter();
        records.iter().for_each(|view| (self.function)(*view, &mut emit));
        if !chunk.is_empty() {
            self.sink.accept(&chunk);
        }
    }
}

struct CopyNode<A: Family, B: Family, F> {
    parent: Arc<dyn Node<A>>,
    function: F,
    operator: Operator,
    records: PhantomData<fn() -> B>,
}

impl<A: Family, B: Family, F> Node<B> for CopyNode<A, B, F>
where
    F: Fn(A::View<'_>, &mut dyn FnMut(B::View<'_>)) + Send + Sync,
{
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<B>) -> Result<(), EngineError> {
        let (function, operator) = (&self.function, self.operator);
        let mut copies = CopySink::<B, F> { function, operator, column: B::Column::default(), sink };
        self.parent.push(batch, partition, &mut copies)
    }
}

struct CopySink<'s, B: Family, F> {
    function: &'s F,
    operator: Operator,
    /// What was made of the last records; empty between calls.
    column: B::Column,
    sink: &'s mut dyn Sink<B>,
}

impl<B: Family, F> CopySink<'_, B, F> {
    fn flush(&mut self) {
        push_column::<B>(&self.column, 0..self.column.len(), self.sink);
        self.column.clear();
    }
}

impl<A, B, F> Sink<A> for CopySink<'_, B, F>
where
    A: Family,
    B: Family,
    F: Fn(A::View<'_>, &mut dyn FnMut(B::View<'_>)),
{
    fn accept<'a>(&mut self, records: &[A::View<'a>]) {
        for view in records {
            self.operator.enter();
            (self.function)(*view, &mut |made| self.column.push(made));
            if self.column.len() >= CHUNK {
                self.flush();
            }
        }
        self.flush();
    }
}

struct WordsNode {
    parent: Arc<dyn Node<Text>>,
}

impl Node<Text> for WordsNode {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<Text>) -> Result<(), EngineError> {
        let mut whole = |column: &TextColumn, range: Range<usize>| push_words(&[column.joined(range)], sink);
        if self.parent.push_columns(batch, partition, &mut whole) {
            return Ok(());
        }
        self.parent.push(batch, partition, &mut WordsSink { sink })
    }
}

struct WordsSink<'s> {
    sink: &'s mut dyn Sink<Text>,
}

impl Sink<Text> for WordsSink<'_> {
    fn accept(&mut self, records: &[&[u8]]) {
        push_words(records, self.sink);
    }
}

#[inline(never)]
fn push_words(texts: &[&[u8]], sink: &mut dyn Sink<Text>) {
    let mut words: [&[u8]; CHUNK] = [&[]; CHUNK];
    let mut filled = 0;
    for text in texts {
        for_each_word(text, |word| {
            // The remainder is never another number; it spares the check of the index.
            words[filled % CHUNK] = word;
            filled += 1;
            if filled == CHUNK {
                sink.accept(&words);
                filled = 0;
            }
        });
    }
    if filled > 0 {
        sink.accept(&words[..filled]);
    }
}
