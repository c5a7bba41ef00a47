//! The way of a block through each codec and compression: records per second, and the bytes of a record in the name.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::exchange::codec::BlockCodec;
use downbeat_engine::record;
use downbeat_engine::record::{Column, Family, Own, Pair, PairColumn, Text};
use downbeat_engine::settings::{CodecKind, Compression, KNOBS, Settings, find_knob};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const RECORDS: u64 = 10_000;

record! {
    /// What the measurements of serializers use: numbers and one text.
    struct Order {
        id: u64,
        customer: String,
        price: f64,
        items: u64,
    }
}

/// Counts of words, as `reduce_by_key` sends them.
fn word_counts() -> <Pair<Text, u64> as Family>::Column {
    let mut column = PairColumn::<Text, u64>::default();
    (0..RECORDS).for_each(|number| column.push((format!("word{number}").as_bytes(), RECORDS / (number + 1))));
    column
}

fn orders() -> Vec<Order> {
    let order =
        |id| Order { id, customer: format!("customer {}", id * 7 % 1_000), price: id as f64 / 8.0, items: id % 9 };
    (0..RECORDS).map(order).collect()
}

/// Encodes and reads a block in every form that an exchange can have; `touch` makes a number of a record, so that it is really read.
fn forms<R: Family>(criterion: &mut Criterion, records: &str, column: &R::Column, touch: fn(R::View<'_>) -> u64) {
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Elements(RECORDS));
    let words = |knob| find_knob(KNOBS, knob).expect("a knob of the engine");
    for (codec, compression) in forms_of_exchanges() {
        let settings = Settings { codec, compression, ..Settings::default() };
        let mut form = BlockCodec::<R>::new(codec, compression);
        let block = form.encode(column).expect("encodes");
        let bytes = block.len_bytes() as f64 / RECORDS as f64;
        let (codec, compression) = ((words("codec").get)(&settings), (words("compression").get)(&settings));
        let name = |direction| BenchmarkId::new(direction, format!("{records}/{codec}/{compression}/{bytes:.1}B"));
        group.bench_function(name("encode"), |bencher| {
            bencher.iter(|| form.encode(black_box(column)).expect("encodes").len_bytes());
        });
        group.bench_function(name("decode"), |bencher| {
            bencher.iter(|| {
                let mut sum = 0u64;
                let read = form.for_each_chunk(black_box(&block), |chunk| {
                    chunk.iter().for_each(|view| sum = sum.wrapping_add(touch(*view)));
                });
                (read.expect("decodes"), sum)
            });
        });
    }
    group.finish();
}

fn forms_of_exchanges() -> impl Iterator<Item = (CodecKind, Compression)> {
    use CodecKind::{Bitcode, Json, Postcard, Rkyv, Wincode};
    let compressions = |codec| [Compression::None, Compression::Lz4, Compression::Zstd].map(|with| (codec, with));
    [Rkyv, Bitcode, Postcard, Wincode, Json].into_iter().flat_map(compressions)
}

fn codecs(criterion: &mut Criterion) {
    forms::<Pair<Text, u64>>(criterion, "words", &word_counts(), |(word, count)| word.len() as u64 + count);
    forms::<Own<Order>>(criterion, "orders", &orders(), |order| {
        order.id + order.customer.len() as u64 + order.price.to_bits() + order.items
    });
}

criterion_group! { name = benches; config = support::profiler::criterion(); targets = codecs }
criterion_main!(benches);
