//! A system whose capacity is known: batches that cost F + c·n, disturbed as a real host disturbs them, queued and judged like
//! real ones. The search is tried on it, because on a real system nobody knows the truth.

use downbeat_reports::figures::Figures;
use downbeat_reports::limit::Limit;
use downbeat_reports::stats::percentiles::median;
use downbeat_reports::stats::random::SplitMix64;
use downbeat_reports::stats::theil_sen;
use hdrhistogram::Histogram;

/// How much a host disturbs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Standard deviation of a whole trial's speed: each process gets other pages, caches and neighbours.
    pub trial: f64,
    /// Standard deviation of a batch's time.
    pub batch: f64,
    /// How much of a batch's deviation the next one has too.
    pub memory: f64,
    /// Pauses of the host per second,
    pub pauses_per_s: f64,
    /// and their mean length, exponentially distributed.
    pub pause_ns: f64,
    /// Standard deviation of the host's own speed, which wanders from trial to trial,
    pub drift: f64,
    /// and how long it remembers, seconds.
    pub drift_s: f64,
}

impl Noise {
    /// A host of its own.
    pub const QUIET: Noise =
        Noise { trial: 0.003, batch: 0.02, memory: 0.5, pauses_per_s: 0.01, pause_ns: 3e6, drift: 0.0, drift_s: 120.0 };

    /// Two virtual cores beside busy neighbours.
    pub const SHARED: Noise = Noise {
        trial: 0.012,
        batch: 0.04,
        memory: 0.5,
        pauses_per_s: 0.05,
        pause_ns: 15e6,
        drift: 0.0,
        drift_s: 120.0,
    };

    /// As 158 paced trials of word count varied that followed one another on such a host, 5 s each: by 2.7 %, of which 0.63 was still
    /// there at the next trial and 0.13 at the fifth (30 November 2026). Time is stretched, so that trials of 23 s share as much.
    pub const MEASURED: Noise = Noise { trial: 0.01, drift: 0.025, drift_s: 60.0, ..Noise::SHARED };

    /// A speed that wanders by some percent within minutes.
    pub const DRIFTING: Noise = Noise { drift: 0.04, ..Noise::SHARED };
}

/// The system.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Records per second at which an undisturbed batch takes exactly one interval.
    pub capacity_per_s: f64,
    /// Share of the interval that an empty batch takes.
    pub fixed: f64,
    /// Batch interval.
    pub interval_ns: u64,
    /// What disturbs it.
    pub noise: Noise,
    /// The host's speed now, in its own standard deviations; where it begins is chance.
    speed: f64,
    random: SplitMix64,
}

impl Simulated {
    /// A system of this capacity whose noise comes from this seed.
    pub fn new(capacity_per_s: f64, noise: Noise, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let speed = if noise.drift > 0.0 { random.normal() } else { 0.0 };
        Simulated { capacity_per_s, fixed: 0.02, interval_ns: 200_000_000, noise, speed, random }
    }

    /// How much longer batches take now, for a trial of so many seconds after the one before.
    fn drifted(&mut self, seconds: f64) -> f64 {
        if self.noise.drift == 0.0 {
            return 1.0;
        }
        let kept = (-seconds / self.noise.drift_s).exp();
        self.speed = kept * self.speed + (1.0 - kept * kept).sqrt() * self.random.normal();
        (self.noise.drift * self.speed).exp()
    }

    /// An unpaced trial: the capacity that it sees, records per second.
    pub fn drained_per_s(&mut self, seconds: f64) -> f64 {
        let slower = self.drifted(seconds) * (self.noise.trial * self.random.normal()).exp();
        self.capacity_per_s / slower
    }

    /// One trial: ten batches of warm-up, then the judged ones.
    pub fn trial(&mut self, rate_per_s: f64, batches: u64) -> Figures {
        let interval = self.interval_ns as f64;
        let load = rate_per_s / self.capacity_per_s;
        let seconds = (batches + 10) as f64 * interval / 1e9 + 1.0;
        let of_trial = self.drifted(seconds) * (self.noise.trial * self.random.normal()).exp();
        let mean = interval * (self.fixed + (1.0 - self.fixed) * load) * of_trial;
        let (mut deviation, mut free_at, mut late) = (0.0, 0.0_f64, 0);
        let (mut busy, mut delays) = (Vec::new(), Vec::new());
        let mut latency = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("the bounds are in order");
        for batch in 0..batches + 10 {
            let own = (1.0 - self.noise.memory.powi(2)).sqrt() * self.random.normal();
            deviation = self.noise.memory * deviation + own;
            let processing = mean * (self.noise.batch * deviation).exp() + self.paused(mean);
            let due = batch as f64 * interval;
            free_at = free_at.max(due) + processing;
            if batch >= 10 {
                let delay = free_at - due;
                late += u64::from(delay > interval);
                busy.push(processing / interval);
                delays.push((batch as f64, delay));
                // Records of a batch were meant to be sent evenly over the interval before it was due.
                (0..10).for_each(|part| {
                    latency.saturating_record((delay + interval * (f64::from(part) + 0.5) / 10.0) as u64)
                });
            }
        }
        let mut delays_ns: Vec<u64> = delays.iter().map(|(_, delay)| *delay as u64).collect();
        delays_ns.sort_unstable();
        Figures {
            interval_ns: self.interval_ns,
            judged: batches,
            late,
            delays_ns,
            utilisation: median(&busy).unwrap_or(0.0),
            slope: theil_sen::slope(&delays).map_or(0.0, |slope| slope / interval),
            blocked_share: 0.0,
            shed: 0,
            latency: Some(latency),
        }
    }

    /// Time that the host takes away while a batch runs.
    fn paused(&mut self, batch_ns: f64) -> f64 {
        let chance = self.noise.pauses_per_s * batch_ns / 1e9;
        if self.random.unit() < chance { -self.noise.pause_ns * (1.0 - self.random.unit()).ln() } else { 0.0 }
    }

    /// The truth: the rate at which half of the trials of this length exceed the limits, by bisection with many trials.
    pub fn true_rate_per_s(&self, batches: u64, limits: &[Limit]) -> f64 {
        let mut system = self.clone();
        // Each of these trials meets the host at another time.
        system.noise.drift_s = 1e-3;
        let (mut low, mut high) = (0.5 * self.capacity_per_s, 1.2 * self.capacity_per_s);
        while high / low > 1.0005 {
            let rate_per_s = (low * high).sqrt();
            let trials = 600;
            let exceeded = (0..trials).filter(|_| system.trial(rate_per_s, batches).exceeded(limits).is_some()).count();
            if 2 * exceeded > trials { high = rate_per_s } else { low = rate_per_s }
        }
        (low * high).sqrt()
    }
}
