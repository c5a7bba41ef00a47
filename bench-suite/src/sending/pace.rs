//! Sends each record when its time has come, and counts what became of it.

use super::peer::Peer;
use super::{Plan, Sent};
use crate::shard::Shard;
use crate::signals::Signals;
use downbeat_engine::clock::{Clock, MonotonicClock, set_timer_slack};
use downbeat_engine::record::{Column, TextColumn};
use downbeat_workloads::generator::{Delivery, GeneratorStats};
use downbeat_workloads::payload::Reader;
use downbeat_workloads::schedule::{Cursor, Span};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::ops::Range;
use std::time::Duration;

/// Records are sent at multiples of this after the begin, as the generator in a trial does.
const TICK_NS: u64 = 1_000_000;

/// Longest sleep, so that signals and readers are seen.
const NAP_NS: u64 = 20_000_000;

/// Records that are written at once.
const RECORDS_AT_ONCE: u64 = 10_000;

/// What became of the records.
#[derive(Default)]
pub(super) struct Tally {
    /// Records handed to the system, whole.
    pub(super) records: u64,
    /// Bytes handed to the system.
    pub(super) bytes: u64,
    /// Records that came due when nobody was connected, and those that were on the way into a connection that broke.
    pub(super) undelivered_records: u64,
    /// Readers that connected.
    pub(super) connections: u64,
    /// The last reader closed in order after the last byte.
    pub(super) read_to_end: bool,
    /// From the begin to the last hand-over.
    pub(super) elapsed_ns: u64,
    /// How long there was no room in the connection.
    pub(super) blocked_ns: u64,
    /// Lateness of the records, without the time for which the reader let us wait.
    pub(super) own: GeneratorStats,
    /// Lateness of the records when all of them had been handed over, whoever was to blame.
    pub(super) whole: GeneratorStats,
}

/// The open loop.
pub(super) struct Pace<'p> {
    cursor: Cursor,
    reader: Reader,
    shard: Shard,
    listener: &'p TcpListener,
    signals: &'p Signals,
    tell: &'p dyn Fn(String),
    clock: MonotonicClock,
    begin_ns: u64,
    peer: Option<Peer>,
    lines: Vec<u8>,
    tally: Tally,
}

