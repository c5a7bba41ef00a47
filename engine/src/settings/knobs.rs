//! `KNOBS`: the table of everything about an engine that can be tuned.

use super::value::{self, ValueError, assign};
use super::{
    CodecKind, Combine, Compression, Hasher, Knob, KnobKind, Overload, PoolKind, Settings, StorageForm, WindowMethod,
    format_bytes, format_duration_ns, format_rate, parse_bytes, parse_duration_ns, parse_rate,
};

const POOLS: &[(&str, PoolKind)] =
    &[("rayon", PoolKind::Rayon), ("pinned", PoolKind::Pinned), ("sequential", PoolKind::Sequential)];
const CODECS: &[(&str, CodecKind)] = &[
    ("none", CodecKind::None),
    ("rkyv", CodecKind::Rkyv),
    ("bitcode", CodecKind::Bitcode),
    ("postcard", CodecKind::Postcard),
    ("wincode", CodecKind::Wincode),
    ("json", CodecKind::Json),
];
const COMPRESSIONS: &[(&str, Compression)] =
    &[("none", Compression::None), ("lz4", Compression::Lz4), ("zstd", Compression::Zstd)];
const COMBINES: &[(&str, Combine)] =
    &[("always", Combine::Always), ("never", Combine::Never), ("adaptive", Combine::Adaptive)];
const OVERLOADS: &[(&str, Overload)] =
    &[("queue", Overload::Queue), ("block", Overload::Block), ("merge", Overload::Merge), ("shed", Overload::Shed)];
const STORAGE_FORMS: &[(&str, StorageForm)] = &[
    ("deserialized", StorageForm::Deserialized),
    ("serialized", StorageForm::Serialized),
    ("serialized+disk", StorageForm::SerializedDisk),
];
const WINDOW_METHODS: &[(&str, WindowMethod)] = &[
    ("auto", WindowMethod::Auto),
    ("recompute", WindowMethod::Recompute),
    ("inverse", WindowMethod::Inverse),
    ("daba", WindowMethod::Daba),
];

const HASHERS: &[(&str, Hasher)] =
    &[("mum", Hasher::Mum), ("foldhash", Hasher::Foldhash), ("siphash", Hasher::Siphash)];

pub(super) fn compression_word(compression: Compression) -> String {
    value::word_of(COMPRESSIONS, compression)
}

