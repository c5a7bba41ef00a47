//! `nexmark-q0`: every event passes through.

use super::digest::{self, Digest, record_groups};
use super::event::Event;
use crate::answers::Answers;
use crate::catalog::Job;
use crate::load::LoadSettings;
use crate::oracle::{NexmarkQ0Oracle, Oracle};
use crate::payload::LineSource;
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::Text;
use std::sync::Arc;

/// Each line is read and comes out as it was. The answer of a batch is every line, and the number of lines of each kind:
/// `person`, `auction`, `bid`, and `other` for what is none of them. The final answer is these numbers over the whole run.
pub(in crate::catalog) struct Q0;

impl Job for Q0 {
    fn name(&self) -> &'static str {
        "nexmark-q0"
    }

    fn about(&self) -> &'static str {
        "Reads every auction event and passes it on: what parsing alone costs."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        super::events(load)
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        match load.records {
            RecordsKind::Borrowed => pass(lines, answers),
            RecordsKind::Owned => pass(&lines.owned(), answers),
        }
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(NexmarkQ0Oracle))
    }
}

fn pass<R: TextRecord>(events: &DStream<R>, answers: &Arc<Answers>) {
    let rows = events.map_to_pair::<Text, Digest>(|event| {
        let line = R::bytes(event);
        (Event::of(line).map_or(b"other", |event| event.kind()), digest::row(line, 1))
    });
    record_groups(&rows, answers, |kind, name| name(kind), |rows, _| rows);
}
