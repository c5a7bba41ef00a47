//! What hostile output must be: the harmless one with the payload in its place, cut or not.

use crate::payloads::HARMLESS;
use downbeat_reports::inert;

/// Whether the hostile text is the harmless one with this in its place. Where either was cut, both must be the same up to the first cut
/// and after the last.
pub(crate) fn replaced(plain: &str, hostile: &str, with: &str) -> bool {
    let expected = plain.replace(HARMLESS, with);
    match expected.contains('…') || hostile.contains('…') {
        true => are_alike_around_cuts(&expected, hostile),
        false => expected == hostile,
    }
}

/// The same for any form that a format may give to a payload.
pub(crate) fn replaced_by_any(plain: &str, hostile: &str, forms: &[String]) -> bool {
    // Most of a page has no payload.
    let is_same = plain == hostile && !plain.contains(HARMLESS);
    is_same || forms.iter().any(|form| replaced(plain, hostile, form))
}

/// The payload as text of one line, as the end of a sentence, which has a full stop of its own, and as a frame of a stack, where `;`
/// and spaces in front are structure. What would be a command to the runner of GitHub is made none, in all that a gate says.
pub(crate) fn forms(with: &str) -> Vec<String> {
    let line = inert::line(with).into_owned();
    let frame = inert::line(with.replace(';', ",").trim()).into_owned();
    let mut forms = vec![line.trim_end_matches('.').to_owned(), frame];
    forms.extend(line.strip_prefix("::").map(|rest| format!("\u{fffd}:{rest}")));
    forms.push(line.replace("##[", "#\u{fffd}["));
    forms.push(line);
    forms
}

fn are_alike_around_cuts(one: &str, other: &str) -> bool {
    let before = |text: &str| text.chars().take_while(|c| *c != '…').collect::<Vec<_>>();
    let after = |text: &str| text.chars().rev().take_while(|c| *c != '…').collect::<Vec<_>>();
    begin_alike(&before(one), &before(other)) && begin_alike(&after(one), &after(other))
}

fn begin_alike(one: &[char], other: &[char]) -> bool {
    let shorter = one.len().min(other.len());
    one[..shorter] == other[..shorter]
}

#[test]
fn a_cut_is_accepted_only_where_the_rest_is_the_same() {
    let plain = format!("warning {HARMLESS} at the end of a line, twice");
    assert!(replaced(&plain, "warning <b> at the end of a line, twice", "<b>"));
    assert!(!replaced(&plain, "warning <i> at the end of a line, twice", "<b>"));
    assert!(replaced(&plain, "warning <b>longer…, twice", "<b>longer than that"));
    assert!(!replaced(&plain, "warning <i>longer…, twice", "<b>longer than that"), "another beginning");
    assert!(!replaced(&plain, "warning <b>longer…, thrice", "<b>longer than that"), "another end");
    assert!(replaced("a qzharmless and mo…", "a b and more than th…", "b"), "both were cut");
    assert!(!replaced("a qzharmless and mo…", "a c and more than th…", "b"));
}