/// The engine's knobs, in the order in which they are shown.
pub static KNOBS: &[Knob<Settings>] = &[
    Knob {
        name: "interval",
        kind: KnobKind::Duration,
        range: "1ms to 1h, whole milliseconds",
        default: "200ms",
        trades: "latency against the fixed cost of a batch; a longer interval holds higher rates",
        spark: Some("batch interval"),
        get: |settings| format_duration_ns(settings.interval_ns),
        set: |settings, text| assign(&mut settings.interval_ns, parse_duration_ns(text)),
    },
    Knob {
        name: "block_interval",
        kind: KnobKind::Duration,
        range: "100us to the interval",
        default: "min(200ms, interval / (2 × threads))",
        trades: "more tasks per batch, so better balance, against the cost of each task",
        spark: Some("spark.streaming.blockInterval"),
        get: |settings| format_duration_ns(settings.effective_block_interval_ns()),
        set: |settings, text| assign(&mut settings.block_interval_ns, parse_duration_ns(text).map(Some)),
    },
    Knob {
        name: "threads",
        kind: KnobKind::Count,
        range: "1 to 1024",
        default: "the cores of this machine",
        trades: "shorter batches against cores left for the sender and the system",
        spark: Some("local[N]"),
        get: |settings| settings.threads.to_string(),
        set: |settings, text| assign(&mut settings.threads, value::parse_count(text)),
    },
    Knob {
        name: "partitions",
        kind: KnobKind::Count,
        range: "1 to 4096",
        default: "threads",
        trades: "balance of the reducing side against the cost of each partition",
        spark: Some("spark.default.parallelism"),
        get: |settings| settings.effective_partitions().to_string(),
        set: |settings, text| assign(&mut settings.partitions, value::parse_count(text).map(Some)),
    },
    Knob {
        name: "pool",
        kind: KnobKind::Choice(&["rayon", "pinned", "sequential"]),
        range: "rayon, pinned, sequential",
        default: "rayon",
        trades: "rayon evens out uneven tasks; pinned keeps each task on its own core, and so its tables in that core's \
                 cache; sequential wakes nobody and wins for tiny batches",
        spark: None,
        get: |settings| value::word_of(POOLS, settings.pool),
        set: |settings, text| assign(&mut settings.pool, value::parse_word(POOLS, text)),
    },
    Knob {
        name: "pin_cores",
        kind: KnobKind::Choice(&["on", "off"]),
        range: "on, off",
        default: "off",
        trades: "job threads and workers that keep their caches, and senders that do not push them aside, against threads that \
                 cannot move to a core that is idle",
        spark: None,
        get: |settings| value::on_off(settings.pin_cores).into(),
        set: |settings, text| assign(&mut settings.pin_cores, value::parse_on_off(text)),
    },
    Knob {
        name: "concurrent_jobs",
        kind: KnobKind::Count,
        range: "1 to 64",
        default: "1",
        trades: "batches overlap, so that one long batch does not hold up the next, against outputs out of order",
        spark: Some("spark.streaming.concurrentJobs"),
        get: |settings| settings.concurrent_jobs.to_string(),
        set: |settings, text| assign(&mut settings.concurrent_jobs, value::parse_count(text)),
    },
    Knob {
        name: "codec",
        kind: KnobKind::Choice(&["none", "rkyv", "bitcode", "postcard", "wincode", "json"]),
        range: "none, rkyv, bitcode, postcard, wincode, json",
        default: "none",
        trades: "what an exchange over a wire would cost; none moves the tables and is the upper bound; rkyv is read in place, \
                 bitcode has the fewest bytes, wincode copies memory, postcard and json are what others speak",
        spark: Some("spark.serializer"),
        get: |settings| value::word_of(CODECS, settings.codec),
        set: |settings, text| assign(&mut settings.codec, value::parse_word(CODECS, text)),
    },
    Knob {
        name: "compression",
        kind: KnobKind::Choice(&["none", "lz4", "zstd"]),
        range: "none, lz4, zstd",
        default: "none",
        trades: "fewer bytes of encoded blocks against the time to compress them, which pays on a wire that is slower than \
                 memory; needs a codec",
        spark: Some("spark.io.compression.codec"),
        get: |settings| compression_word(settings.compression),
        set: |settings, text| assign(&mut settings.compression, value::parse_word(COMPRESSIONS, text)),
    },
    Knob {
        name: "combine",
        kind: KnobKind::Choice(&["always", "never", "adaptive"]),
        range: "always, never, adaptive",
        default: "always",
        trades: "fewer records through the exchange against a table on each thread, which is wasted when most keys come once; \
                 adaptive looks at 10000 records and stops combining when more than 80 % of them have keys of their own",
        spark: None,
        get: |settings| value::word_of(COMBINES, settings.combine),
        set: |settings, text| assign(&mut settings.combine, value::parse_word(COMBINES, text)),
    },
    Knob {
        name: "hasher",
        kind: KnobKind::Choice(&["mum", "foldhash", "siphash"]),
        range: "mum, foldhash, siphash",
        default: "mum",
        trades: "mum, one multiplication for a short key, and foldhash are fast, but whoever knows them can send keys that all \
                 collide; siphash has a secret key, drawn for each run, so that partitions hold other keys in each",
        spark: None,
        get: |settings| value::word_of(HASHERS, settings.hasher),
        set: |settings, text| assign(&mut settings.hasher, value::parse_word(HASHERS, text)),
    },
    Knob {
        name: "overload",
        kind: KnobKind::Choice(&["queue", "block", "merge", "shed"]),
        range: "queue, block, merge, shed",
        default: "queue",
        trades: "what gives when batches wait: queue absorbs a burst, then blocks the senders; block blocks them at once; \
                 merge lets the batch grow; shed drops records and counts them",
        spark: None,
        get: |settings| value::word_of(OVERLOADS, settings.overload),
        set: |settings, text| assign(&mut settings.overload, value::parse_word(OVERLOADS, text)),
    },
    Knob {
        name: "queue_capacity",
        kind: KnobKind::Count,
        range: "1 and more",
        default: "8",
        trades: "how long a burst is absorbed against how much waits when the engine falls behind",
        spark: None,
        get: |settings| settings.queue_capacity.to_string(),
        set: |settings, text| assign(&mut settings.queue_capacity, value::parse_count(text)),
    },
    Knob {
        name: "storage",
        kind: KnobKind::Choice(&["deserialized", "serialized", "serialized+disk"]),
        range: "deserialized, serialized, serialized+disk",
        default: "deserialized",
        trades: "records that wait as they are against one exact block of bytes for each of their blocks, which the sender \
                 encodes and each task decodes; with disk, one that finds more than half of memory_limit taken becomes a file \
                 below TMPDIR",
        spark: Some("StorageLevel"),
        get: |settings| value::word_of(STORAGE_FORMS, settings.storage),
        set: |settings, text| assign(&mut settings.storage, value::parse_word(STORAGE_FORMS, text)),
    },
    Knob {
        name: "memory_limit",
        kind: KnobKind::Bytes,
        range: "1MiB and more",
        default: "1GiB",
        trades: "how much may wait before the senders are blocked against memory",
        spark: None,
        get: |settings| format_bytes(settings.memory_limit_bytes),
        set: |settings, text| assign(&mut settings.memory_limit_bytes, parse_bytes(text)),
    },
    Knob {
        name: "max_rate",
        kind: KnobKind::Rate,
        range: "none, or 1/s and more; for each receiver",
        default: "none",
        trades: "a batch that is never larger than the engine can take against senders that wait",
        spark: Some("spark.streaming.receiver.maxRate"),
        get: |settings| value::none_or(settings.max_rate_per_s, format_rate),
        set: |settings, text| assign(&mut settings.max_rate_per_s, value::parse_none_or(text, parse_rate)),
    },
    Knob {
        name: "backpressure",
        kind: KnobKind::Choice(&["on", "off"]),
        range: "on, off",
        default: "off",
        trades: "each receiver is slowed to what the last batches could process against senders that wait",
        spark: Some("spark.streaming.backpressure.enabled"),
        get: |settings| value::on_off(settings.backpressure).into(),
        set: |settings, text| assign(&mut settings.backpressure, value::parse_on_off(text)),
    },
    Knob {
        name: "backpressure_initial_rate",
        kind: KnobKind::Rate,
        range: "none, or 1/s and more; in force, with backpressure or without, until the first estimate",
        default: "max_rate",
        trades: "a first batch that is not too large against a slow beginning",
        spark: Some("spark.streaming.backpressure.initialRate"),
        get: |settings| value::none_or(settings.backpressure_initial_rate_per_s, format_rate),
        set: |settings, text| {
            assign(&mut settings.backpressure_initial_rate_per_s, value::parse_none_or(text, parse_rate))
        },
    },
    Knob {
        name: "pid_proportional",
        kind: KnobKind::Number,
        range: "0 and more",
        default: "1",
        trades: "backpressure that follows the last batch at once against one that swings",
        spark: Some("spark.streaming.backpressure.pid.proportional"),
        get: |settings| settings.pid_proportional.to_string(),
        set: |settings, text| assign(&mut settings.pid_proportional, value::parse_number(text)),
    },
    Knob {
        name: "pid_integral",
        kind: KnobKind::Number,
        range: "0 and more",
        default: "0.2",
        trades: "waiting batches that are worked off soon against a rate below what could be processed",
        spark: Some("spark.streaming.backpressure.pid.integral"),
        get: |settings| settings.pid_integral.to_string(),
        set: |settings, text| assign(&mut settings.pid_integral, value::parse_number(text)),
    },
    Knob {
        name: "pid_derivative",
        kind: KnobKind::Number,
        range: "0 and more",
        default: "0",
        trades: "swings that are damped against a rate that follows every noise",
        spark: Some("spark.streaming.backpressure.pid.derived"),
        get: |settings| settings.pid_derivative.to_string(),
        set: |settings, text| assign(&mut settings.pid_derivative, value::parse_number(text)),
    },
    Knob {
        name: "pid_min_rate",
        kind: KnobKind::Rate,
        range: "0.001/s and more; for each receiver",
        default: "100/s",
        trades: "an estimate that always finds back up against a floor that may be too much",
        spark: Some("spark.streaming.backpressure.pid.minRate"),
        get: |settings| format_rate(settings.pid_min_rate_per_s),
        set: |settings, text| assign(&mut settings.pid_min_rate_per_s, parse_rate(text)),
    },
    Knob {
        name: "line_limit",
        kind: KnobKind::Bytes,
        range: "1B to 1GiB",
        default: "1MiB",
        trades: "longest line that is taken against the memory that one bad sender can use",
        spark: None,
        get: |settings| format_bytes(settings.line_limit_bytes as u64),
        set: |settings, text| {
            settings.line_limit_bytes =
                usize::try_from(parse_bytes(text)?).map_err(|_| ValueError::TooLarge { text: text.into() })?;
            Ok(())
        },
    },
    Knob {
        name: "restart_delay",
        kind: KnobKind::Duration,
        range: "1ms and more",
        default: "2s",
        trades: "how soon a lost connection is tried again against load on a peer in trouble",
        spark: Some("spark.streaming.receiverRestartDelay"),
        get: |settings| format_duration_ns(settings.restart_delay_ns),
        set: |settings, text| assign(&mut settings.restart_delay_ns, parse_duration_ns(text)),
    },
    Knob {
        name: "window_method",
        kind: KnobKind::Choice(&["auto", "recompute", "inverse", "daba"]),
        range: "auto, recompute, inverse, daba",
        default: "auto",
        trades: "what a window reduction pays at each slide: inverse for the keys that come and go; daba too, at a few \
                 combinations each and more memory; recompute for all panes, but nothing between slides",
        spark: Some("reduceByKeyAndWindow with or without invFunc"),
        get: |settings| value::word_of(WINDOW_METHODS, settings.window_method),
        set: |settings, text| assign(&mut settings.window_method, value::parse_word(WINDOW_METHODS, text)),
    },
    Knob {
        name: "buffer_reuse",
        kind: KnobKind::Choice(&["on", "off"]),
        range: "on, off",
        default: "on",
        trades: "no allocation per batch against memory kept between batches",
        spark: None,
        get: |settings| value::on_off(settings.buffer_reuse).into(),
        set: |settings, text| assign(&mut settings.buffer_reuse, value::parse_on_off(text)),
    },
    Knob {
        name: "metrics",
        kind: KnobKind::Choice(&["on", "off"]),
        range: "on, off",
        default: "on",
        trades: "busy time per stage against the cost of reading the clock twice a task",
        spark: None,
        get: |settings| value::on_off(settings.metrics).into(),
        set: |settings, text| assign(&mut settings.metrics, value::parse_on_off(text)),
    },
];
