//! Which files of a watched directory are read.

use std::sync::Arc;
use std::time::Duration;

type NameFilter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Which files of a watched directory are read.
#[derive(Clone)]
pub struct DirectoryOptions {
    pub(super) new_files_only: bool,
    pub(super) remember: Duration,
    filter: NameFilter,
}

impl Default for DirectoryOptions {
    /// New files only, 60 s, all names that do not start with a dot.
    fn default() -> Self {
        let filter: NameFilter = Arc::new(|name| !name.starts_with('.'));
        DirectoryOptions { new_files_only: true, remember: Duration::from_secs(60), filter }
    }
}

impl std::fmt::Debug for DirectoryOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("DirectoryOptions");
        shown.field("new_files_only", &self.new_files_only).field("remember", &self.remember).finish_non_exhaustive()
    }
}

impl DirectoryOptions {
    /// True: only files modified after the stream was made. False: those of the remember window too, but no older ones, as in
    /// Spark.
    #[must_use]
    pub fn new_files_only(mut self, only: bool) -> Self {
        self.new_files_only = only;
        self
    }

    /// How long after its modification a file may appear, and how long its name is remembered; rounded up to whole batches.
    #[must_use]
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    pub(super) fn accepts(&self, name: &str) -> bool {
        (self.filter)(name)
    }

    /// Only files whose names the filter accepts, names that start with a dot among them. Bytes of a name that are no UTF-8
    /// are shown as U+FFFD.
    #[must_use]
    pub fn filter(mut self, filter: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Arc::new(filter);
        self
    }

    /// Only files whose names match the pattern, in which `*` stands for any characters, none included, and `?` for any one;
    /// never names that start with a dot.
    #[must_use]
    pub fn names(self, pattern: &str) -> Self {
        let pattern: Vec<char> = pattern.chars().collect();
        self.filter(move |name| {
            !name.starts_with('.') && matches_pattern(&pattern, &name.chars().collect::<Vec<char>>())
        })
    }
}

/// Matches with one point of return: the last `*` takes one more character whenever what follows it does not fit.
fn matches_pattern(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut taken) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while taken < name.len() {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, taken));
                at += 1;
            }
            (Some(&wanted), _) if wanted == '?' || wanted == name[taken] => {
                at += 1;
                taken += 1;
            }
            (_, Some((star_at, star_taken))) => {
                star = Some((star_at, star_taken + 1));
                (at, taken) = (star_at + 1, star_taken + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|left| *left == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let matches = |pattern: &str, name: &str| DirectoryOptions::default().names(pattern).accepts(name);
        for (pattern, name) in [("*", "a"), ("*.log", "a.b.log"), ("a?c", "abc"), ("a*b*c", "axbybzc"), ("é?", "éß")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.log", "a.logs"), ("a?c", "ac"), ("", "a"), ("*", ".a"), ("a*b*c", "axbyb"), ("a", "ab")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