impl<'p> Pace<'p> {
    pub(super) fn new(plan: &Plan, listener: &'p TcpListener, signals: &'p Signals, tell: &'p dyn Fn(String)) -> Self {
        Pace {
            cursor: plan.schedule.cursor(),
            reader: plan.payload.reader(),
            shard: plan.shard,
            listener,
            signals,
            tell,
            clock: MonotonicClock::new(),
            begin_ns: 0,
            peer: None,
            lines: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Waits for the first reader, then sends until the schedule is over or a signal comes.
    pub(super) fn run(mut self) -> Sent {
        set_timer_slack();
        while self.peer.is_none() && !self.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
            self.accept();
        }
        self.begin_ns = self.clock.now_ns();
        let is_finished = !self.is_stopped() && self.send_all();
        if let Some(peer) = self.peer.take() {
            self.tally.read_to_end = peer.part(|| self.signals.count() > 0);
        }
        Sent { tally: self.tally, is_finished }
    }

    /// False when it was stopped before the end.
    fn send_all(&mut self) -> bool {
        loop {
            let offset_ns = self.offset_ns();
            // Times up to and including now have come.
            self.send_before(offset_ns + 1);
            if self.is_stopped() {
                return false;
            }
            if self.cursor.is_over_at(offset_ns) {
                return true;
            }
            self.look_after_the_reader();
            self.sleep();
        }
    }

    fn is_stopped(&self) -> bool {
        self.signals.count() > 0
    }

    fn offset_ns(&self) -> u64 {
        self.clock.now_ns() - self.begin_ns
    }

    /// Until the next tick at which a record is due.
    fn sleep(&self) {
        let offset_ns = self.offset_ns();
        let next_ns = self.cursor.next_offset_ns().unwrap_or(self.cursor.horizon_ns());
        let tick_ns =
            next_ns.checked_next_multiple_of(TICK_NS).unwrap_or(u64::MAX).max((offset_ns / TICK_NS + 1) * TICK_NS);
        std::thread::sleep(Duration::from_nanos((tick_ns - offset_ns).min(NAP_NS)));
    }

    fn look_after_the_reader(&mut self) {
        if let Some(problem) = self.peer.as_mut().and_then(Peer::has_left) {
            self.lose(&problem);
        }
        if self.peer.is_none() {
            self.accept();
        }
    }

    /// Takes the next reader, if one waits.
    fn accept(&mut self) {
        let accepted = match self.listener.accept() {
            Ok((stream, address)) => Peer::new(stream).map(|peer| (peer, address)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            Err(error) => Err(error),
        };
        match accepted {
            Ok((peer, address)) => {
                self.tally.connections += 1;
                (self.tell)(format!("a reader connected from {address}"));
                self.peer = Some(peer);
            }
            Err(error) => (self.tell)(format!("a reader could not be taken: {error}")),
        }
    }

    fn lose(&mut self, problem: &str) {
        self.peer = None;
        (self.tell)(format!(
            "the reader has gone: {problem}; what comes due until the next one connects is not delivered"
        ));
    }

    fn send_before(&mut self, end_offset_ns: u64) {
        while self.cursor.next_offset_ns().is_some_and(|next_ns| next_ns < end_offset_ns) && !self.is_stopped() {
            if self.peer.is_none() {
                let Some(span) = self.cursor.take_before(end_offset_ns, u64::MAX) else { return };
                self.tally.undelivered_records += self.shard.count(records(span));
                return;
            }
            let (column, lines) = self.reader.run(self.cursor.next_record());
            let most = RECORDS_AT_ONCE.min(lines.len() as u64);
            let Some(span) = self.cursor.take_before(end_offset_ns, most) else { return };
            if self.shard.count(records(span)) > 0 {
                gather(self.shard, column, lines.start, span, &mut self.lines);
                self.send(span);
            }
        }
    }

    /// Writes the gathered lines of a span.
    fn send(&mut self, span: Span) {
        let Some(peer) = &mut self.peer else { return };
        let offered_ns = self.clock.now_ns();
        let signals = self.signals;
        let written = peer.write(&self.lines, || signals.count() > 0);
        let handed_ns = self.clock.now_ns();
        let planned = self.shard.count(records(span));
        let delivered = match written.bytes == self.lines.len() {
            true => planned,
            false => self.lines[..written.bytes].iter().filter(|byte| **byte == b'\n').count() as u64,
        };
        self.tally.records += delivered;
        self.tally.bytes += written.bytes as u64;
        self.tally.undelivered_records += planned - delivered;
        self.tally.blocked_ns += written.blocked_ns;
        self.tally.elapsed_ns = handed_ns - self.begin_ns;
        if delivered > 0 {
            let delivery = Delivery {
                offset_ns: span.first_offset_ns,
                records: delivered,
                first_ns: self.begin_ns + span.first_offset_ns,
                last_ns: self.begin_ns + span.last_offset_ns,
                offered_ns,
                blocked_ns: written.blocked_ns,
            };
            self.tally.own.deliver(delivery);
            self.tally.whole.deliver(Delivery { offered_ns: handed_ns, blocked_ns: 0, ..delivery });
        }
        if let Some(problem) = written.gone {
            self.lose(&problem);
        }
    }
}

fn records(span: Span) -> Range<u64> {
    span.first_record..span.first_record + span.records
}

/// The lines of the shard's records of a span, a newline after each; the span's first line is line `first` of the column.
fn gather(shard: Shard, column: &TextColumn, first: usize, span: Span, lines: &mut Vec<u8>) {
    lines.clear();
    if shard.is_whole() {
        return lines.extend_from_slice(column.joined(first..first + span.records as usize));
    }
    let mut record = shard.first_from(span.first_record);
    while record < span.first_record + span.records {
        lines.extend_from_slice(column.view(first + (record - span.first_record) as usize));
        lines.push(b'\n');
        record += shard.step();
    }
}
