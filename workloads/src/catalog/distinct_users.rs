//! `distinct-users`: how many users there were in a window that slides with each batch, and how many did what.

use super::Job;
use super::ad_event::ad_event;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::keys::KeyLaw;
use crate::load::LoadSettings;
use crate::oracle::{DistinctUsersOracle, Oracle};
use crate::payload::{AdEvents, LineSource};
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::sync::Arc;
use std::time::Duration;

/// What users are counted for, each a bit of what is known of a user.
const ACTIONS: [&str; 3] = ["view", "click", "purchase"];

/// The bit of any other action.
const OTHER: u32 = 1 << ACTIONS.len();

/// A user's actions are a set, which cannot be taken back out of a larger one: the window has no inverse. Lines that are no
/// events are left out. Rows are `user`, `view`, `click` and `purchase`; the final answer is that of the last batch.
pub(super) struct DistinctUsers;

impl Job for DistinctUsers {
    fn name(&self) -> &'static str {
        "distinct-users"
    }

    fn about(&self) -> &'static str {
        "How many users were there, viewed, clicked, bought in the last 10s at each batch: JSON ad events of 100,000 users."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(AdEvents::drawn(load.seed, &KeyLaw::Default, &load.keys))
    }

    fn prime_batches(&self, load: &LoadSettings, interval_ns: u64) -> u64 {
        load.window_ns.div_ceil(interval_ns)
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        interval_ns: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let (window, slide) = (Duration::from_nanos(load.window_ns), Duration::from_nanos(interval_ns));
        match load.records {
            RecordsKind::Borrowed => users_of_window(lines, window, slide, answers),
            RecordsKind::Owned => users_of_window(&lines.owned(), window, slide, answers),
        }
        Ok(())
    }

    fn oracle(&self, load: &LoadSettings, interval_ns: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(DistinctUsersOracle::new(super::window_batches(load, interval_ns))))
    }
}

fn users_of_window<R: TextRecord>(lines: &DStream<R>, window: Duration, slide: Duration, answers: &Arc<Answers>) {
    let answers = answers.clone();
    lines
        .flat_map::<Pair<Text, u32>>(|line, out| user_and_action(R::bytes(line), out))
        .reduce_by_key_and_window(|a, b| a | b, window, slide)
        .for_each_batch(move |batch| {
            let (mut users, mut users_of_action) = (0, [0; ACTIONS.len()]);
            batch.for_each(|(_, actions)| {
                users += 1;
                users_of_action.iter_mut().enumerate().for_each(|(bit, users)| *users += u64::from(actions >> bit & 1));
            });
            let rows = || std::iter::once(("user", users)).chain(ACTIONS.into_iter().zip(users_of_action));
            let mut answer = BatchAnswer::default();
            rows().for_each(|(row, users)| answer.add(row.as_bytes(), users));
            answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
            answers.replace_final(|add| rows().for_each(|(row, users)| add(row.as_bytes(), users)));
        });
}

fn user_and_action<'l>(line: &'l [u8], out: &mut dyn FnMut((&'l [u8], u32))) {
    if let Some(event) = ad_event(line) {
        let bit = ACTIONS.iter().position(|action| *action == event.event_type);
        out((event.user_id.as_bytes(), bit.map_or(OTHER, |bit| 1 << bit)));
    }
}
