//! Tweet-like lines: 4 to 12 plain words, and 0 to 3 hashtags among them.
//!
//! A hashtag is a token between white space (09–0D, 20) that starts with `#` and goes on with at least one ASCII letter,
//! digit, `_` or byte of 80 and more. It ends before the first other byte; it is taken as written, `#` included: case
//! matters. So `#rain,` holds `#rain`, `#a#b` holds `#a`, and `x#a`, `(#a)`, `##a`, `#` hold none: these occur too, so that
//! a job that is careless about them gives a wrong answer.

use super::LineSource;
use super::vocabulary::{Line, Vocabulary, WORDS};
use crate::keys::{KeyLaw, KeySource, Keys};
use crate::random::{Purpose, Random, below, stream};
use downbeat_engine::record::{Column, TextColumn};
use std::collections::HashSet;

/// How many hashtags there are.
const TAGS: u32 = 20_000;

/// Of ten lines, how many have no, one, two, three hashtags.
const TAGS_PER_LINE: [usize; 10] = [0, 0, 0, 1, 1, 1, 1, 2, 2, 3];

/// What may follow a hashtag directly. The last one is a second hashtag to the eye, but not to the definition.
const AFTER_TAG: [&[u8]; 8] = [b",", b".", b"!", b"?", b":", b"'s", b")", b"#glued"];

/// What looks like a hashtag and is none.
const DECOYS: [&[u8]; 6] = [b"#", b"##double", b"mid#word", b"(#bracket)", b"#-1", b"&#39;"];

/// The text of `hashtags`.
pub struct Tweets {
    seed: u64,
    vocabulary: Vocabulary,
    words: Keys,
    tags: Vec<Vec<u8>>,
    tag_keys: KeySource,
}

impl Tweets {
    /// The text of this seed.
    pub fn new(seed: u64) -> Self {
        Tweets::drawn(seed, &KeyLaw::Default)
    }

    /// The text of this seed with its hashtags drawn by this law; the plain words stay as they are.
    pub fn drawn(seed: u64, law: &KeyLaw) -> Self {
        Tweets {
            seed,
            vocabulary: Vocabulary::new(),
            words: Keys::zipf(1.0, WORDS),
            tags: draw_tags(),
            tag_keys: KeySource::new(law, Keys::zipf(1.1, TAGS)),
        }
    }

    fn fill_line(&self, record: u64, random: &mut Random, line: &mut Line) {
        let mut tags = TAGS_PER_LINE[below(random, 10) as usize] as u32;
        let mut tokens = 4 + below(random, 9) + tags;
        while tokens > 0 {
            // Each arrangement of the tags among the words is as likely as any other.
            if below(random, tokens) < tags {
                self.append_tag(record, random, line);
                tags -= 1;
            } else {
                self.append_word(random, line);
            }
            tokens -= 1;
        }
        line.unpush();
    }

    /// Beyond the tags that exist, the same ones come again with `_k` and the number of the round after them; no tag has `_k`.
    fn append_tag(&self, record: u64, random: &mut Random, line: &mut Line) {
        let key = self.tag_keys.draw(random, record);
        line.push(&self.tags[(key % TAGS) as usize]);
        if key >= TAGS {
            line.push(format!("_k{}", key / TAGS).as_bytes());
        }
        if below(random, 4) == 0 {
            line.push(AFTER_TAG[below(random, AFTER_TAG.len() as u32) as usize]);
        }
        line.push(if below(random, 64) == 0 { b"\t" } else { b" " });
    }

    fn append_word(&self, random: &mut Random, line: &mut Line) {
        if below(random, 64) == 0 {
            line.push(DECOYS[below(random, DECOYS.len() as u32) as usize]);
            line.push(b" ");
        } else {
            self.vocabulary.append(self.words.next(random), line);
        }
    }
}

impl LineSource for Tweets {
    fn name(&self) -> &'static str {
        "tweets-1"
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn variant(&self) -> String {
        self.tag_keys.variant()
    }

