//! Lines of a web server's log in the combined format, some of them broken.
//!
//! `198.51.100.7 - - [23/Nov/2026:10:05:42 +0000] "GET /lamps/lamp-7 HTTP/1.1" 200 5321 "https://…" "Mozilla/5.0 …"`. A block is a
//! second, so that 61,440 lines are a minute, whatever the rate at which they are sent. Visitors come and go: a block draws from
//! 4096 of them, of which 64 are new and 64 were there for the last time; a visitor stays for 64 blocks and makes 16 requests on
//! average. Two lines of a thousand are broken: cut off, without a status, or no log line at all.

use super::digits::{of_keys, push_decimal, push_log_time};
use super::{BLOCK_LINES, LineSource, records_of};
use crate::keys::{AliasTable, KeyLaw, KeySource, Keys};
use crate::random::{Purpose, Random, below, mix, stream};
use downbeat_engine::record::{Column, TextColumn};

/// How many addresses the server has.
pub const URLS: u32 = 10_000;

/// Visitors that a block draws from.
const VISITORS_AT_A_TIME: u32 = 4_096;

/// Visitors that come with each block, and as many go.
const VISITORS_PER_BLOCK: u64 = 64;

/// Statuses, with how many of ten thousand requests end so.
const STATUSES: [(&[u8; 3], f64); 12] = [
    (b"200", 8_700.0),
    (b"304", 450.0),
    (b"301", 150.0),
    (b"302", 100.0),
    (b"404", 350.0),
    (b"403", 60.0),
    (b"400", 40.0),
    (b"401", 30.0),
    (b"429", 20.0),
    (b"500", 50.0),
    (b"502", 20.0),
    (b"503", 30.0),
];

/// Of a thousand lines, how many are broken.
const BROKEN_PER_MILLE: u32 = 2;

const SECTIONS: [&str; 8] = ["lamps", "chairs", "tables", "beds", "rugs", "news", "help", "account"];

const METHODS: [&[u8]; 8] = [b"GET", b"GET", b"GET", b"GET", b"GET", b"GET", b"HEAD", b"POST"];

const REFERERS: [&[u8]; 4] =
    [b"-", b"-", b"https://search.example/?q=\\\"oak\\\"", b"https://shop.example/lamps/lamp-1"];

const AGENTS: [&[u8]; 4] = [
    b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15",
    b"Mozilla/5.0 (compatible; ExampleBot/2.1; +https://bot.example/)",
    b"curl/8.14.1",
];

/// What is no log line at all: a handshake that came to the wrong port, a message of another kind, nothing.
const FOREIGN: [&[u8]; 3] = [b"\\x16\\x03\\x01\x02\x00\x01\xfc", b"nginx: [emerg] bind() to 0.0.0.0:80 failed", b""];

/// The text of `log-errors`, `sessions` and `enrich`.
pub struct LogLines {
    seed: u64,
    urls: Vec<Vec<u8>>,
    url_keys: KeySource,
    /// `None`: they come and go.
    visitor_keys: Option<KeySource>,
    statuses: Keys,
}

impl LogLines {
    /// The lines of this seed: addresses zipf 1.0 over 10,000.
    pub fn new(seed: u64) -> Self {
        LogLines::drawn(seed, &KeyLaw::Default, &KeyLaw::Default)
    }

    /// The lines of this seed with addresses and visitors drawn by these laws. Beyond the addresses that exist, the same ones come
    /// again with `-` and the number of the round after them.
    pub fn drawn(seed: u64, urls: &KeyLaw, visitors: &KeyLaw) -> Self {
        LogLines {
            seed,
            urls: self::urls(),
            url_keys: KeySource::new(urls, Keys::zipf(1.0, URLS)),
            visitor_keys: KeySource::chosen(visitors),
            statuses: Keys::Weighted(AliasTable::new(STATUSES.iter().map(|status| status.1).collect())),
        }
    }

    /// `time` is the text between the visitor and the request.
    fn append(&self, random: &mut Random, record: u64, time: &[u8], line: &mut Vec<u8>) {
        let first = || (record / BLOCK_LINES as u64 * VISITORS_PER_BLOCK) as u32;
        let visitor = match &self.visitor_keys {
            Some(keys) => keys.draw(random, record),
            None => first().wrapping_add(below(random, VISITORS_AT_A_TIME)),
        };
        push_address(line, visitor);
        line.extend_from_slice(time);
        line.extend_from_slice(METHODS[below(random, 8) as usize]);
        line.push(b' ');
        let url = self.url_keys.draw(random, record);
        line.extend_from_slice(&self.urls[(url % URLS) as usize]);
        if url >= URLS {
            line.push(b'-');
            push_decimal(line, (url / URLS).into());
        }
        if below(random, 16) == 0 {
            line.extend_from_slice(b"?page=");
            push_decimal(line, below(random, 50).into());
        }
        line.extend_from_slice(b" HTTP/1.1\" ");
        line.extend_from_slice(STATUSES[self.statuses.next(random) as usize].0);
        line.push(b' ');
        match below(random, 32) {
            0 => line.push(b'-'),
            _ => push_decimal(line, 200 + u64::from(below(random, 40_000))),
        }
        line.extend_from_slice(b" \"");
        line.extend_from_slice(REFERERS[below(random, 4) as usize]);
        line.extend_from_slice(b"\" \"");
        line.extend_from_slice(AGENTS[below(random, 4) as usize]);
        line.push(b'"');
    }
}

