//! How long to wait before the next connection, as the tweet streams ask their clients to.

use std::time::Duration;

/// What kept a connection from being or staying useful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No connection, or one that ended, broke or stalled.
    Network,
    /// An answer other than 200, or none that can be read.
    Http,
    /// Status 420 or 429: we connect too often.
    RateLimited,
}

/// Pauses before connecting again. The kinds of trouble are counted apart: another kind, or a byte of a body, begins anew.
///
/// The defaults are those of Twitter's guide to its streams ("Connecting to a streaming endpoint"); it gives no end for the
/// third, ours is 16 min. One difference: a stream that ends after it sent something waits one step too, where the guide
/// connects at once, so that a server that ends each response does not see us in a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Added at each network trouble in a row.
    pub network_step: Duration,
    /// Most for those.
    pub network_most: Duration,
    /// At the first HTTP error; doubled at each in a row.
    pub http_first: Duration,
    /// Most for those.
    pub http_most: Duration,
    /// At the first 420 or 429; doubled at each in a row.
    pub rate_limited_first: Duration,
    /// Most for those.
    pub rate_limited_most: Duration,
}

impl Default for Backoff {
    /// 250 ms, 500 ms … 16 s; 5 s, 10 s … 320 s; 60 s, 120 s … 960 s.
    fn default() -> Self {
        Backoff {
            network_step: Duration::from_millis(250),
            network_most: Duration::from_secs(16),
            http_first: Duration::from_secs(5),
            http_most: Duration::from_secs(320),
            rate_limited_first: Duration::from_secs(60),
            rate_limited_most: Duration::from_secs(960),
        }
    }
}

impl Backoff {
    /// The pause after the `count`th trouble of this kind in a row, from 1.
    fn pause(&self, trouble: Trouble, count: u32) -> Duration {
        let doubled = |first: Duration| first.saturating_mul(2u32.saturating_pow(count.saturating_sub(1)));
        match trouble {
            Trouble::Network => self.network_step.saturating_mul(count).min(self.network_most),
            Trouble::Http => doubled(self.http_first).min(self.http_most),
            Trouble::RateLimited => doubled(self.rate_limited_first).min(self.rate_limited_most),
        }
    }
}

/// Counts troubles in a row.
pub(super) struct Pauses {
    backoff: Backoff,
    last: Option<(Trouble, u32)>,
}

impl Pauses {
    pub(super) fn new(backoff: Backoff) -> Self {
        Pauses { backoff, last: None }
    }

    /// The connection was of use.
    pub(super) fn reset(&mut self) {
        self.last = None;
    }

    /// The pause after one more trouble.
    pub(super) fn after(&mut self, trouble: Trouble) -> Duration {
        let before = self.last.filter(|(kind, _)| *kind == trouble).map_or(0, |(_, count)| count);
        let count = before.saturating_add(1);
        self.last = Some((trouble, count));
        self.backoff.pause(trouble, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses_ms(trouble: Trouble, count: usize) -> Vec<u128> {
        let mut pauses = Pauses::new(Backoff::default());
        (0..count).map(|_| pauses.after(trouble).as_millis()).collect()
    }

    #[test]
    fn the_pauses_are_those_of_the_guide() {
        let network = pauses_ms(Trouble::Network, 70);
        assert_eq!((network[..3].to_vec(), network[63], network[69]), (vec![250, 500, 750], 16_000, 16_000));
        assert_eq!(
            pauses_ms(Trouble::Http, 9),
            [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 320_000, 320_000]
        );
        assert_eq!(pauses_ms(Trouble::RateLimited, 6), [60_000, 120_000, 240_000, 480_000, 960_000, 960_000]);
        assert_eq!(*pauses_ms(Trouble::RateLimited, 100).last().expect("some"), 960_000);
    }

    #[test]
    fn another_kind_or_a_useful_connection_begins_anew() {
        let mut pauses = Pauses::new(Backoff::default());
        let mut after = |trouble| pauses.after(trouble).as_millis();
        let kinds = [Trouble::Http, Trouble::Http, Trouble::Network, Trouble::Http];
        assert_eq!(kinds.map(&mut after), [5_000, 10_000, 250, 5_000]);
        pauses.reset();
        assert_eq!(pauses.after(Trouble::Http).as_millis(), 5_000);
    }
}
