//! The micro-batch engine of downbeat: sources, batches at fixed ticks, typed streams, exchanges, windows.
//!
//! ```
//! use downbeat_engine::{Settings, StreamingContext, record::Text};
//!
//! let context = StreamingContext::new(Settings::default().interval(std::time::Duration::from_millis(20)))?;
//! let (feed, lines) = context.queue_stream::<Text>();
//! lines
//!     .flat_map::<Text>(|line, out| line.split(|byte| *byte == b' ').for_each(out))
//!     .map_to_pair::<Text, u64>(|word| (word, 1))
//!     .reduce_by_key(|a, b| a + b)
//!     .print(10);
//! context.print_to(Box::new(std::io::sink()));
//! feed.push([&b"to be or not to be"[..]]).expect("not stopped");
//! context.start()?;
//! context.stop(std::time::Duration::from_secs(1))?;
//! # Ok::<(), downbeat_engine::EngineError>(())
//! ```

mod affinity;
pub mod allocator;
pub mod block;
pub mod clock;
pub mod context;
pub mod dstream;
pub mod error;
pub mod exchange;
pub mod metrics;
pub mod object_file;
pub mod page_faults;
pub mod record;
mod schedule;
#[cfg(all(test, feature = "shuttle"))]
mod schedules;
pub mod settings;
pub mod source;
pub mod storage;
mod sync;

pub use context::StreamingContext;
pub use dstream::DStream;
pub use error::EngineError;
pub use settings::Settings;

// What the macro `record!` derives with.
#[doc(hidden)]
pub use {bitcode, rkyv, serde, wincode};
