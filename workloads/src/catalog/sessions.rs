//! `sessions`: the sessions of a web server's visitors that are over, with their requests and how long they were.

use super::Job;
use super::log_line::log_line;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::keys::KeyLaw;
use crate::load::LoadSettings;
use crate::oracle::{Oracle, SessionsOracle};
use crate::payload::{LineSource, LogLines};
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::{BatchTime, DStream, State, StateSpec};
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Requests, and the times of the first and the last batch that had one, in milliseconds.
type Session = Pair<u64, Pair<i64, i64>>;

/// A visitor, requests, and milliseconds from the batch of the first to that of the last.
type Ended = Pair<Text, Pair<u64, i64>>;

/// A session is over at the first batch whose time is more than the time-out after the last batch that had a request of the
/// visitor. The time-out is rounded up to whole intervals, and so are durations, so that they are the same at the last batch of
/// a stop, which is due early. Lines that cannot be read are left out. A row of a batch is a visitor and a duration, with the
/// number of requests; the final answer is how many sessions of each visitor were over.
///
/// Nothing is primed: how long priming takes lies between the times of the last primed batch and of the first live one, and
/// sessions would time out by it.
pub(super) struct Sessions;

impl Job for Sessions {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn about(&self) -> &'static str {
        "Sessions that a time-out of 1s ends, with requests and duration: a web server's log whose visitors come and go."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(LogLines::drawn(load.seed, &KeyLaw::Default, &load.keys))
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        interval_ns: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        match load.records {
            RecordsKind::Borrowed => sessions(lines, load, interval_ns, answers),
            RecordsKind::Owned => sessions(&lines.owned(), load, interval_ns, answers),
        }
        Ok(())
    }

    fn oracle(&self, load: &LoadSettings, interval_ns: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(SessionsOracle::new(timeout_intervals(load, interval_ns), interval_ns / 1_000_000)))
    }
}

fn timeout_intervals(load: &LoadSettings, interval_ns: u64) -> u64 {
    load.session_timeout_ns.div_ceil(interval_ns)
}

fn sessions<R: TextRecord>(lines: &DStream<R>, load: &LoadSettings, interval_ns: u64, answers: &Arc<Answers>) {
    let idle_ns = timeout_intervals(load, interval_ns).saturating_mul(interval_ns);
    let spec = StateSpec::new().timeout(Duration::from_nanos(idle_ns));
    let interval_ms = (interval_ns / 1_000_000).max(1) as i64;
    let answers = answers.clone();
    lines
        .flat_map::<Pair<Text, u32>>(|line, out| {
            if let Some(request) = log_line(R::bytes(line)) {
                out((request.visitor, 1));
            }
        })
        .map_with_state::<Session, Ended>(spec, move |time, visitor, request, state, out| match request {
            Some(_) => prolong(state, time),
            None => {
                let (requests, (first_ms, last_ms)) = *state.get().expect("what times out has a state");
                out((visitor, (requests, whole_intervals_ms(last_ms - first_ms, interval_ms))));
            }
        })
        .for_each_batch(move |batch| {
            let (mut answer, mut row) = (BatchAnswer::default(), Vec::new());
            batch.for_each(|(visitor, (requests, duration_ms))| {
                row.clear();
                row.extend_from_slice(visitor);
                // Writing to a vector cannot fail.
                let _ = write!(row, " {duration_ms}");
                answer.add(&row, requests);
            });
            answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
            answers.add_to_final(|row| batch.for_each(|(visitor, _)| row(visitor, 1)));
        });
}

fn prolong(state: &mut State<'_, Session>, time: BatchTime) {
    let now_ms = time.milliseconds();
    let (requests, (first_ms, _)) = state.get().copied().unwrap_or((0, (now_ms, now_ms)));
    state.update((requests + 1, (first_ms, now_ms)));
}

/// The least number of whole intervals that is as long.
fn whole_intervals_ms(duration_ms: i64, interval_ms: i64) -> i64 {
    (duration_ms + interval_ms - 1).div_euclid(interval_ms) * interval_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_up_to_whole_intervals() {
        let rounded = [0, 1, 199, 200, 201].map(|duration_ms| whole_intervals_ms(duration_ms, 200));
        assert_eq!(rounded, [0, 200, 200, 200, 400]);
    }
}
