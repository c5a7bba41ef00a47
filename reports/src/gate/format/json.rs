//! `json`: one object with the judgement and the record, so that a stored gate can be judged and shown again.

use crate::format::json::write;
use crate::gate::judgement::{Judgement, Verdict};
use crate::gate::record::{GateRecord, SCHEMA};
use crate::gate::sentence::sentence;
use serde::Serialize;

#[derive(Serialize)]
struct Object<'a> {
    schema: u32,
    verdict: Verdict,
    exit: ExitObject,
    sentence: String,
    judgement: &'a Judgement,
    record: &'a GateRecord,
}

#[derive(Serialize)]
struct ExitObject {
    code: u8,
    name: &'static str,
}

/// The whole gate, with a line end.
pub fn render(record: &GateRecord, judgement: &Judgement) -> String {
    let exit = judgement.verdict.exit();
    write(&Object {
        schema: SCHEMA,
        verdict: judgement.verdict,
        exit: ExitObject { code: exit.code(), name: exit.name() },
        sentence: sentence(record, judgement),
        judgement,
        record,
    })
}
