//! What is looked at: files of the kernel below a root, and what one second on this host was like.

use crate::machine::{Naps, naps};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How long the host is watched.
const WATCHED: Duration = Duration::from_secs(1);

/// Shares of CPU time since some moment, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    /// Given to others by the hypervisor.
    pub(super) stolen: u64,
    /// All of it.
    pub(super) all: u64,
}

impl Ticks {
    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
    pub(super) fn parse(stat: &str) -> Option<Self> {
        let fields = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = fields.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
        Some(Ticks { stolen: *ticks.get(7)?, all: ticks.iter().fold(0, |sum, ticks| sum.saturating_add(*ticks)) })
    }

    /// The stolen share, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.stolen as f64 / self.all.max(1) as f64
    }
}

/// A host.
pub(super) struct Host {
    /// Where its files are.
    root: PathBuf,
    /// CPU time before the watch. `None` where the host does not tell.
    pub(super) before: Option<Ticks>,
    /// CPU time after it.
    pub(super) after: Option<Ticks>,
    /// How late a thread woke up that only slept.
    pub(super) naps: Naps,
}

impl Host {
    /// This one, watched for a second.
    ///
    /// # Errors
    /// `/proc/stat`, which every Linux has, cannot be read.
    pub(super) fn look() -> io::Result<Self> {
        let stat = || std::fs::read_to_string("/proc/stat");
        let before = Ticks::parse(&stat()?);
        let naps = naps(WATCHED);
        let after = Ticks::parse(&stat()?);
        Ok(Host { root: PathBuf::from("/"), before, after, naps })
    }

    /// What a file says, by its path below the root; `None` where there is none or it is empty.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.root.join(path.trim_start_matches('/'))).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Another one, whose files lie here.
    #[cfg(test)]
    pub(super) fn at(root: PathBuf) -> Self {
        Host { root, before: None, after: None, naps: Naps::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stolen_share_is_of_all_time() {
        let ticks = Ticks::parse("cpu  10 0 20 60 0 0 0 10 5 5\ncpu0 1 2 3\n").unwrap();
        assert_eq!(ticks, Ticks { stolen: 10, all: 100 });
        assert!((ticks.share() - 0.1).abs() < 1e-12);
        assert_eq!(Ticks::parse("cpu  1 2 3\n"), None, "a kernel that tells nothing of steal");
        assert_eq!(Ticks::parse(""), None);
        assert_eq!(Ticks::default().share(), 0.0);
    }
}
