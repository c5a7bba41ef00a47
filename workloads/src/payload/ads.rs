//! Ad events in the shape of the Yahoo streaming benchmark: JSON lines of a user who saw, clicked or bought.
//!
//! `{"user_id":"…","page_id":"…","ad_id":"…","ad_type":"banner","event_type":"view","event_time":"1767225600000","ip_address":"…"}`:
//! 100 campaigns of 10 ads, five types of ads and three of events, each as likely as the others. Unlike there the users are
//! many and not alike, and events have addresses of their own.

use super::digits::{event_time_ms, identifier, of_keys, push_decimal};
use super::{LineSource, records_of};
use crate::keys::{KeyLaw, KeySource, Keys};
use crate::random::{Purpose, Random, below, mix, stream};
use downbeat_engine::record::{Column, TextColumn};

/// How many campaigns there are.
pub const CAMPAIGNS: u32 = 100;

/// Ads of each campaign.
const ADS_PER_CAMPAIGN: u32 = 10;

/// Ads of all campaigns.
const ADS: u32 = CAMPAIGNS * ADS_PER_CAMPAIGN;

/// Pages on which ads are shown.
const PAGES: u32 = 100;

/// Users, if nothing else is asked for.
const USERS: u32 = 100_000;

const AD_TYPES: [&[u8]; 5] = [b"banner", b"modal", b"sponsored-search", b"mail", b"mobile"];

const EVENT_TYPES: [&[u8]; 3] = [b"view", b"click", b"purchase"];

/// What identifiers are of.
const USER: u64 = 1;
const PAGE: u64 = 2;
const AD: u64 = 3;
const CAMPAIGN: u64 = 4;

/// The text of `ads` and `distinct-users`.
pub struct AdEvents {
    seed: u64,
    ads: Vec<[u8; 36]>,
    pages: Vec<[u8; 36]>,
    ad_keys: KeySource,
    user_keys: KeySource,
}

impl AdEvents {
    /// The events of this seed: ads uniform, users zipf 0.8 over 100,000.
    pub fn new(seed: u64) -> Self {
        AdEvents::drawn(seed, &KeyLaw::Default, &KeyLaw::Default)
    }

    /// The events of this seed with ads and users drawn by these laws; beyond the ads that exist the same ones come again.
    pub fn drawn(seed: u64, ads: &KeyLaw, users: &KeyLaw) -> Self {
        AdEvents {
            seed,
            ads: (0..ADS).map(|ad| identifier(AD, ad.into())).collect(),
            pages: (0..PAGES).map(|page| identifier(PAGE, page.into())).collect(),
            ad_keys: KeySource::new(ads, Keys::Uniform(ADS)),
            user_keys: KeySource::new(users, Keys::zipf(0.8, USERS)),
        }
    }

    fn append(&self, random: &mut Random, record: u64, line: &mut Vec<u8>) {
        let user = self.user_keys.draw(random, record);
        let ad = (self.ad_keys.draw(random, record) % ADS) as usize;
        let mut member = |name: &[u8], value: &[u8]| {
            line.extend_from_slice(name);
            line.extend_from_slice(value);
        };
        member(b"{\"user_id\":\"", &identifier(USER, user.into()));
        member(b"\",\"page_id\":\"", &self.pages[below(random, PAGES) as usize]);
        member(b"\",\"ad_id\":\"", &self.ads[ad]);
        member(b"\",\"ad_type\":\"", AD_TYPES[below(random, AD_TYPES.len() as u32) as usize]);
        member(b"\",\"event_type\":\"", EVENT_TYPES[below(random, EVENT_TYPES.len() as u32) as usize]);
        member(b"\",\"event_time\":\"", b"");
        push_decimal(line, event_time_ms(record));
        line.extend_from_slice(b"\",\"ip_address\":\"");
        for (index, octet) in (mix(user.into()) as u32).to_be_bytes().into_iter().enumerate() {
            if index > 0 {
                line.push(b'.');
            }
            push_decimal(line, octet.into());
        }
        line.extend_from_slice(b"\"}");
    }
}

impl LineSource for AdEvents {
    fn name(&self) -> &'static str {
        "ad-events-1"
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn variant(&self) -> String {
        of_keys([("ad", &self.ad_keys), ("user", &self.user_keys)])
    }

    fn fill(&self, block: u64, column: &mut TextColumn) {
        let mut random = stream(self.seed, Purpose::AdEvents, block);
        let mut line = Vec::with_capacity(320);
        for record in records_of(block) {
            line.clear();
            self.append(&mut random, record, &mut line);
            column.push(&line);
        }
    }
}

