//! The engine's settings and `KNOBS`, the one table from which flags, TOML keys, help and reports are derived.

mod knob;
mod value;

pub use knob::{Knob, KnobKind, find_knob, suggest};
pub use value::{
    ValueError, assign, format_bytes, format_duration_ns, format_rate, parse_bytes, parse_duration_ns, parse_rate,
};

use crate::error::EngineError;

/// How tasks are spread over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// A rayon pool of its own with `threads` workers, the thread that runs the job being one of them.
    Rayon,
    /// Every task on the thread that runs the job.
    Sequential,
}

/// How a block of records crosses from the combining side of an exchange to the reducing side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecKind {
    /// The tables are moved, nothing is encoded: the upper bound.
    None,
    /// rkyv, validated and read in place.
    Rkyv,
    /// JSON text, decoded to owned columns.
    Json,
}

/// Everything about an engine that can be tuned. Values are checked when a context is made of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Time between batches, nanoseconds; a multiple of 1 ms.
    pub interval_ns: u64,
    /// Time between blocks of one receiver; `None` means min(200 ms, interval / (2 × threads)).
    pub block_interval_ns: Option<u64>,
    /// Threads that run tasks.
    pub threads: usize,
    /// Partitions after an exchange; `None` means one per thread.
    pub partitions: Option<usize>,
    /// How tasks are spread over threads.
    pub pool: PoolKind,
    /// How records cross an exchange.
    pub codec: CodecKind,
    /// Batches that may wait; when as many do, the senders are blocked.
    pub queue_capacity: usize,
    /// Bytes of received records that may be held for batches not yet done; beyond it the senders are blocked.
    pub memory_limit_bytes: u64,
    /// Longest line that is taken from text; longer ones are counted and dropped.
    pub line_limit_bytes: usize,
    /// Pause before a receiver that failed is started again.
    pub restart_delay_ns: u64,
    /// Keep emptied tables and buffers for the next batch.
    pub buffer_reuse: bool,
    /// Time every task and count per batch; off only to measure what that costs.
    pub metrics: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            interval_ns: 200_000_000,
            block_interval_ns: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            partitions: None,
            pool: PoolKind::Rayon,
            codec: CodecKind::None,
            queue_capacity: 8,
            memory_limit_bytes: 1 << 30,
            line_limit_bytes: 1 << 20,
            restart_delay_ns: 2_000_000_000,
            buffer_reuse: true,
            metrics: true,
        }
    }
}

