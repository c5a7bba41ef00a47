//! Rates that change by a plan: pieces in which the rate is constant or linear, in exact whole numbers.
//!
//! The area under the factor from 0 to `t` nanoseconds is a whole number of ten-thousandths of a nanosecond at the asked rate,
//! rounded down once, and computed from the piece's begin, so nothing adds up over the pieces. `rate × area` records are due
//! before `t`, rounded up; record `i` is due at the last nanosecond before which no more than `i` are.

use super::arrivals::{Arrivals, FACTOR_ONE, Factor};
use super::even::NS_PER_S_MICRO;

/// An area, times millionths of a record per second, divided by this is a number of records.
const AREA_UNITS: u128 = NS_PER_S_MICRO * FACTOR_ONE as u128;

/// How the rate goes.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    rate_micro: u64,
    /// For so long at the asked rate, before the first piece.
    lead_ns: u64,
    pieces: Vec<Piece>,
    length_ns: u64,
    area: u128,
    /// After the last piece the first one follows; otherwise the asked rate.
    repeats: bool,
}

#[derive(Clone, Debug)]
struct Piece {
    start_ns: u64,
    length_ns: u64,
    from: Factor,
    to: Factor,
    /// Area of all pieces before this one.
    start_area: u128,
}

impl Profile {
    /// The profile of a ramp, of steps, of a spike; of anything else, the asked rate.
    pub(super) fn of(arrivals: &Arrivals, rate_micro: u64, lead_ns: u64) -> Self {
        let (pieces, repeats) = match arrivals {
            Arrivals::Ramp { from, to, over_ns } => (vec![(*over_ns, *from, *to)], true),
            Arrivals::Steps { factors, each_ns } => {
                (factors.iter().map(|factor| (*each_ns, *factor, *factor)).collect(), true)
            }
            Arrivals::Spike { factor, at_ns, for_ns, every_ns } => {
                let at_ns = at_ns.unwrap_or(0);
                let after_ns = every_ns.map_or(0, |every_ns| every_ns.saturating_sub(at_ns + for_ns));
                let level = |length_ns, factor| (length_ns, factor, factor);
                let pieces = vec![level(at_ns, FACTOR_ONE), level(*for_ns, *factor), level(after_ns, FACTOR_ONE)];
                (pieces, every_ns.is_some())
            }
            Arrivals::Constant | Arrivals::Poisson | Arrivals::Bursty { .. } | Arrivals::Replay { .. } => {
                (vec![(1, FACTOR_ONE, FACTOR_ONE)], true)
            }
        };
        let mut profile = Profile { rate_micro, lead_ns, pieces: Vec::new(), length_ns: 0, area: 0, repeats };
        pieces.into_iter().filter(|(length_ns, ..)| *length_ns > 0).for_each(|piece| profile.append(piece));
        profile
    }

    fn append(&mut self, (length_ns, from, to): (u64, Factor, Factor)) {
        let piece = Piece { start_ns: self.length_ns, length_ns, from, to, start_area: self.area };
        self.length_ns += length_ns;
        self.area += piece.area(length_ns);
        self.pieces.push(piece);
    }

    /// How many records are due before `offset_ns`.
    pub(super) fn records_before(&self, offset_ns: u64) -> u64 {
        let (area, rate) = (self.area_before(offset_ns), u128::from(self.rate_micro));
        // Whole units first: rate × area does not fit 128 bits.
        let records = rate * (area / AREA_UNITS) + (rate * (area % AREA_UNITS)).div_ceil(AREA_UNITS);
        u64::try_from(records).unwrap_or(u64::MAX)
    }

    /// When `record` is due.
    pub(super) fn offset_ns(&self, record: u64) -> u64 {
        // 2⁶⁴ × 10¹⁹ fits 128 bits.
        let area = u128::from(record) * AREA_UNITS / u128::from(self.rate_micro);
        u64::try_from(self.last_within(area)).unwrap_or(u64::MAX)
    }

