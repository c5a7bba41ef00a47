//! Recorded times as a law of arrivals: stretched to the asked rate, again and again.

use super::even;
use crate::error::LoadError;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Most times of a recording; 8 bytes of memory each.
pub const RECORDING_TIMES_MOST: usize = 20_000_000;

/// Longest line of a recording that is looked at.
const LINE_BYTES_MOST: usize = 64 << 10;

/// Longest recording, nanoseconds: 146 years.
const SPAN_MOST_NS: i128 = 1 << 62;

/// Places are kept in 2⁻¹⁶ of the mean gap.
const PLACE_LOG2: u32 = 16;

const FORMS: &str =
    "a time: a whole number of nanoseconds, seconds with a point as 12.5, or RFC 3339 as 2026-11-23T09:31:00Z";

/// Times in order, as places between 0 and their number: what remains of them when their mean rate is taken away. One mean gap
/// lies between the last one and the first one of the next round.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    places: Arc<[u64]>,
    hash: Arc<str>,
}

/// How a recording writes its times; all of one file in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Nanoseconds,
    Seconds,
    Calendar,
}

impl Recording {
    /// Reads a file with one time a line: in its first field, if commas, semicolons or white space follow it. Empty lines are
    /// left out; times need not be in order.
    ///
    /// # Errors
    /// The file cannot be read, a line holds no time or writes it in another form than those before it, the times are too many,
    /// fewer than two, or all the same.
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |problem: String| LoadError::ArrivalsUnreadable { path: path.into(), problem };
        let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let (mut reader, mut line, mut number) = (BufReader::new(file), Vec::new(), 0);
        let (mut times_ns, mut form) = (Vec::new(), None);
        loop {
            line.clear();
            number += 1;
            let mut limited = std::io::Read::take(&mut reader, LINE_BYTES_MOST as u64 + 1);
            let read = limited.read_until(b'\n', &mut line).map_err(|error| unreadable(error.to_string()))?;
            if read == 0 {
                break;
            }
            let field = first_field(&line);
            if field.is_empty() {
                continue;
            }
            let refused =
                |expected| LoadError::ArrivalsLine { path: path.into(), line: number, text: shown(field), expected };
            if read > LINE_BYTES_MOST {
                return Err(refused("at most 64 KiB long"));
            }
            let (of_line, time_ns) =
                std::str::from_utf8(field).ok().and_then(parse_time).ok_or_else(|| refused(FORMS))?;
            if *form.get_or_insert(of_line) != of_line {
                return Err(refused("written like the times of the lines before it"));
            }
            if times_ns.len() == RECORDING_TIMES_MOST {
                return Err(unreadable(format!("it has more than {RECORDING_TIMES_MOST} times; replay a part of it")));
            }
            times_ns.push(time_ns);
        }
        Recording::of(times_ns).ok_or_else(|| {
            unreadable("a recording needs two different times at least, and no more than 146 years between them".into())
        })
    }

    /// The places of these times; `None` when they have no mean rate, or too long a span.
    fn of(mut times_ns: Vec<i128>) -> Option<Self> {
        times_ns.sort_unstable();
        let (first_ns, last_ns) = (*times_ns.first()?, *times_ns.last()?);
        let span_ns = u128::try_from(last_ns - first_ns).ok().filter(|span_ns| *span_ns > 0)?;
        if last_ns - first_ns > SPAN_MOST_NS {
            return None;
        }
        let last = times_ns.len() as u128 - 1;
        // Time × gaps / span, in units of 2⁻¹⁶: 62 + 25 + 16 bits.
        let place = |time_ns: i128| (((time_ns - first_ns).unsigned_abs() * last) << PLACE_LOG2) / span_ns;
        let places: Arc<[u64]> = times_ns.into_iter().map(|time_ns| place(time_ns) as u64).collect();
        let mut hasher = Xxh3::new();
        places.iter().for_each(|place| hasher.update(&place.to_le_bytes()));
        let hash = format!("{:032x}", hasher.digest128()).into();
        Some(Recording { places, hash })
    }

    /// XXH3 (128 bits, hexadecimal) over all places.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// When `record` is due at this rate.
    pub(super) fn offset_ns(&self, rate_micro: u64, record: u64) -> u64 {
        let times = self.places.len() as u64;
        let round_begin = u128::from(record - record % times) << PLACE_LOG2;
        let place = round_begin + u128::from(self.places[(record % times) as usize]);
        // Whole units first: place × 10¹⁵ does not fit 128 bits, the rest of up to 76 bits × 10¹⁵ does.
        let unit = u128::from(rate_micro) << PLACE_LOG2;
        let offset_ns = place / unit * even::NS_PER_S_MICRO + place % unit * even::NS_PER_S_MICRO / unit;
        u64::try_from(offset_ns).unwrap_or(u64::MAX)
    }

    /// How many records are due before `offset_ns`.
    pub(super) fn records_before(&self, rate_micro: u64, offset_ns: u64) -> u64 {
        // The first record of a round is due when it would be with constant arrivals.
        let Some(last_even) = even::records_before(rate_micro, offset_ns).checked_sub(1) else { return 0 };
        let times = self.places.len() as u64;
        let round_begin = last_even - last_even % times;
        let (mut low, mut high) = (0, times);
        while low < high {
            let middle = low + (high - low) / 2;
            let is_before =
                round_begin.checked_add(middle).is_some_and(|record| self.offset_ns(rate_micro, record) < offset_ns);
            if is_before { low = middle + 1 } else { high = middle }
        }
        round_begin + low
    }
}

