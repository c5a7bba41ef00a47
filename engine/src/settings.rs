//! The engine's settings and `KNOBS`, the one table from which flags, TOML keys, help and reports are derived.

mod knob;
mod knobs;
mod value;

pub use knob::{Knob, KnobKind, find_knob, suggest};
pub use knobs::KNOBS;
pub use value::{
    ValueError, assign, format_bytes, format_duration_ns, format_rate, parse_bytes, parse_duration_ns, parse_rate,
};

use crate::error::EngineError;

/// How tasks are spread over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// A rayon pool of its own with `threads` workers, the thread that runs the job being one of them.
    Rayon,
    /// `threads` threads, each kept on a core of its own, the thread that runs the job being one of them (unless several
    /// do). Task i of a stage always runs on thread i modulo their number.
    Pinned,
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
    /// bitcode, which packs the numbers of a column into as few bits as the largest of them needs.
    Bitcode,
    /// postcard, numbers of variable length.
    Postcard,
    /// wincode, numbers as they lie in memory.
    Wincode,
    /// JSON text, decoded to owned columns.
    Json,
}

/// How encoded blocks are compressed. It emulates a wire that is slower than memory: without a codec there is nothing to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// They are not.
    None,
    /// LZ4 in block format.
    Lz4,
    /// Zstandard at level 1.
    Zstd,
}

/// Whether records that are reduced by key are combined on the threads that have them, before they go to their partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Each lane combines what it can: a key crosses the exchange once per lane.
    Always,
    /// No record is combined before it is in its partition.
    Never,
    /// A lane combines until [`ADAPTIVE_SAMPLE_RECORDS`](Self::ADAPTIVE_SAMPLE_RECORDS) of a batch have shown that it does not pay:
    /// when more than four fifths of them have keys of their own, it sends the rest as they come.
    Adaptive,
}

impl Combine {
    /// Records of one lane and batch after which an adaptive lane decides.
    pub const ADAPTIVE_SAMPLE_RECORDS: u64 = 10_000;
}

/// The hash by which keys find their partition and their slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hasher {
    /// Multiply and mix: keys of up to 16 bytes are hashed in registers by one multiplication; foldhash for keys of one's own types.
    Mum,
    /// foldhash for all keys.
    Foldhash,
    /// SipHash-1-3 with a key that is drawn for each context: no sender can choose keys that collide.
    Siphash,
}

/// What gives when batches are cut faster than they are processed. Whatever it is, held bytes are bounded, each tick yields a
/// batch, and answers are those of the records that were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overload {
    /// Up to `queue_capacity` batches wait, then the senders are blocked.
    Queue,
    /// The senders are blocked as soon as a batch waits.
    Block,
    /// What waits moves into the newest batch, which grows; those it overtook stay as empty ones. Senders are blocked by
    /// memory alone.
    Merge,
    /// At the bound of `queue_capacity` batches or of memory, new records are dropped and counted. Senders wait for nothing but a
    /// limit on their rate.
    Shed,
}

/// In which form received records are kept until a task reads them. The answer is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageForm {
    /// As columns, ready to be read; what a sender shares is not copied.
    Deserialized,
    /// Encoded by rkyv when their block is closed, on the sender's time, and decoded by each task that reads it.
    Serialized,
    /// The same, but a block that is closed while more than half of the memory limit is taken goes to a file below the system's
    /// directory for temporary files, and each task that reads it reads the file.
    SerializedDisk,
}

