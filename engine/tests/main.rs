//! Integration tests of the engine. All but `socket` run on the manual clock: answers are checked, never times.

/// What the tests share: a context that a test moves from tick to tick.
mod bench;

/// Several batches at a time.
mod concurrency;
/// User code that panics, jobs that cannot work.
mod failures;
/// The two identities, and what each batch reports.
mod identities;
/// Stateless and keyed operators.
mod operators;
/// `print` and `for_each_batch`.
mod outputs;
/// Bounded memory: blocked senders, merged batches, shed records, abandoned batches.
mod overload;
/// Planned sources: what belongs to a batch.
mod planned;
/// How many tasks there are, and which thread runs them.
mod pools;
/// Limits on how fast receivers bring records, and backpressure.
mod rates;
/// Lines from a real TCP peer.
mod socket;
/// Ticks, labels, priming, the life of a context.
mod time;
/// Windows with and without inverse.
mod windows;
