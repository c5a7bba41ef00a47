//! Integration tests of the engine. All but those with real peers run on the manual clock: answers are checked, never times.

/// What the tests share: a context that a test moves from tick to tick.
mod bench;
/// What tests with real peers share.
mod live;

/// Several batches at a time.
mod concurrency;
/// Watched directories: which files, when, and what goes wrong with them.
mod directory;
/// Codecs, compression, combining: what they change, and what not.
mod exchanges;
/// User code that panics, jobs that cannot work.
mod failures;
/// Lines from a real HTTP server.
mod http;
/// The two identities, and what each batch reports.
mod identities;
/// Keyed operators: groups, joins, datasets.
mod joins;
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
/// Queue streams: all at once, one push a batch.
mod queue;
/// Limits on how fast receivers bring records, and backpressure.
mod rates;
/// Receivers of one's own: restarts, panics, errors.
mod receivers;
/// Directories of files per batch.
mod saves;
/// Lines from a real TCP peer.
mod socket;
/// State across batches: updates, time-outs, failures.
mod state;
/// In which form received records are kept.
mod storage;
/// Ticks, labels, priming, the life of a context.
mod time;
/// Whole batches and partitions: reduce, glom, repartition, sort_by, transform, persist, remember.
mod transforms;
/// Every form of window against a plain computation.
mod window_laws;
/// Spark's own inputs and answers for windows.
mod window_vectors;
/// Windows: which lengths are refused, gaps, windows of windows.
mod windows;
