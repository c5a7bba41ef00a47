//! Numbers, identifiers and times as text, appended without an allocation.

use crate::keys::KeySource;
use crate::random::mix;

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// Days of the months of 2026.
const MONTHS: [(&[u8; 3], u64); 12] = [
    (b"Jan", 31),
    (b"Feb", 28),
    (b"Mar", 31),
    (b"Apr", 30),
    (b"May", 31),
    (b"Jun", 30),
    (b"Jul", 31),
    (b"Aug", 31),
    (b"Sep", 30),
    (b"Oct", 31),
    (b"Nov", 30),
    (b"Dec", 31),
];

/// 2026-01-01T00:00:00Z in milliseconds since 1970: when event times begin.
pub(super) const EPOCH_MS: u64 = 1_767_225_600_000;

/// Appends a number in decimal.
pub(super) fn push_decimal(line: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[first..]);
}

/// Appends a number below 100 as two digits.
pub(super) fn push_two_digits(line: &mut Vec<u8>, number: u64) {
    line.extend_from_slice(&[b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]);
}

/// The event time of a record: blocks are a second apart, their lines evenly spread, whatever the rate at which they are sent.
pub(super) fn event_time_ms(record: u64) -> u64 {
    EPOCH_MS + (u128::from(record) * 1_000 / super::BLOCK_LINES as u128) as u64
}

/// What bytes depend on beside the seed: the laws of these keys.
pub(super) fn of_keys<const N: usize>(keys: [(&str, &KeySource); N]) -> String {
    let named = keys.into_iter().map(|(name, keys)| (name, keys.variant()));
    let chosen = named.filter(|(_, variant)| !variant.is_empty()).map(|(name, variant)| format!("{name} {variant}"));
    chosen.collect::<Vec<_>>().join(", ")
}

/// Appends a second of the year 2026 as web servers write it, `23/Nov/2026:10:05:42 +0000`; after a year it begins anew.
pub(super) fn push_log_time(line: &mut Vec<u8>, second: u64) {
    let mut day = second / DAY_S % 365;
    let mut months = MONTHS.iter();
    let month = loop {
        match months.next() {
            Some((_, days)) if day >= *days => day -= days,
            Some((name, _)) => break *name,
            None => unreachable!("the months have 365 days together"),
        }
    };
    push_two_digits(line, day + 1);
    line.push(b'/');
    line.extend_from_slice(month);
    line.extend_from_slice(b"/2026:");
    push_two_digits(line, second / 3_600 % 24);
    line.push(b':');
    push_two_digits(line, second / 60 % 60);
    line.push(b':');
    push_two_digits(line, second % 60);
    line.extend_from_slice(b" +0000");
}

/// The identifier of a numbered thing of a kind, in the form of a version 4 UUID; distinct numbers have distinct ones.
pub(super) fn identifier(kind: u64, number: u64) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    // The version takes bits of the first half; the second one depends on the number by a bijection of its own.
    let (high, low) = (mix(mix(kind) ^ number), mix(mix(!kind) ^ number));
    let bits = (u128::from(high) << 64 | u128::from(low)) & !(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let mut text = [b'-'; 36];
    let mut shift = 128;
    for (index, letter) in text.iter_mut().enumerate() {
        if !matches!(index, 8 | 13 | 18 | 23) {
            shift -= 4;
            *letter = HEX[(bits >> shift) as usize & 0xF];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        push(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(text(|line| push_decimal(line, number)), number.to_string());
        }
        assert_eq!(text(|line| push_two_digits(line, 7)), "07");
        assert_eq!(text(|line| push_two_digits(line, 42)), "42");
    }

    #[test]
    fn times_are_those_of_the_year_2026() {
        let at = |second| text(|line| push_log_time(line, second));
        assert_eq!(at(0), "01/Jan/2026:00:00:00 +0000");
        assert_eq!(at(58 * DAY_S + 86_399), "28/Feb/2026:23:59:59 +0000");
        assert_eq!(at(59 * DAY_S), "01/Mar/2026:00:00:00 +0000");
        assert_eq!(at(326 * DAY_S + 36_342), "23/Nov/2026:10:05:42 +0000");
        assert_eq!(at(364 * DAY_S), "31/Dec/2026:00:00:00 +0000");
        assert_eq!(at(365 * DAY_S), at(0));
        assert_eq!(at(u64::MAX).len(), 26);
        assert_eq!(event_time_ms(2_560), EPOCH_MS + 2_500);
        assert!(event_time_ms(u64::MAX) > EPOCH_MS);
    }

    #[test]
    fn identifiers_are_uuids_and_differ() {
        let all: std::collections::HashSet<[u8; 36]> =
            (0..3).flat_map(|kind| (0..20_000).map(move |number| identifier(kind, number))).collect();
        assert_eq!(all.len(), 60_000);
        for text in all {
            let text = std::str::from_utf8(&text).unwrap();
            let lengths: Vec<usize> = text.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{text}");
            assert!(text.as_bytes()[14] == b'4' && matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        }
    }
}