fn first_field(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b',' | b';' | b' ' | b'\t')).unwrap_or(line.len());
    &line[..end]
}

/// As much of a field as fits into a message.
fn shown(field: &[u8]) -> String {
    String::from_utf8_lossy(&field[..field.len().min(60)]).escape_debug().to_string()
}

/// A time in nanoseconds, and how it was written.
fn parse_time(text: &str) -> Option<(Form, i128)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let sign = if unsigned.len() == text.len() { 1 } else { -1 };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() <= 20;
    if is_number(unsigned) {
        return Some((Form::Nanoseconds, sign * unsigned.parse::<i128>().ok()?));
    }
    if let Some((whole, fraction)) = unsigned.split_once('.')
        && is_number(whole)
        && is_number(fraction)
    {
        // Below a nanosecond nothing is told apart.
        let nanoseconds = format!("{fraction:0<9}")[..9].parse::<i128>().ok()?;
        return Some((Form::Seconds, sign * (whole.parse::<i128>().ok()? * 1_000_000_000 + nanoseconds)));
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some((Form::Calendar, time.as_nanosecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Recording, LoadError> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("downbeat-recording-{}-{number}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        let recording = Recording::read(&path);
        std::fs::remove_file(path).unwrap();
        recording
    }

    #[test]
    fn all_three_forms_of_a_time_mean_the_same() {
        let whole = read("1500000000000000000\n1500000000250000000\n\n1500000001000000000,x,y\n").unwrap();
        let seconds = read("1500000000.0\n1500000000.25\n1500000001.0000000009").unwrap();
        let calendar =
            read("2017-07-14T02:40:00Z a\r\n2017-07-14T04:40:00.250+02:00;b\r\n2017-07-14T02:40:01Z\r\n").unwrap();
        assert_eq!(*whole.places, [0, 1 << 15, 2 << 16]);
        assert_eq!((&whole.places, whole.hash()), (&seconds.places, seconds.hash()));
        assert_eq!(whole.places, calendar.places);
        assert_eq!(*read("3\n1\n2\n").unwrap().places, *read("-1\n0\n1\n").unwrap().places, "sorted, relative");
    }

    #[test]
    fn what_is_no_recording_is_refused_by_line() {
        let refused = |content: &str| read(content).expect_err(content).to_string();
        assert!(refused("1\n2\nthree\n").contains(":3: `three` is not a time"), "{}", refused("1\n2\nthree\n"));
        assert!(refused("5\n5.5\n").contains(":2: `5.5` is not written like"), "{}", refused("5\n5.5\n"));
        for damaged in [
            "",
            "\n\n",
            "1\n",
            "7\n7\n",
            "1.\n2.\n",
            "99999999999999999999999\n1\n",
            "\u{0}\n",
            "0\n9223372036854775807\n",
        ] {
            refused(damaged);
        }
        assert!(refused(&"x".repeat(100_000)).contains("at most 64 KiB"));
        assert!(
            Recording::read(Path::new("/nonexistent/times"))
                .is_err_and(|error| error.to_string().contains("/nonexistent/times"))
        );
    }
}