impl LineSource for LogLines {
    fn name(&self) -> &'static str {
        "log-lines-1"
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn variant(&self) -> String {
        let visitors = self.visitor_keys.iter().map(|keys| of_keys([("visitor", keys)]));
        let all = std::iter::once(of_keys([("url", &self.url_keys)])).chain(visitors);
        all.filter(|variant| !variant.is_empty()).collect::<Vec<_>>().join(", ")
    }

    fn fill(&self, block: u64, column: &mut TextColumn) {
        let mut random = stream(self.seed, Purpose::LogLines, block);
        let mut time = b" - - [".to_vec();
        push_log_time(&mut time, block);
        time.extend_from_slice(b"] \"");
        let mut line = Vec::with_capacity(400);
        for record in records_of(block) {
            line.clear();
            self.append(&mut random, record, &time, &mut line);
            if below(&mut random, 1_000) < BROKEN_PER_MILLE {
                break_line(&mut random, &mut line);
            }
            column.push(&line);
        }
    }
}

/// Makes a line one that cannot be read.
fn break_line(random: &mut Random, line: &mut Vec<u8>) {
    match below(random, 3) {
        // Within the visitor's address or the time: before the request there is nothing to read.
        0 => line.truncate(below(random, 30) as usize),
        1 => {
            // The status is what follows the request: `HTTP/1.1" 200 `.
            let request_end = memchr::memmem::find(line, b"1.1\" ").unwrap_or(0);
            drop(line.splice(request_end + 5..request_end + 8, *b"-"));
        }
        _ => {
            line.clear();
            line.extend_from_slice(FOREIGN[below(random, 3) as usize]);
        }
    }
}

/// Appends the address of a visitor; 2³² visitors have distinct ones, as an odd factor is invertible.
fn push_address(line: &mut Vec<u8>, visitor: u32) {
    for (index, octet) in visitor.wrapping_mul(0x9E37_79B1).to_be_bytes().into_iter().enumerate() {
        if index > 0 {
            line.push(b'.');
        }
        push_decimal(line, octet.into());
    }
}

/// The addresses of the server without queries, by rank of frequency, the same for every seed: `/lamps/lamp-7`.
pub fn urls() -> Vec<Vec<u8>> {
    let mut random = stream(0, Purpose::LogUrls, 0);
    let url = |rank| {
        let section = SECTIONS[below(&mut random, 8) as usize];
        format!("/{section}/{}-{rank}", section.trim_end_matches('s')).into_bytes()
    };
    (0..URLS).map(url).collect()
}

/// How many versions of [`url_sections`] there are.
pub const SECTION_VERSIONS: u64 = 4;