/// How a reduction over a window is carried from slide to slide. The answer is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowMethod {
    /// `Inverse` where the reduction has an inverse, `Daba` where not.
    Auto,
    /// All panes of the window are combined anew at each slide: nothing is done while the window does not slide, and
    /// everything when it does.
    Recompute,
    /// What goes is taken out again. A reduction without an inverse is refused.
    Inverse,
    /// Each key keeps its values of the window and their partial combinations; an inverse is not used.
    Daba,
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
    /// Keep each thread that runs tasks on a core of its own, and those who bring records off these cores.
    pub pin_cores: bool,
    /// Batches that may be processed at the same time, each by a thread of its own.
    pub concurrent_jobs: usize,
    /// How records cross an exchange.
    pub codec: CodecKind,
    /// How encoded blocks are compressed.
    pub compression: Compression,
    /// Whether records are combined before an exchange.
    pub combine: Combine,
    /// The hash of keys.
    pub hasher: Hasher,
    /// What gives when batches are cut faster than they are processed.
    pub overload: Overload,
    /// Batches that may wait; what happens then, `overload` says.
    pub queue_capacity: usize,
    /// In which form received records, and persisted ones of [`StorageLevel::AsSet`](crate::dstream::StorageLevel::AsSet), are
    /// kept.
    pub storage: StorageForm,
    /// Bytes of received records that may be held for batches not yet done; beyond it the senders are blocked.
    pub memory_limit_bytes: u64,
    /// Records per second that each receiver may bring; `None` is no limit.
    pub max_rate_per_s: Option<f64>,
    /// Limit each receiver to the rate that the PID estimator finds.
    pub backpressure: bool,
    /// The limit until the first estimate, with backpressure or without, as in Spark; `None` means `max_rate_per_s`.
    pub backpressure_initial_rate_per_s: Option<f64>,
    /// Weight of the difference between the last rate and the processing rate.
    pub pid_proportional: f64,
    /// Weight of what waits.
    pub pid_integral: f64,
    /// Weight of how the difference changes.
    pub pid_derivative: f64,
    /// The estimator never goes below this.
    pub pid_min_rate_per_s: f64,
    /// Longest line that is taken from text; longer ones are counted and dropped.
    pub line_limit_bytes: usize,
    /// Pause before a receiver that failed is started again.
    pub restart_delay_ns: u64,
    /// How reductions over windows are carried from slide to slide.
    pub window_method: WindowMethod,
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
            pin_cores: false,
            concurrent_jobs: 1,
            codec: CodecKind::None,
            compression: Compression::None,
            combine: Combine::Always,
            hasher: Hasher::Mum,
            overload: Overload::Queue,
            queue_capacity: 8,
            storage: StorageForm::Deserialized,
            memory_limit_bytes: 1 << 30,
            max_rate_per_s: None,
            backpressure: false,
            backpressure_initial_rate_per_s: None,
            pid_proportional: 1.0,
            pid_integral: 0.2,
            pid_derivative: 0.0,
            pid_min_rate_per_s: 100.0,
            line_limit_bytes: 1 << 20,
            restart_delay_ns: 2_000_000_000,
            window_method: WindowMethod::Auto,
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
            PoolKind::Rayon | PoolKind::Pinned => self.threads,
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
        if self.concurrent_jobs == 0 || self.concurrent_jobs > 64 {
            return refuse("concurrent_jobs", self.concurrent_jobs.to_string(), "must be 1 to 64");
        }
        if self.compression != Compression::None && self.codec == CodecKind::None {
            return refuse(
                "compression",
                knobs::compression_word(self.compression),
                "needs a codec: with codec = none records cross as they are and there are no bytes to compress; \
                 set a codec, such as rkyv, or compression = none",
            );
        }
        self.validate_rates()?;
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

    fn validate_rates(&self) -> Result<(), EngineError> {
        let limits =
            [("max_rate", self.max_rate_per_s), ("backpressure_initial_rate", self.backpressure_initial_rate_per_s)];
        for (knob, rate) in limits {
            // Written so that NaN is refused too.
            if rate.is_some_and(|rate| !(1.0..=1e12).contains(&rate)) {
                let value = format_rate(rate.unwrap_or_default());
                return Err(EngineError::Setting { knob, value, rule: "must be 1/s to 1000000M/s, or none" });
            }
        }
        let weights = [
            ("pid_proportional", self.pid_proportional),
            ("pid_integral", self.pid_integral),
            ("pid_derivative", self.pid_derivative),
        ];
        for (knob, weight) in weights {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(EngineError::Setting { knob, value: weight.to_string(), rule: "must be 0 or more" });
            }
        }
        if !(0.001..=1e12).contains(&self.pid_min_rate_per_s) {
            let value = format_rate(self.pid_min_rate_per_s);
            return Err(EngineError::Setting { knob: "pid_min_rate", value, rule: "must be 0.001/s to 1000000M/s" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
