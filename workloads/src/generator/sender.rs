//! The generator's thread: waits for the time of records and hands them over.

use super::stats::{Delivery, GeneratorStats};
use crate::payload::Reader;
use crate::schedule::Cursor;
use downbeat_engine::clock::set_timer_slack;
use downbeat_engine::record::Text;
use downbeat_engine::source::{Stopped, Store};

/// Records are handed over at multiples of this after the live start; batch boundaries, whole milliseconds, are among them.
const TICK_NS: u64 = 1_000_000;

/// What the generator's thread works with.
pub(super) struct Sender {
    store: Store<Text>,
    reader: Reader,
    cursor: Cursor,
    stats: GeneratorStats,
    measured_from_batch: u64,
}

/// Where a part of the schedule lies on the clock.
#[derive(Clone, Copy)]
struct Origin {
    offset_ns: u64,
    at_ns: u64,
}

impl Origin {
    fn time_of(self, offset_ns: u64) -> u64 {
        self.at_ns.saturating_add(offset_ns.saturating_sub(self.offset_ns))
    }

    fn offset_of(self, time_ns: u64) -> u64 {
        self.offset_ns + time_ns.saturating_sub(self.at_ns)
    }
}

impl Sender {
    pub(super) fn new(
        store: Store<Text>,
        reader: Reader,
        cursor: Cursor,
        stats: GeneratorStats,
        measured_from_batch: u64,
    ) -> Self {
        Sender { store, reader, cursor, stats, measured_from_batch }
    }

    /// Sends everything; returns early when the context is stopping.
    pub(super) fn run(mut self) {
        set_timer_slack();
        if self.send_all() == Ok(()) {
            self.stats.finish();
            self.store.finish();
        }
        self.stats.update_cpu();
    }

    fn send_all(&mut self) -> Result<(), Stopped> {
        let timeline = self.store.timeline()?;
        let interval_ns = timeline.interval_ns;
        let primed_ns = timeline.primed_batches * interval_ns;
        self.stats.begin(interval_ns, primed_ns, self.measured_from_batch);
        let past = Origin { offset_ns: 0, at_ns: timeline.prime_start_ns };
        for batch in 1..=timeline.primed_batches {
            self.hand_over_before(batch * interval_ns, past)?;
            self.store.advance_watermark(past.time_of(batch * interval_ns));
        }
        let live = Origin { offset_ns: primed_ns, at_ns: self.store.live_start_ns()? };
        self.send_live(live, interval_ns)
    }

    /// Ends with the schedule: at its horizon, so that batches after the last record are complete too, or right after the
    /// last record when it was their number that ended it.
    fn send_live(&mut self, origin: Origin, interval_ns: u64) -> Result<(), Stopped> {
        let clock = self.store.clock().clone();
        let mut boundary_ns = origin.at_ns + interval_ns;
        loop {
            let now_ns = clock.now_ns();
            // What is behind goes batch by batch, so that each is cut as soon as it is complete.
            while boundary_ns <= now_ns {
                self.hand_over_before(origin.offset_of(boundary_ns), origin)?;
                if self.cursor.is_over_at(origin.offset_of(boundary_ns)) {
                    return Ok(());
                }
                self.store.advance_watermark(boundary_ns);
                boundary_ns += interval_ns;
            }
            // Times up to and including now have come; before the start that is none.
            self.hand_over_before(origin.offset_of(now_ns + 1), origin)?;
            self.stats.update_cpu();
            if self.cursor.is_over_at(origin.offset_of(now_ns)) {
                return Ok(());
            }
            self.store.advance_watermark(now_ns + 1);
            let next_offset_ns = self.cursor.next_offset_ns().unwrap_or(self.cursor.horizon_ns());
            clock.sleep_until(
                next_wake_ns(now_ns, origin.at_ns, origin.time_of(next_offset_ns), interval_ns),
                self.store.wake(),
            );
            if self.store.is_stopped() {
                return Err(Stopped);
            }
        }
    }

    /// Hands over what is intended before an offset, in pieces that lie in one block and in one column.
    fn hand_over_before(&mut self, end_offset_ns: u64, origin: Origin) -> Result<(), Stopped> {
        while let Some(first_offset_ns) = self.cursor.next_offset_ns().filter(|first| *first < end_offset_ns) {
            let cut_offset_ns = origin.offset_of(self.store.cut_after(origin.time_of(first_offset_ns)));
            let (column, lines) = self.reader.run(self.cursor.next_record());
            let Some(span) = self.cursor.take_before(end_offset_ns.min(cut_offset_ns), lines.len() as u64) else {
                break;
            };
            let range = lines.start..lines.start + span.records as usize;
            let (first_ns, last_ns) = (origin.time_of(span.first_offset_ns), origin.time_of(span.last_offset_ns));
            let handover = self.store.store_planned(column, range, first_ns, last_ns)?;
            self.stats.deliver(Delivery {
                offset_ns: span.first_offset_ns,
                records: span.records,
                first_ns,
                last_ns,
                offered_ns: handover.at_ns - handover.blocked_ns,
                blocked_ns: handover.blocked_ns,
            });
        }
        Ok(())
    }
}

/// The next tick at which there is a record to hand over, or the next end of a batch, whichever is first.
fn next_wake_ns(now_ns: u64, start_ns: u64, next_record_ns: u64, interval_ns: u64) -> u64 {
    let Some(elapsed_ns) = now_ns.checked_sub(start_ns) else { return start_ns };
    let boundary_ns = start_ns + (elapsed_ns / interval_ns + 1) * interval_ns;
    if next_record_ns >= boundary_ns {
        return boundary_ns;
    }
    let next_tick_ns = (elapsed_ns / TICK_NS + 1) * TICK_NS;
    let record_tick_ns = next_record_ns.saturating_sub(start_ns).next_multiple_of(TICK_NS);
    boundary_ns.min(start_ns + next_tick_ns.max(record_tick_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn wakes_at_the_next_tick_with_a_record_and_at_every_boundary() {
        let wake = |now_ns, next_ns| next_wake_ns(now_ns, 7, next_ns, 200 * MS);
        assert_eq!(wake(0, 7), 7, "not before the start");
        assert_eq!(wake(7, 7 + 100), 7 + MS, "the tick that is next");
        assert_eq!(wake(7 + 5 * MS + 3, 7 + 5 * MS + 10), 7 + 6 * MS, "the grid does not move with lateness");
        assert_eq!(wake(7 + 5 * MS, 7 + 17 * MS + 1), 7 + 18 * MS, "no tick without a record");
        assert_eq!(wake(7 + 5 * MS, 7 + 17 * MS), 7 + 17 * MS, "a record on a tick");
        assert_eq!(wake(7 + 5 * MS, 7 + 900 * MS), 7 + 200 * MS, "but a boundary is always met");
        assert_eq!(wake(7 + 200 * MS, u64::MAX), 7 + 400 * MS);
    }
}