    fn fill(&self, block: u64, column: &mut TextColumn) {
        let mut random = stream(self.seed, Purpose::Tweets, block);
        let mut line = Line::new();
        for record in super::records_of(block) {
            line.clear();
            self.fill_line(record, &mut random, &mut line);
            column.push(line.as_bytes());
        }
    }
}

/// Distinct tags: letters of both cases, digits, `_`, and some bytes beyond ASCII (UTF-8 of `ü`).
fn draw_tags() -> Vec<Vec<u8>> {
    let mut random = stream(0, Purpose::Tags, 0);
    let mut seen = HashSet::with_capacity(TAGS as usize);
    let mut tags = Vec::with_capacity(TAGS as usize);
    while tags.len() < TAGS as usize {
        let mut tag = vec![b'#'];
        for index in 0..3 + below(&mut random, 12) {
            let capital = (index == 0 && below(&mut random, 3) == 0) || below(&mut random, 24) == 0;
            tag.push(if capital { b'A' } else { b'a' } + below(&mut random, 26) as u8);
        }
        match below(&mut random, 16) {
            0 => tag.extend_from_slice(b"_2026"),
            1 => tag.extend_from_slice("ü".as_bytes()),
            2 => tag.push(b'7'),
            _ => {}
        }
        if seen.insert(tag.clone()) {
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_0_to_3_hashtags_in_all_positions_and_some_decoys() {
        let tweets = Tweets::new(42);
        let mut column = TextColumn::default();
        (0..20).for_each(|block| tweets.fill(block, &mut column));
        let (mut tags_of_line, mut first, mut last, mut decoys, mut glued) = ([0u32; 4], 0, 0, 0, 0);
        for index in 0..column.len() {
            let tokens: Vec<&[u8]> = column.view(index).split(|byte| byte.is_ascii_whitespace()).collect();
            let is_tag = |token: &&[u8]| token.len() > 1 && token[0] == b'#' && (token[1].is_ascii_alphanumeric());
            tags_of_line[tokens.iter().filter(|token| is_tag(token)).count()] += 1;
            first += u32::from(is_tag(&tokens[0]));
            last += u32::from(is_tag(&tokens[tokens.len() - 1]));
            decoys += tokens.iter().filter(|token| DECOYS.contains(token)).count();
            glued += tokens.iter().filter(|token| token.ends_with(b"#glued")).count();
        }
        let share = |lines: u32| f64::from(lines) / column.len() as f64;
        for (tags, expected) in [0.3, 0.4, 0.2, 0.1].into_iter().enumerate() {
            assert!((share(tags_of_line[tags]) - expected).abs() < 0.02, "{tags_of_line:?}");
        }
        assert!(first > 500 && last > 500 && decoys > 500 && glued > 100, "{first} {last} {decoys} {glued}");
    }

    #[test]
    fn the_tags_that_exist_are_distinct_and_fit_the_definition() {
        let tags = draw_tags();
        assert_eq!(tags.iter().collect::<HashSet<_>>().len(), TAGS as usize);
        for tag in &tags {
            assert!(tag[1..].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80));
            assert!(tag[0] == b'#' && tag.len() > 1);
        }
        assert!(tags.iter().any(|tag| !tag.is_ascii()));
    }

    #[test]
    fn hashtags_follow_the_law_of_the_load_and_all_keys_differ() {
        let tweets = Tweets::drawn(42, &KeyLaw::parse("uniform(60k)").unwrap());
        let mut column = TextColumn::default();
        (0..1000).for_each(|block| tweets.fill(block, &mut column));
        let tokens = (0..column.len()).flat_map(|index| column.view(index).split(|byte| byte.is_ascii_whitespace()));
        let is_tag_byte = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        let tags: HashSet<&[u8]> = tokens
            .filter(|token| token.first() == Some(&b'#') && !DECOYS.contains(token))
            .map(|token| &token[..1 + token[1..].iter().take_while(|byte| is_tag_byte(byte)).count()])
            .collect();
        // 1.1 million draws of 60,000: each was seen but for e^-18.
        assert_eq!(tags.len(), 60_000);
    }
}