impl Settings {
    /// The same settings with another batch interval.
    #[must_use]
    pub fn interval(mut self, interval: std::time::Duration) -> Self {
        self.interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// The same settings with another number of threads.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Block interval in force: the one asked for, or min(200 ms, interval / (2 × threads)), at least 100 µs.
    pub fn effective_block_interval_ns(&self) -> u64 {
        let by_default = (self.interval_ns / (2 * self.threads.max(1) as u64)).min(200_000_000);
        self.block_interval_ns.unwrap_or(by_default).max(100_000)
    }

    /// Partitions in force.
    pub fn effective_partitions(&self) -> usize {
        self.partitions.unwrap_or(self.threads).max(1)
    }

    /// Threads that really run tasks: 1 for the sequential pool.
    pub fn effective_threads(&self) -> usize {
        match self.pool {
            PoolKind::Rayon => self.threads,
            PoolKind::Sequential => 1,
        }
    }

    /// Checks the settings as a whole.
    ///
    /// # Errors
    /// The first setting that cannot work, with what would.
    pub fn validate(&self) -> Result<(), EngineError> {
        let refuse =
            |knob: &'static str, value: String, rule: &'static str| Err(EngineError::Setting { knob, value, rule });
        if self.interval_ns == 0 || !self.interval_ns.is_multiple_of(1_000_000) {
            return refuse(
                "interval",
                format_duration_ns(self.interval_ns),
                "must be a whole number of milliseconds, at least 1ms",
            );
        }
        if self.block_interval_ns.is_some_and(|block| block < 100_000 || block > self.interval_ns) {
            let block = self.block_interval_ns.unwrap_or_default();
            return refuse(
                "block_interval",
                format_duration_ns(block),
                "must be at least 100us and at most the batch interval",
            );
        }
        if self.interval_ns > 3_600_000_000_000 {
            return refuse("interval", format_duration_ns(self.interval_ns), "must be at most 1h");
        }
        if self.restart_delay_ns < 1_000_000 {
            return refuse("restart_delay", format_duration_ns(self.restart_delay_ns), "must be at least 1ms");
        }
        if self.threads == 0 || self.threads > 1024 {
            return refuse("threads", self.threads.to_string(), "must be 1 to 1024");
        }
        if self.partitions.is_some_and(|partitions| partitions == 0 || partitions > 4096) {
            return refuse("partitions", self.partitions.unwrap_or_default().to_string(), "must be 1 to 4096");
        }
        if self.queue_capacity == 0 {
            return refuse("queue_capacity", "0".into(), "must be at least 1: one batch waits while one runs");
        }
        if self.memory_limit_bytes < 1 << 20 {
            return refuse("memory_limit", format_bytes(self.memory_limit_bytes), "must be at least 1MiB");
        }
        if self.line_limit_bytes == 0 || self.line_limit_bytes > 1 << 30 {
            return refuse("line_limit", format_bytes(self.line_limit_bytes as u64), "must be 1B to 1GiB");
        }
        Ok(())
    }
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
        kind: KnobKind::Choice(&["rayon", "sequential"]),
        range: "rayon, sequential",
        default: "rayon",
        trades: "all cores against no wake-ups at all; sequential wins for tiny batches",
        spark: None,
        get: |settings| match settings.pool {
            PoolKind::Rayon => "rayon".into(),
            PoolKind::Sequential => "sequential".into(),
        },
        set: |settings, text| {
            settings.pool = match value::parse_choice(text, &["rayon", "sequential"])? {
                0 => PoolKind::Rayon,
                _ => PoolKind::Sequential,
            };
            Ok(())
        },
    },
    Knob {
        name: "codec",
        kind: KnobKind::Choice(&["none", "rkyv", "json"]),
        range: "none, rkyv, json",
        default: "none",
        trades: "what an exchange over a wire would cost; none moves the tables and is the upper bound",
        spark: Some("spark.serializer"),
        get: |settings| match settings.codec {
            CodecKind::None => "none".into(),
            CodecKind::Rkyv => "rkyv".into(),
            CodecKind::Json => "json".into(),
        },
        set: |settings, text| {
            settings.codec = match value::parse_choice(text, &["none", "rkyv", "json"])? {
                0 => CodecKind::None,
                1 => CodecKind::Rkyv,
                _ => CodecKind::Json,
            };
            Ok(())
        },
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
        name: "memory_limit",
        kind: KnobKind::Bytes,
        range: "1MiB and more",
        default: "1GiB",
        trades: "how much may wait before the senders are blocked against memory",
        spark: Some("spark.streaming.receiver.maxRate, by hand"),
        get: |settings| format_bytes(settings.memory_limit_bytes),
        set: |settings, text| assign(&mut settings.memory_limit_bytes, parse_bytes(text)),
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
        name: "buffer_reuse",
        kind: KnobKind::Choice(&["on", "off"]),
        range: "on, off",
        default: "on",
        trades: "no allocation per batch against memory kept between batches",
        spark: None,
        get: |settings| value::on_off(settings.buffer_reuse).into(),
        set: |settings, text| {
            assign(&mut settings.buffer_reuse, value::parse_choice(text, &["on", "off"]).map(|choice| choice == 0))
        },
    },
    Knob {
        name: "metrics",
        kind: KnobKind::Choice(&["on", "off"]),
        range: "on, off",
        default: "on",
        trades: "busy time per stage against the cost of reading the clock twice a task",
        spark: None,
        get: |settings| value::on_off(settings.metrics).into(),
        set: |settings, text| {
            assign(&mut settings.metrics, value::parse_choice(text, &["on", "off"]).map(|choice| choice == 0))
        },
    },
];

#[cfg(test)]
mod tests;
