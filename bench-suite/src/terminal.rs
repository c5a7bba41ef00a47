//! The terminal that people read in: how wide it is, and text that breaks between words where it is narrow.

use rustix::termios::tcgetwinsize;
use std::io::{IsTerminal, Stderr, Stdout};
use std::os::fd::AsFd;

/// Columns that all text is made for.
pub(crate) const COLUMNS: usize = 80;

/// Nothing is broken into less.
const LEAST: usize = 20;

/// A name in front of a text is no wider than this; a wider one is the first column of a table.
const WIDEST_GUTTER: usize = 20;

/// Columns of stdout, if it is a terminal.
pub(crate) fn stdout_columns() -> Option<usize> {
    columns(&std::io::stdout() as &Stdout)
}

/// Columns of stderr, if it is a terminal.
pub(crate) fn stderr_columns() -> Option<usize> {
    columns(&std::io::stderr() as &Stderr)
}

/// `COLUMNS` beats the terminal's own word; a terminal that does not know is taken for a usual one.
fn columns(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse::<usize>().ok());
    let own = || tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    Some(given.filter(|columns| *columns > 0).or_else(own).filter(|columns| *columns > 0).unwrap_or(COLUMNS))
}

/// The text with every line that is too wide broken between words, the rest of it below the column where the words began. Words are
/// never cut, and a text that fits is not touched.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let columns = columns.max(LEAST);
    let mut fitted = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        match width(line.trim_end()) > columns {
            true => break_line(line.trim_end(), columns, &mut fitted),
            false => fitted.push_str(line.trim_end_matches('\n')),
        }
        if line.ends_with('\n') {
            fitted.push('\n');
        }
    }
    fitted
}

fn break_line(line: &str, columns: usize, fitted: &mut String) {
    let hang = hang(line, columns);
    let mut column = 0;
    for (position, word) in line.split(' ').enumerate() {
        let width = width(word);
        // An empty word is one more space between two others.
        if column + usize::from(position > 0) + width > columns && column > hang && !word.is_empty() {
            trim_spaces(fitted);
            fitted.push('\n');
            fitted.push_str(&" ".repeat(hang));
            column = hang;
        } else if position > 0 {
            fitted.push(' ');
            column += 1;
        }
        fitted.push_str(word);
        column += width;
    }
}

fn trim_spaces(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
}

/// The column below which the rest of a line goes: where the words after a name and its gap begin, or a little further in than the
/// line itself.
fn hang(line: &str, columns: usize) -> usize {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let rest = &line[indent..];
    let after_name = rest.find("  ").map(|gap| {
        let begin = rest[gap..].find(|c| c != ' ').unwrap_or(0) + gap;
        indent + width(&rest[..begin])
    });
    let hang = match after_name {
        Some(column) if column <= WIDEST_GUTTER => column,
        _ if indent > 0 && after_name.is_none() => indent,
        _ => indent + 2,
    };
    hang.min(columns / 2)
}

/// Columns of a text; escape sequences of colours have none.
fn width(text: &str) -> usize {
    let mut columns = 0;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => characters.by_ref().find(|c| c.is_ascii_alphabetic()).map_or((), |_| ()),
            _ => columns += 1,
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERDICT: &str = "HOLDS    100,000 rec/s at 200 ms batches; end-to-end p90 185 ms, max 208 ms;\n         none of 100 batches late\n";

    #[test]
    fn what_fits_is_not_touched() {
        assert_eq!(fit(VERDICT, 80), VERDICT);
        assert_eq!(fit("", 60), "");
        assert_eq!(fit("a  b\n\n  c", 60), "a  b\n\n  c");
    }

    #[test]
    fn lines_break_between_words_below_the_words_above() {
        let fitted = fit(VERDICT, 50);
        let expected = "HOLDS    100,000 rec/s at 200 ms batches;\n         end-to-end p90 185 ms, max 208 ms;\n         none of 100 batches late\n";
        assert_eq!(fitted, expected);
    }

    #[test]
    fn no_word_is_lost_or_cut_at_any_width() {
        let table = " 1   interval=200ms, threads=1            1,234,567 rec/s [1.1M, 1.3M]    same as the best\nreport   results/a-very-long-name-that-no-terminal-has-room-for/report.html\n";
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for text in [VERDICT, table] {
            for columns in 0..100 {
                let fitted = fit(text, columns);
                assert_eq!(words(&fitted), words(text), "{columns}");
                let is_narrow = |line: &str| width(line) <= columns.max(LEAST) || line.split_whitespace().count() <= 2;
                assert!(fitted.lines().all(is_narrow), "{columns}:\n{fitted}");
            }
        }
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(width("\u{1b}[1;32mHOLDS\u{1b}[0m"), 5);
        let coloured = "\u{1b}[1;32mHOLDS    \u{1b}[0mone two three four";
        assert_eq!(fit(coloured, 30), coloured);
        assert_eq!(fit(coloured, 20), "\u{1b}[1;32mHOLDS    \u{1b}[0mone two\n         three four");
    }
}
