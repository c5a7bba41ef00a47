//! Progress on stderr: one live line on a terminal, a plain line now and then elsewhere.

use crate::status::{Stage, Status};
use downbeat_reports::inert;
use downbeat_reports::quantity::duration;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a live line is drawn.
const LIVE_PERIOD: Duration = Duration::from_millis(500);

/// How often a plain line is written.
const PLAIN_PERIOD: Duration = Duration::from_secs(15);

/// Columns of a live line: never more than the smallest terminal has.
const WIDTH: usize = 79;

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
        Progress { style, interval_ns, shown: None, stage: None, trouble: None, line_is_open: false }
    }

    /// Shows the status if it is time to.
    pub(crate) fn update(&mut self, status: &Status) {
        self.tell_trouble(status);
        let period = if self.style == Style::Live { LIVE_PERIOD } else { PLAIN_PERIOD };
        let is_new = self.stage != Some(status.stage);
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= period);
        if self.style == Style::None || !(is_due || is_new && self.style == Style::Live) {
            return;
        }
        (self.shown, self.stage) = (Some(Instant::now()), Some(status.stage));
        let text = line(status, self.interval_ns);
        match self.style {
            Style::Live => {
                // Without wrapping, so that a terminal narrower than the line keeps it on one row.
                write(&format!("\r\u{1b}[2K\u{1b}[?7l{}\u{1b}[?7h", inert::short(&text, WIDTH)));
                self.line_is_open = true;
            }
            _ => write(&format!("{text}\n")),
        }
    }

    /// Whether nothing is to be shown.
    pub(crate) fn is_quiet(&self) -> bool {
        self.style == Style::None
    }

    /// A message that must be seen, whatever the style.
    pub(crate) fn say(&mut self, message: &str) {
        self.clear();
        write(&format!("{}\n", inert::line(message)));
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

fn line(status: &Status, interval_ns: u64) -> String {
    let name = status.stage.name();
    if !matches!(status.stage, Stage::WarmUp | Stage::Measuring) {
        return format!("{name} …");
    }
    let busy = status.processing_ns as f64 / interval_ns.max(1) as f64 * 100.0;
    let batch = duration(status.processing_ns);
    let figures = format!("batch {batch}  busy {busy:.0} %  late {}  backlog {}", status.late, status.backlog);
    let Some(planned) = status.planned.filter(|planned| *planned > 0) else {
        return format!("{name} {}  {figures}", status.done);
    };
    let done = status.done.min(planned);
    let full = (BAR * done / planned) as usize;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR as usize - full));
    let eta_s = ((planned - done) * interval_ns).div_ceil(1_000_000_000);
    format!("{name} {bar} {done}/{planned}  {figures}  eta {eta_s} s")
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
        let shown = line(&status, 200_000_000);
        assert_eq!(shown, "judging ████░░░░ 55/110  batch 12.3 ms  busy 6 %  late 1  backlog 2  eta 11 s");
        assert!(shown.chars().count() <= WIDTH);
        let shown = line(&Status { stage: Stage::Checking, ..status }, 200_000_000);
        assert_eq!(shown, "checking …");
    }
}
