//! Integration tests of the engine. All but `socket` run on the manual clock: answers are checked, never times.

/// What the tests share: a context that a test moves from tick to tick.
mod bench;

/// Downbeat against Spark, and against a plain interpreter.
mod conformance;
/// User code that panics, jobs that cannot work.
mod failures;
/// The two identities, and what each batch reports.
mod identities;
/// Stateless and keyed operators.
mod operators;
/// `print` and `for_each_batch`.
mod outputs;
/// Bounded memory: blocked senders, abandoned batches.
mod overload;
/// Planned sources: what belongs to a batch.
mod planned;
/// Lines from a real TCP peer.
mod socket;
/// Ticks, labels, priming, the life of a context.
mod time;
/// Windows with and without inverse.
mod windows;