/// Which ad belongs to which campaign: identifiers of each ad and of its campaign, the same for every seed.
pub fn campaign_table() -> Vec<([u8; 36], [u8; 36])> {
    let pair = |ad: u32| (identifier(AD, ad.into()), identifier(CAMPAIGN, (ad / ADS_PER_CAMPAIGN).into()));
    (0..ADS).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    fn events(seed: u64, blocks: std::ops::Range<u64>) -> Vec<String> {
        let (source, mut column) = (AdEvents::new(seed), TextColumn::default());
        blocks.for_each(|block| source.fill(block, &mut column));
        (0..column.len()).map(|index| String::from_utf8(column.view(index).to_vec()).unwrap()).collect()
    }

    #[test]
    fn events_have_the_members_and_shares_of_the_benchmark() {
        let lines = events(42, 0..60);
        let mut seen: HashMap<(String, String), u32> = HashMap::new();
        for (index, line) in lines.iter().enumerate() {
            assert!((220..=275).contains(&line.len()), "{line}");
            let members = line.strip_prefix("{\"").and_then(|line| line.strip_suffix("\"}")).unwrap();
            let members: Vec<(&str, &str)> =
                members.split("\",\"").map(|member| member.split_once("\":\"").unwrap()).collect();
            let names: Vec<&str> = members.iter().map(|member| member.0).collect();
            let expected = ["user_id", "page_id", "ad_id", "ad_type", "event_type", "event_time", "ip_address"];
            assert_eq!(names, expected);
            let time: u64 = members[5].1.parse().unwrap();
            assert_eq!(time, 1_767_225_600_000 + index as u64 * 1_000 / 1_024);
            for (name, value) in members {
                *seen.entry((name.to_owned(), value.to_owned())).or_default() += 1;
            }
        }
        let values = |name: &str| -> Vec<u32> {
            seen.iter().filter(|((of, _), _)| of == name).map(|(_, count)| *count).collect()
        };
        let (events, ads, users) = (values("event_type"), values("ad_id"), values("user_id"));
        assert_eq!((events.len(), values("ad_type").len(), values("page_id").len(), ads.len()), (3, 5, 100, 1_000));
        assert!(events.iter().all(|count| (19_800..21_200).contains(count)), "{events:?}");
        assert!(ads.iter().all(|count| (20..120).contains(count)), "61 on average");
        assert!(users.len() > 20_000, "{} users", users.len());
        // H(100,000; 0.8) = 45.6, so that the first user has one event of 46.
        let most = users.iter().max().unwrap();
        assert!((1_150..1_550).contains(most), "{most}");
    }

    #[test]
    fn a_block_depends_on_the_seed_and_its_number_alone() {
        assert_eq!(events(7, 3..4), events(7, 2..4)[1_024..]);
        assert_ne!(events(7, 3..4), events(8, 3..4));
    }

    #[test]
    fn ads_and_users_follow_the_laws_of_the_load() {
        let values = |ads: &str, users: &str, member: &str| {
            let source = AdEvents::drawn(42, &KeyLaw::parse(ads).unwrap(), &KeyLaw::parse(users).unwrap());
            let mut column = TextColumn::default();
            (0..10).for_each(|block| source.fill(block, &mut column));
            let lines = (0..column.len()).map(|index| std::str::from_utf8(column.view(index)).unwrap().to_owned());
            let name = format!("\"{member}\":\"");
            let all: HashSet<String> = lines.map(|line| line.split(&name).nth(1).unwrap()[..36].to_owned()).collect();
            (all.len(), source.variant())
        };
        assert_eq!(values("uniform(7)", "default", "ad_id"), (7, "ad keys uniform(7)".to_owned()));
        assert_eq!(values("default", "uniform(9)", "user_id"), (9, "user keys uniform(9)".to_owned()));
        assert_eq!(
            values("uniform(3k)", "uniform(2)", "ad_id"),
            (1_000, "ad keys uniform(3k), user keys uniform(2)".to_owned())
        );
    }

    #[test]
    fn each_ad_that_is_seen_has_a_campaign_of_ten() {
        let table: HashMap<[u8; 36], [u8; 36]> = campaign_table().into_iter().collect();
        assert_eq!(table.len(), 1_000);
        let mut ads: HashMap<[u8; 36], u32> = HashMap::new();
        table.values().for_each(|campaign| *ads.entry(*campaign).or_default() += 1);
        assert_eq!(ads.values().copied().collect::<Vec<_>>(), vec![10; CAMPAIGNS as usize]);
        let shown: HashSet<[u8; 36]> = AdEvents::new(1).ads.into_iter().collect();
        assert!(shown.iter().all(|ad| table.contains_key(ad)) && shown.len() == 1_000);
    }
}
