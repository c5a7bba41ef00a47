//! What a search found, in each format that a search has.

use super::{html, markdown};
use crate::inert;
use crate::search::found::Found;

/// Formats of searches, by the names of those of runs.
pub const FORMATS: [&str; 4] = ["human", "json", "html", "markdown"];

/// Most lines of a search's text that Markdown shows.
const MARKDOWN_LINES: usize = 34;

impl Found {
    /// In the format of that name. `None` when searches have no such format.
    pub fn render(&self, format: &str) -> Option<String> {
        Some(match format {
            "human" => self.text(),
            "json" => self.json(),
            "html" => html::search(self),
            "markdown" => self.markdown(),
            _ => return None,
        })
    }

    /// The text for people, inert for terminals.
    fn text(&self) -> String {
        let text = match self {
            Found::Max(record) => record.render_human(),
            Found::Sweep(record) => record.render_human(),
            Found::Tune(record) => record.render_human(),
        };
        text.split('\n').map(inert::line).collect::<Vec<_>>().join("\n")
    }

    /// The answer as a sentence, the text below it folded away.
    fn markdown(&self) -> String {
        let sentence = self.sentence();
        let command = match self {
            Found::Max(record) => &record.command,
            Found::Sweep(record) => &record.command,
            Found::Tune(record) => &record.command,
        };
        let text = self.text();
        // Indented, so that nothing inside can end the block.
        let lines = text.lines().take(MARKDOWN_LINES).map(|line| format!("    {line}\n"));
        let block: String = lines.collect();
        let more = if text.lines().count() > MARKDOWN_LINES { "\nThe rest is in the report.\n" } else { "" };
        let again = if command.is_empty() {
            String::new()
        } else {
            format!("\nAgain: {}\n", markdown::code(&inert::short(command, 1_000)))
        };
        format!("### {}\n\n{block}{more}{again}", markdown::escape(&inert::short(&sentence, 600)))
    }
}
