//! The strings of Nexmark's events: names, cities and channels to choose from, and letters without a meaning.

use crate::random::{Random, below};
use rand_xoshiro::rand_core::RngCore;
use std::ops::Range;

pub(super) const FIRST_NAMES: [&[u8]; 11] =
    [b"Peter", b"Paul", b"Luke", b"John", b"Saul", b"Vicky", b"Kate", b"Julie", b"Sarah", b"Deiter", b"Walter"];

pub(super) const LAST_NAMES: [&[u8]; 9] =
    [b"Shultz", b"Abrams", b"Spencer", b"White", b"Bartels", b"Walton", b"Smith", b"Jones", b"Noris"];

pub(super) const CITIES: [&[u8]; 10] = [
    b"Phoenix",
    b"Los Angeles",
    b"San Francisco",
    b"Boise",
    b"Portland",
    b"Bend",
    b"Redmond",
    b"Seattle",
    b"Kent",
    b"Cheyenne",
];

pub(super) const STATES: [&[u8]; 6] = [b"AZ", b"CA", b"ID", b"OR", b"WA", b"WY"];

/// Where half of the bids come from.
pub(super) const CHANNELS: [&[u8]; 4] = [b"Apple", b"Google", b"Facebook", b"Baidu"];

/// Letters that one random number of 64 bits is good for.
const LETTERS_AT_ONCE: usize = 12;

/// Appends as many lower-case letters as one of these lengths, each of which is as likely.
pub(super) fn push_some_letters(random: &mut Random, lengths: Range<u32>, line: &mut Vec<u8>) {
    let length = lengths.start + below(random, lengths.end - lengths.start);
    push_letters(random, length as usize, line);
}

/// Appends lower-case letters; some are a little more frequent than others, which nothing depends on.
pub(super) fn push_letters(random: &mut Random, mut length: usize, line: &mut Vec<u8>) {
    while length > 0 {
        let bits = random.next_u64();
        let letters: [u8; LETTERS_AT_ONCE] =
            std::array::from_fn(|place| b'a' + (((bits >> (5 * place)) & 31) * 26 / 32) as u8);
        let taken = length.min(LETTERS_AT_ONCE);
        line.extend_from_slice(&letters[..taken]);
        length -= taken;
    }
}
