//! Text from outside made harmless for terminals and plain files: no control bytes, no reordering of what is shown.

use std::borrow::Cow;

/// Stands where a character was taken out.
pub(crate) const REPLACEMENT: char = '\u{fffd}';

/// The text on one line: every control character (line ends and escapes among them), line separator and bidirectional override
/// becomes U+FFFD.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let replaced = text.chars().map(|c| if is_active(c) { REPLACEMENT } else { c });
    Cow::Owned(replaced.collect())
}

/// The same, cut to `limit` characters with an ellipsis at the end.
pub fn short(text: &str, limit: usize) -> String {
    let text = line(text);
    if text.chars().count() <= limit {
        return text.into_owned();
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Whether a character does something to a terminal or to the order of what is shown, instead of being shown.
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_line_ends_and_overrides_are_replaced() {
        assert_eq!(line("a\u{1b}[31mb\r\nc\u{9b}d\u{202e}e"), "a�[31mb��c�d�e");
        assert!(matches!(line("naïve 日本 <b>"), Cow::Borrowed(_)));
    }

    #[test]
    fn short_counts_characters() {
        assert_eq!(short("日本語テキスト", 4), "日本語…");
        assert_eq!(short("abcd", 4), "abcd");
    }
}
