//! The right answer of `sessions`.

use super::log_fields::log_fields;
use super::parsed::{LineParser, Parsed};
use super::tokens::{Counts, Dictionary};
use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::payload::Payload;
use std::collections::VecDeque;

/// Counts in batches instead of times: a session is over `timeout + 1` batches after its last one.
pub struct SessionsOracle {
    timeout_batches: u64,
    interval_ms: u64,
}

impl SessionsOracle {
    /// Sessions survive so many batches of this length without a request.
    pub fn new(timeout_batches: u64, interval_ms: u64) -> Self {
        SessionsOracle { timeout_batches, interval_ms }
    }
}

impl Oracle for SessionsOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut lines = Parsed::new(payload, Visitors::default());
        let mut sessions: Vec<Session> = Vec::new();
        // Who made requests in the last batches, the oldest first.
        let mut recent: VecDeque<Vec<u32>> = VecDeque::new();
        let (mut ended, mut wrong) = (Counts::default(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for (number, batch) in (0..).zip(batches) {
            let mut present = Vec::new();
            lines.for_each(&batch.ranges, |visitor| {
                if let Some(visitor) = visitor {
                    request(&mut sessions, *visitor, number, &mut present);
                }
            });
            recent.push_back(present);
            let mut expected = BatchAnswer::default();
            if recent.len() as u64 > self.timeout_batches + 1 {
                let last = number - self.timeout_batches - 1;
                for visitor in recent.pop_front().unwrap_or_default() {
                    let session = &mut sessions[visitor as usize];
                    if session.requests > 0 && session.last == last {
                        let duration_ms = (session.last - session.first) * self.interval_ms;
                        let name = &lines.parser.0.keys[visitor as usize];
                        let row = [name, format!(" {duration_ms}").as_bytes()].concat();
                        expected.add(&row, session.requests);
                        ended.add(visitor, 1);
                        *session = Session::default();
                    }
                }
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        let names = &lines.parser.0.keys;
        let mut rows: Vec<Row> =
            ended.iter().map(|(visitor, count)| Row { key: names[visitor as usize].clone(), count }).collect();
        sort_rows(&mut rows);
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

/// The open session of a visitor; none if it has no request.
#[derive(Clone, Default)]
struct Session {
    requests: u64,
    /// Numbers of batches.
    first: u64,
    last: u64,
}

fn request(sessions: &mut Vec<Session>, visitor: u32, batch: u64, present: &mut Vec<u32>) {
    if sessions.len() <= visitor as usize {
        sessions.resize(visitor as usize + 1, Session::default());
    }
    let session = &mut sessions[visitor as usize];
    if session.requests == 0 {
        session.first = batch;
    }
    if session.requests == 0 || session.last != batch {
        present.push(visitor);
    }
    session.last = batch;
    session.requests += 1;
}

/// Numbers the visitors.
#[derive(Default)]
struct Visitors(Dictionary);

impl LineParser for Visitors {
    type Parsed = Option<u32>;

    fn parse(&mut self, line: &[u8]) -> Option<u32> {
        log_fields(line).map(|fields| self.0.id(fields.visitor))
    }
}
