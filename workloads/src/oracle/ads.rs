//! The right answer of `ads`.

use super::json::strings_of;
use super::parsed::{LineParser, Parsed};
use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::payload::{Payload, campaign_table};
use std::collections::{BTreeMap, VecDeque};

/// Counts the views of each campaign in each batch, and adds the batches of a window up anew at each slide.
pub struct AdsOracle {
    window_batches: usize,
}

impl AdsOracle {
    /// A window of this many batches, at least one.
    pub fn new(window_batches: usize) -> Self {
        AdsOracle { window_batches }
    }
}

impl Oracle for AdsOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut events = Parsed::new(payload, Views::new());
        let campaigns = events.parser.campaigns.clone();
        let (mut window, mut rows, mut wrong) = (VecDeque::new(), Vec::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let mut views = vec![0u64; campaigns.len()];
            events.for_each(&batch.ranges, |campaign| campaign.iter().for_each(|campaign| views[*campaign] += 1));
            window.push_back(views);
            if window.len() > self.window_batches {
                window.pop_front();
            }
            rows = (0..campaigns.len()).filter_map(|campaign| row(&campaigns, &window, campaign)).collect();
            let mut expected = BatchAnswer::default();
            rows.iter().for_each(|row| expected.add(&row.key, row.count));
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        sort_rows(&mut rows);
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

fn row(campaigns: &[[u8; 36]], window: &VecDeque<Vec<u64>>, campaign: usize) -> Option<Row> {
    let count = window.iter().map(|views| views[campaign]).sum();
    (count > 0).then(|| Row { key: campaigns[campaign].to_vec(), count })
}

/// Finds the campaign that was viewed.
struct Views {
    campaigns: Vec<[u8; 36]>,
    campaign_of_ad: BTreeMap<[u8; 36], usize>,
}

impl Views {
    fn new() -> Self {
        let table = campaign_table();
        let mut campaigns: Vec<[u8; 36]> = table.iter().map(|(_, campaign)| *campaign).collect();
        campaigns.sort_unstable();
        campaigns.dedup();
        let number = |campaign| campaigns.binary_search(campaign).unwrap_or_default();
        let campaign_of_ad = table.iter().map(|(ad, campaign)| (*ad, number(campaign))).collect();
        Views { campaigns, campaign_of_ad }
    }
}

impl LineParser for Views {
    type Parsed = Option<usize>;

    fn parse(&mut self, line: &[u8]) -> Option<usize> {
        // An event without a user is none, though nobody asks for the user here.
        let [ad, event, _] = strings_of(line, ["ad_id", "event_type", "user_id"])?;
        if event != b"view" {
            return None;
        }
        self.campaign_of_ad.get(ad).copied()
    }
}
