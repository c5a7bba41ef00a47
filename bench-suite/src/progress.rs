//! Progress on stderr: one live line on a terminal, elsewhere a plain line for each step and now and then.

use crate::status::{Stage, Status};
use crate::terminal;
use downbeat_reports::inert;
use downbeat_reports::quantity::duration;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a live line is drawn.
const LIVE_PERIOD: Duration = Duration::from_millis(500);

/// How often a plain line is written.
const PLAIN_PERIOD: Duration = Duration::from_secs(30);

/// Columns of the bar, which leaves room for the figures.
const BAR: u64 = 8;

/// Where and how progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Live,
    Plain,
    None,
}

/// Shows how far a trial is.
pub(crate) struct Progress {
    style: Style,
    /// A plain line for each stage.
    has_stages: bool,
    interval_ns: u64,
    shown: Option<Instant>,
    stage: Option<Stage>,
    trouble: Option<String>,
    line_is_open: bool,
}

impl Progress {
    /// Chooses the style: nothing when `quiet`, a live line on a terminal that can, plain lines otherwise.
    pub(crate) fn new(quiet: bool, interval_ns: u64) -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|terminal| terminal == "dumb");
        let style = match quiet {
            true => Style::None,
            false if std::io::stderr().is_terminal() && !dumb && set("CI").is_none() => Style::Live,
            false => Style::Plain,
        };
        let has_stages = false;
        Progress { style, has_stages, interval_ns, shown: None, stage: None, trouble: None, line_is_open: false }
    }

    /// The same for one trial, whose stages are its steps; the steps of a search are its trials, of which it tells itself.
    pub(crate) fn with_stages(mut self) -> Self {
        self.has_stages = true;
        self
    }

    /// Shows the status if it is time to.
    pub(crate) fn update(&mut self, status: &Status) {
        self.tell_trouble(status);
        let period = if self.style == Style::Live { LIVE_PERIOD } else { PLAIN_PERIOD };
        let is_new = self.stage != Some(status.stage);
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= period);
        let is_step = is_new && (self.has_stages || self.style == Style::Live);
        if self.style == Style::None || !(is_due || is_step) {
            return;
        }
        (self.shown, self.stage) = (Some(Instant::now()), Some(status.stage));
        match self.style {
            Style::Live => self.draw(status),
            // Nothing is known of a stage that begins but its name.
            _ if is_step => write(&format!("{} …\n", status.stage.name())),
            _ => write(&format!("{}\n", line(status, self.interval_ns, terminal::COLUMNS))),
        }
    }

    fn draw(&mut self, status: &Status) {
        // A line that fills the last column would wrap.
        let columns = terminal::stderr_columns().unwrap_or(terminal::COLUMNS).saturating_sub(1);
        let text = line(status, self.interval_ns, columns);
        // Without wrapping, so that a terminal narrower than any line keeps it on one row.
        write(&format!("\r\u{1b}[2K\u{1b}[?7l{text}\u{1b}[?7h"));
        self.line_is_open = true;
    }

    /// Whether nothing is to be shown.
    pub(crate) fn is_quiet(&self) -> bool {
        self.style == Style::None
    }

    /// A message that must be seen, whatever the style.
    pub(crate) fn say(&mut self, message: &str) {
        self.clear();
        let line = inert::line(message);
        write(&match terminal::stderr_columns() {
            Some(columns) => format!("{}\n", terminal::fit(&line, columns)),
            None => format!("{line}\n"),
        });
    }

    /// Takes the live line away.
    pub(crate) fn clear(&mut self) {
        if self.line_is_open {
            write("\r\u{1b}[2K");
            self.line_is_open = false;
        }
    }

    fn tell_trouble(&mut self, status: &Status) {
        if status.trouble.is_some() && status.trouble != self.trouble {
            self.say(status.trouble.as_deref().unwrap_or_default());
        }
        self.trouble.clone_from(&status.trouble);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// As much as fits into so many columns: the bar goes first, how far it is stays to the end.
fn line(status: &Status, interval_ns: u64, columns: usize) -> String {
    let name = status.stage.name();
    if !matches!(status.stage, Stage::WarmUp | Stage::Measuring) {
        return format!("{name} …");
    }
    let busy = status.processing_ns as f64 / interval_ns.max(1) as f64 * 100.0;
    let mut figures = vec![
        format!("batch {}", duration(status.processing_ns)),
        format!("busy {busy:.0} %"),
        format!("late {}", status.late),
        format!("backlog {}", status.backlog),
    ];
    let (bar, done) = match status.planned.filter(|planned| *planned > 0) {
        None => (String::new(), status.done.to_string()),
        Some(planned) => {
            let done = status.done.min(planned);
            let full = (BAR * done / planned) as usize;
            let eta_s = ((planned - done) * interval_ns).div_ceil(1_000_000_000);
            figures.push(format!("eta {eta_s} s"));
            (format!("{}{} ", "█".repeat(full), "░".repeat(BAR as usize - full)), format!("{done}/{planned}"))
        }
    };
    let mut text = format!("{name} {bar}{done}  {}", figures.join("  "));
    while text.chars().count() > columns && !figures.is_empty() {
        text = format!("{name} {done}  {}", figures.join("  ")).trim_end().to_owned();
        figures.remove(0);
    }
    text
}

/// Progress that cannot be shown is no reason to stop measuring.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_well() {
        let status = Status {
            stage: Stage::Measuring,
            done: 55,
            planned: Some(110),
            processing_ns: 12_300_000,
            late: 1,
            backlog: 2,
            ..Status::default()
        };
        let full = "judging ████░░░░ 55/110  batch 12.3 ms  busy 6 %  late 1  backlog 2  eta 11 s";
        assert_eq!(line(&status, 200_000_000, 79), full);
        assert_eq!(line(&status, 200_000_000, 60), "judging 55/110  busy 6 %  late 1  backlog 2  eta 11 s");
        assert_eq!(line(&status, 200_000_000, 24), "judging 55/110  eta 11 s");
        assert_eq!(line(&Status { stage: Stage::Checking, ..status }, 200_000_000, 79), "checking …");
    }
}