/// Which department of the shop looks after which address, in one of [`SECTION_VERSIONS`] versions: in each, nine addresses of ten
/// have one, and another one than before.
pub fn url_sections(version: u64) -> Vec<(Vec<u8>, &'static str)> {
    const DEPARTMENTS: [&str; 7] = ["bedroom", "garden", "hall", "kitchen", "office", "service", "studio"];
    let department = |rank: u64| DEPARTMENTS[(mix(rank * SECTION_VERSIONS + version) % 7) as usize];
    let has_one = |rank: &u64| !(rank + version).is_multiple_of(10);
    (0..).zip(urls()).filter(|(rank, _)| has_one(rank)).map(|(rank, url)| (url, department(rank))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    fn lines(seed: u64, blocks: std::ops::Range<u64>) -> Vec<Vec<u8>> {
        let (source, mut column) = (LogLines::new(seed), TextColumn::default());
        blocks.for_each(|block| source.fill(block, &mut column));
        (0..column.len()).map(|index| column.view(index).to_vec()).collect()
    }

    /// Visitor, address, status of a line that is not broken.
    fn parts(line: &[u8]) -> Option<(&str, &str, &str)> {
        let line = std::str::from_utf8(line).ok()?;
        let (visitor, rest) = line.split_once(" - - [")?;
        let (_, rest) = rest.split_once("/2026:")?;
        let (_, rest) = rest.split_once("] \"")?;
        let (request, rest) = rest.split_once(" HTTP/1.1\" ")?;
        let status = rest.split(' ').next().filter(|status| status.len() == 3)?;
        Some((visitor, request.split(' ').nth(1)?, status))
    }

    #[test]
    fn statuses_addresses_and_broken_lines_have_their_shares() {
        let lines = lines(42, 0..200);
        let (mut statuses, mut urls) = (HashMap::<&str, u32>::new(), HashMap::<&str, u32>::new());
        for (_, url, status) in lines.iter().filter_map(|line| parts(line)) {
            *statuses.entry(status).or_default() += 1;
            *urls.entry(url.split('?').next().unwrap()).or_default() += 1;
        }
        let whole: u32 = statuses.values().sum();
        let broken = lines.len() as u32 - whole;
        assert!((330..490).contains(&broken), "{broken} of {} are broken", lines.len());
        for (status, share) in STATUSES {
            let expected = f64::from(whole) * share / 10_000.0;
            let found = f64::from(statuses[std::str::from_utf8(status).unwrap()]);
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "{found} of {expected}");
        }
        // H(10,000) = 9.79.
        let first = f64::from(urls[std::str::from_utf8(&super::urls()[0]).unwrap()]) * 9.787_6 / f64::from(whole);
        assert!((first - 1.0).abs() < 0.05, "{first}");
        assert!(lines.iter().all(|line| line.len() < 400 && !line.contains(&b'\n')));
    }

    #[test]
    fn visitors_come_and_go() {
        let lines = lines(42, 0..200);
        let mut seen: HashMap<&str, (usize, usize, u32)> = HashMap::new();
        for (index, line) in lines.iter().enumerate() {
            if let Some((visitor, ..)) = parts(line) {
                let (_, last, requests) = seen.entry(visitor).or_insert((index, index, 0));
                (*last, *requests) = (index, *requests + 1);
            }
        }
        let stays: Vec<usize> = seen.values().map(|(first, last, _)| (last - first) / BLOCK_LINES).collect();
        assert!(stays.iter().all(|blocks| *blocks <= 64));
        let all = VISITORS_AT_A_TIME as usize + 199 * VISITORS_PER_BLOCK as usize;
        assert!((all * 97 / 100..=all).contains(&seen.len()), "{} of {all}", seen.len());
        let most = seen.values().map(|(.., requests)| *requests).max().unwrap();
        assert!((24..60).contains(&most), "{most}");
    }

    #[test]
    fn addresses_and_visitors_follow_the_laws_of_the_load() {
        let drawn = |urls: &str, visitors: &str| {
            let source = LogLines::drawn(42, &KeyLaw::parse(urls).unwrap(), &KeyLaw::parse(visitors).unwrap());
            let mut column = TextColumn::default();
            (0..20).for_each(|block| source.fill(block, &mut column));
            let whole: Vec<_> = (0..column.len()).filter_map(|index| parts(column.view(index))).collect();
            let urls: HashSet<&str> = whole.iter().map(|line| line.1.split('?').next().unwrap()).collect();
            let visitors: HashSet<&str> = whole.iter().map(|line| line.0).collect();
            (urls.len(), visitors.len(), source.variant())
        };
        assert_eq!(
            drawn("uniform(5)", "uniform(7)"),
            (5, 7, "url keys uniform(5), visitor keys uniform(7)".to_owned())
        );
        let (urls, visitors, variant) = drawn("uniform(100k)", "default");
        assert!(urls > usize::try_from(URLS).unwrap() && visitors > 4_000, "{urls} {visitors}");
        assert_eq!(variant, "url keys uniform(100k)");
    }

    #[test]
    fn a_block_is_a_second_and_depends_on_the_seed_and_its_number_alone() {
        assert_eq!(lines(7, 3..4), lines(7, 2..4)[1_024..]);
        assert_ne!(lines(7, 3..4), lines(8, 3..4));
        let at = |block: u64| {
            let whole = lines(7, block..block + 1).into_iter().find(|line| parts(line).is_some()).unwrap();
            let text = String::from_utf8(whole).unwrap();
            text.split(['[', ']']).nth(1).unwrap().to_owned()
        };
        assert_eq!((at(0), at(61)), ("01/Jan/2026:00:00:00 +0000".into(), "01/Jan/2026:00:01:01 +0000".into()));
    }

    #[test]
    fn addresses_of_the_server_differ() {
        let urls = urls();
        assert_eq!(urls.iter().collect::<HashSet<_>>().len(), URLS as usize);
    }

    #[test]
    fn versions_of_the_departments_differ() {
        let [first, second] = [0, 1].map(|version| url_sections(version).into_iter().collect::<HashMap<_, _>>());
        assert_eq!((first.len(), second.len()), (9_000, 9_000));
        let moved = first.iter().filter(|(url, section)| second.get(*url) != Some(section)).count();
        assert!((7_000..9_000).contains(&moved), "{moved}");
    }
}
