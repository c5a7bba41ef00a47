//! The right answer of `distinct-users`.

use super::json::strings_of;
use super::parsed::{LineParser, Parsed};
use super::tokens::Dictionary;
use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::payload::Payload;

/// What is counted: users of any action, then of these.
const ROWS: [&str; 4] = ["user", "view", "click", "purchase"];

/// Remembers for each user and action the last batch that had it; who is in the window, that batch says.
pub struct DistinctUsersOracle {
    window_batches: usize,
}

impl DistinctUsersOracle {
    /// A window of this many batches, at least one.
    pub fn new(window_batches: usize) -> Self {
        DistinctUsersOracle { window_batches }
    }
}

impl Oracle for DistinctUsersOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut events = Parsed::new(payload, Users::default());
        let (mut last_seen, mut rows, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        // Batches from 1, so that 0 means never.
        for (number, batch) in (1..).zip(batches) {
            events.for_each(&batch.ranges, |event| see(&mut last_seen, *event, number));
            let oldest = number.saturating_sub(self.window_batches).saturating_add(1);
            rows = (0..).zip(ROWS).map(|(action, name)| row(&last_seen, name, action, oldest)).collect();
            let mut expected = BatchAnswer::default();
            rows.iter().for_each(|row| expected.add(&row.key, row.count));
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        sort_rows(&mut rows);
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

/// Numbers of the last batches of one user, by row.
type LastSeen = [usize; ROWS.len()];

fn see(last_seen: &mut Vec<LastSeen>, event: Option<(u32, usize)>, batch: usize) {
    let Some((user, action)) = event else { return };
    let user = user as usize;
    if last_seen.len() <= user {
        last_seen.resize(user + 1, LastSeen::default());
    }
    last_seen[user][0] = batch;
    last_seen[user][action] = batch;
}

fn row(last_seen: &[LastSeen], name: &str, action: usize, oldest: usize) -> Row {
    let count = last_seen.iter().filter(|seen| seen[action] >= oldest).count() as u64;
    Row { key: name.as_bytes().to_vec(), count }
}

/// Numbers users, and finds the row of the action; 0, the row of all, for others.
#[derive(Default)]
struct Users(Dictionary);

impl LineParser for Users {
    type Parsed = Option<(u32, usize)>;

    fn parse(&mut self, line: &[u8]) -> Option<(u32, usize)> {
        let [user, event, _] = strings_of(line, ["user_id", "event_type", "ad_id"])?;
        let action = ROWS[1..].iter().position(|name| name.as_bytes() == event).map_or(0, |place| place + 1);
        Some((self.0.id(user), action))
    }
}
