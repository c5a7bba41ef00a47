//! The way of a block of groups through each codec.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::exchange::codec::Encoded;
use downbeat_engine::record::{Column, Pair, PairColumn, Text};
use downbeat_engine::settings::CodecKind;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const GROUPS: u64 = 10_000;

fn codecs(criterion: &mut Criterion) {
    let mut column = PairColumn::<Text, u64>::default();
    (0..GROUPS).for_each(|number| column.push((format!("word{number}").as_bytes(), number)));
    let mut group = criterion.benchmark_group("exchange");
    group.throughput(Throughput::Elements(GROUPS));
    for (name, codec) in [("rkyv", CodecKind::Rkyv), ("json", CodecKind::Json)] {
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            bencher
                .iter(|| Encoded::encode::<Pair<Text, u64>>(codec, black_box(&column)).expect("encodes").len_bytes());
        });
        let encoded = Encoded::encode::<Pair<Text, u64>>(codec, &column).expect("encodes");
        let mut scratch = PairColumn::default();
        group.bench_function(BenchmarkId::new("read", name), |bencher| {
            bencher.iter(|| {
                let mut sum = 0;
                let add =
                    |chunk: &[(&[u8], u64)]| chunk.iter().for_each(|(word, count)| sum += word.len() as u64 + count);
                encoded.for_each_chunk::<Pair<Text, u64>>(&mut scratch, add).expect("decodes");
                sum
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = support::profiler::criterion(); targets = codecs }
criterion_main!(benches);
