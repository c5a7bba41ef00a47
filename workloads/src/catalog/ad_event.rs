//! What the jobs read of an ad event.

use serde::Deserialize;

/// What is read of an event: a line is one if it is a JSON object in UTF-8 with each member here once, as a string without
/// escapes. Other members are of no concern.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct AdEvent<'l> {
    pub(super) user_id: &'l str,
    pub(super) ad_id: &'l str,
    pub(super) event_type: &'l str,
}

/// The event of a line; `None` when it is none.
pub(super) fn ad_event(line: &[u8]) -> Option<AdEvent<'_>> {
    // serde_json takes an array for an object too.
    let is_object = line.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) == Some(&b'{');
    if !is_object {
        return None;
    }
    // Checked as a whole, as what is skipped within is not.
    serde_json::from_str(std::str::from_utf8(line).ok()?).ok()
}