    fn area_before(&self, offset_ns: u64) -> u128 {
        let lead_ns = self.lead_ns.min(offset_ns);
        level_area(lead_ns) + self.shape_area(offset_ns - lead_ns)
    }

    fn shape_area(&self, offset_ns: u64) -> u128 {
        let (rounds, place_ns) = (offset_ns / self.length_ns, offset_ns % self.length_ns);
        if !self.repeats && rounds > 0 {
            return self.area + level_area(offset_ns - self.length_ns);
        }
        let after = self.pieces.partition_point(|piece| piece.start_ns <= place_ns);
        let piece = &self.pieces[after - 1];
        u128::from(rounds) * self.area + piece.start_area + piece.area(place_ns - piece.start_ns)
    }

    /// The last nanosecond before which the area is no more than this.
    fn last_within(&self, area: u128) -> u128 {
        let lead_area = level_area(self.lead_ns);
        if area < lead_area {
            return area / u128::from(FACTOR_ONE);
        }
        u128::from(self.lead_ns) + self.last_of_shape_within(area - lead_area)
    }

    fn last_of_shape_within(&self, area: u128) -> u128 {
        let (rounds, rest) = (area / self.area.max(1), area % self.area.max(1));
        if !self.repeats && area >= self.area {
            return u128::from(self.length_ns) + (area - self.area) / u128::from(FACTOR_ONE);
        }
        // Of pieces that begin at the same area, all but the last one have none.
        let after = self.pieces.partition_point(|piece| piece.start_area <= rest);
        let piece = &self.pieces[after - 1];
        let place_ns = piece.start_ns + piece.last_within(rest - piece.start_area);
        rounds * u128::from(self.length_ns) + u128::from(place_ns)
    }
}

/// The area at the asked rate itself.
fn level_area(time_ns: u64) -> u128 {
    u128::from(time_ns) * u128::from(FACTOR_ONE)
}

impl Piece {
    /// Area of the first `time_ns` of the piece: the factor at its begin, and the triangle above or below that.
    fn area(&self, time_ns: u64) -> u128 {
        let time = i128::from(time_ns);
        let rise = i128::from(self.to) - i128::from(self.from);
        // 30 days squared × a factor of 1000 stays below 2¹²⁷.
        let triangle = (rise * time * time).div_euclid(2 * i128::from(self.length_ns));
        // The factor is nowhere below zero, so the area is not either.
        (i128::from(self.from) * time + triangle).unsigned_abs()
    }

    /// The last nanosecond of the piece before which its area is no more than this.
    fn last_within(&self, area: u128) -> u64 {
        let (from, rise) = (f64::from(self.from), f64::from(self.to) - f64::from(self.from));
        let root = (from * from + 2.0 * rise * area as f64 / self.length_ns as f64).max(0.0).sqrt();
        let guess = (2.0 * area as f64 / (from + root)) as u64;
        last_where(guess, self.length_ns, |time_ns| self.area(time_ns) <= area)
    }
}

/// The last number below `end` for which `holds`, which is true from 0 on to some number and false from there on. A guess that
/// is near saves steps and changes nothing.
fn last_where(guess: u64, end: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let guess = guess.min(end - 1);
    let (mut low, mut high, mut step) = (0, end, 1u64);
    if holds(guess) {
        low = guess;
        while low.saturating_add(step) < end && holds(low + step) {
            low += step;
            step = step.saturating_mul(2);
        }
        high = high.min(low.saturating_add(step));
    } else {
        high = guess;
        while high > step && !holds(high - step) {
            high -= step;
            step = step.saturating_mul(2);
        }
        low = low.max(high.saturating_sub(step));
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::last_where;

    #[test]
    fn any_guess_finds_the_last_one() {
        for end in 1..40u64 {
            for last in 0..end {
                for guess in (0..45).chain([u64::MAX]) {
                    assert_eq!(last_where(guess, end, |number| number <= last), last, "{guess} of {end}");
                }
            }
        }
    }
}
