//! Readings of sensors as CSV lines `device,measured,sent,value`, some of them late, some of them broken.
//!
//! `sensor-00042,1767225600000,1767225600000,21.37`: when it was measured and when the device sent it (milliseconds since 1970),
//! and the value with two decimals. Lines are in the order in which they were sent. Of a thousand, 80 were held back for 1 to
//! 2000 ms, within the bound of [`LATE_BOUND_MS`], and 20 for 2001 to 60,000 ms, which is late; 5 are broken.

use super::digits::{event_time_ms, of_keys, push_decimal, push_two_digits};
use super::{LineSource, records_of};
use crate::keys::{KeyLaw, KeySource, Keys};
use crate::random::{Purpose, Random, below, stream};
use downbeat_engine::record::{Column, TextColumn};

/// A reading that was sent more than this after it was measured is late.
pub const LATE_BOUND_MS: u64 = 2_000;

/// How many devices there are, if nothing else is asked for.
const DEVICES: u32 = 10_000;

/// Longest time for which a reading is held back.
const HELD_MOST_MS: u64 = 60_000;

/// The text of `sensors`.
pub struct SensorReadings {
    seed: u64,
    device_keys: KeySource,
}

impl SensorReadings {
    /// The readings of this seed: devices uniform over 10,000.
    pub fn new(seed: u64) -> Self {
        SensorReadings::drawn(seed, &KeyLaw::Default)
    }

    /// The readings of this seed with devices drawn by this law.
    pub fn drawn(seed: u64, devices: &KeyLaw) -> Self {
        SensorReadings { seed, device_keys: KeySource::new(devices, Keys::Uniform(DEVICES)) }
    }

    fn append(&self, random: &mut Random, record: u64, line: &mut Vec<u8>) {
        let (device, sent_ms) = (u64::from(self.device_keys.draw(random, record)), event_time_ms(record));
        line.extend_from_slice(b"sensor-");
        push_decimal(line, device / 10_000);
        push_two_digits(line, device / 100);
        push_two_digits(line, device);
        line.push(b',');
        push_decimal(line, sent_ms - held_ms(random));
        line.push(b',');
        push_decimal(line, sent_ms);
        line.push(b',');
        // From -20.00 to 79.99; each device has a level of its own.
        let hundredths = (device * 37 % 8_000 + u64::from(below(random, 2_000))) as i64 - 2_000;
        if hundredths < 0 {
            line.push(b'-');
        }
        push_decimal(line, hundredths.unsigned_abs() / 100);
        line.push(b'.');
        push_two_digits(line, hundredths.unsigned_abs());
    }
}

/// For how long a reading was held back.
fn held_ms(random: &mut Random) -> u64 {
    match below(random, 1_000) {
        0..20 => LATE_BOUND_MS + 1 + u64::from(below(random, (HELD_MOST_MS - LATE_BOUND_MS) as u32)),
        20..100 => 1 + u64::from(below(random, LATE_BOUND_MS as u32)),
        _ => 0,
    }
}

/// Makes a reading one that cannot be read: a field is missing or cannot be, or there is one too many.
fn break_line(random: &mut Random, line: &mut Vec<u8>) {
    let value = memchr::memrchr(b',', line).map_or(0, |comma| comma + 1);
    match below(random, 5) {
        0 => line.truncate(value - 1),
        1 => line.truncate(value),
        2 => drop(line.splice(value.., *b"NaN")),
        3 => line.extend_from_slice(b",ok"),
        _ => drop(line.drain(..memchr::memchr(b',', line).unwrap_or(0))),
    }
}

impl LineSource for SensorReadings {
    fn name(&self) -> &'static str {
        "sensor-readings-1"
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn variant(&self) -> String {
        of_keys([("device", &self.device_keys)])
    }

