//! Text for a terminal of 80 columns: names in a gutter, sentences beside them, lines that break between words.

use crate::quantity::{NO_BREAK, unbroken};

/// Columns of the terminal that everything but paths and commands fits into.
const WIDTH: usize = 80;

/// Columns before the text of each line.
pub(crate) const GUTTER: usize = 9;

/// A name in the gutter, or before it where it is longer.
pub(crate) fn heading(name: &str) -> String {
    if name.len() < GUTTER { format!("{name:GUTTER$}") } else { format!("{name}  ") }
}

/// Items after an empty or named gutter, broken between items.
pub(crate) fn paragraph(name: &str, items: &[String], separator: &str) -> String {
    let wrapped = wrap(&items.join("\n"), separator, GUTTER, GUTTER);
    format!("{name:GUTTER$}{wrapped}\n")
}

/// A sentence after a named gutter, broken between words.
pub fn words(name: &str, sentence: &str) -> String {
    let heading = heading(name);
    format!("{heading}{}\n", wrap(sentence, " ", heading.chars().count(), GUTTER))
}

/// Joins items (parted by line ends; for words, by spaces) so that no line is wider than [`WIDTH`] unless one word is. The first line
/// starts at column `first`, the others are indented by `indent`.
pub(crate) fn wrap(text: &str, separator: &str, first: usize, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut column = first;
    let mut line_is_empty = true;
    for item in items(text, separator) {
        let width = item.chars().count();
        let gap = separator.chars().count();
        if !line_is_empty && column + gap + width > WIDTH {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = indent;
            line_is_empty = true;
        }
        if !line_is_empty {
            wrapped.push_str(separator);
            column += gap;
        }
        match width > WIDTH - indent && separator != " " {
            true => wrapped.push_str(&wrap(&item, " ", column, indent)),
            false => wrapped.push_str(&item),
        }
        column += width;
        line_is_empty = false;
    }
    wrapped
}

/// The pieces between which a line may break: lines of the text, or its words with their units.
fn items(text: &str, separator: &str) -> Vec<String> {
    let whole = |item: &str| item.replace(NO_BREAK, " ");
    match separator {
        " " => unbroken(text).split(' ').filter(|word| !word.is_empty()).map(whole).collect(),
        _ => text.split('\n').filter(|item| !item.is_empty()).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_never_before_a_unit() {
        let text = format!("{} 200 ms, x", "word ".repeat(14).trim_end());
        let wrapped = wrap(&text, " ", 9, 9);
        assert_eq!(wrapped.lines().nth(1), Some("         200 ms, x"));
    }

    #[test]
    fn items_longer_than_a_line_are_broken_between_words() {
        let long = "abcd ".repeat(40);
        let text = paragraph("", &["one".to_owned(), long.trim_end().to_owned()], " · ");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.matches("abcd").count(), 40);
    }
}