    fn fill(&self, block: u64, column: &mut TextColumn) {
        let mut random = stream(self.seed, Purpose::Sensors, block);
        let mut line = Vec::with_capacity(64);
        for record in records_of(block) {
            line.clear();
            self.append(&mut random, record, &mut line);
            if below(&mut random, 200) == 0 {
                break_line(&mut random, &mut line);
            }
            column.push(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn lines(seed: u64, blocks: std::ops::Range<u64>) -> Vec<String> {
        let (source, mut column) = (SensorReadings::new(seed), TextColumn::default());
        blocks.for_each(|block| source.fill(block, &mut column));
        (0..column.len()).map(|index| String::from_utf8(column.view(index).to_vec()).unwrap()).collect()
    }

    /// Device, measured, sent, hundredths.
    fn parts(line: &str) -> Option<(&str, u64, u64, i64)> {
        let fields: Vec<&str> = line.split(',').collect();
        let [device, measured, sent, value] = fields[..] else { return None };
        let (whole, decimals) = value.split_once('.').filter(|(_, decimals)| decimals.len() == 2)?;
        let hundredths = format!("{whole}{decimals}").parse().ok()?;
        Some((
            Some(device).filter(|device| !device.is_empty())?,
            measured.parse().ok()?,
            sent.parse().ok()?,
            hundredths,
        ))
    }

    #[test]
    fn late_displaced_and_broken_readings_have_their_shares_and_bounds() {
        let lines = lines(42, 0..200);
        let whole: Vec<_> = lines.iter().filter_map(|line| parts(line)).collect();
        let held = |(_, measured, sent, _): &(&str, u64, u64, i64)| sent - measured;
        let late = whole.iter().filter(|reading| held(reading) > LATE_BOUND_MS).count();
        let displaced = whole.iter().filter(|reading| (1..=LATE_BOUND_MS).contains(&held(reading))).count();
        let per_mille = |count: usize| count as f64 * 1_000.0 / lines.len() as f64;
        let broken = lines.len() - whole.len();
        let shares = (per_mille(late), per_mille(displaced), per_mille(broken));
        assert!((shares.0 - 20.0).abs() < 2.0 && (shares.1 - 80.0).abs() < 4.0, "{shares:?}");
        assert!((shares.2 - 5.0).abs() < 1.0, "{shares:?}");
        assert!(whole.iter().map(held).max().unwrap() <= HELD_MOST_MS);
        assert!(whole.windows(2).all(|pair| pair[0].2 <= pair[1].2), "in the order in which they were sent");
        let values: Vec<i64> = whole.iter().map(|reading| reading.3).collect();
        let (least, most) = (values.iter().min().unwrap(), values.iter().max().unwrap());
        assert!((-2_000..0).contains(least) && (7_000..8_000).contains(most), "{least} {most}");
        let devices: HashSet<&str> = whole.iter().map(|reading| reading.0).collect();
        assert_eq!(devices.len(), DEVICES as usize);
        assert!(devices.iter().all(|device| device.len() == 12), "no name is half of another");
    }

    #[test]
    fn devices_follow_the_law_of_the_load() {
        let source = SensorReadings::drawn(42, &KeyLaw::parse("uniform(150k)").unwrap());
        let mut column = TextColumn::default();
        (0..2_000).for_each(|block| source.fill(block, &mut column));
        let lines = (0..column.len()).filter_map(|index| parts(std::str::from_utf8(column.view(index)).unwrap()));
        let devices: HashSet<&str> = lines.map(|reading| reading.0).collect();
        // 2 million draws of 150,000: each was seen but for e^-13.
        assert!((149_950..=150_000).contains(&devices.len()), "{}", devices.len());
        assert_eq!(source.variant(), "device keys uniform(150k)");
    }

    #[test]
    fn a_block_depends_on_the_seed_and_its_number_alone() {
        assert_eq!(lines(7, 3..4), lines(7, 2..4)[1_024..]);
        assert_ne!(lines(7, 3..4), lines(8, 3..4));
    }
}
