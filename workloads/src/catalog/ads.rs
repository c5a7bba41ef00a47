//! `ads`: how often the ads of each campaign were seen in a window that slides with each batch.

use super::Job;
use super::ad_event::ad_event;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::keys::KeyLaw;
use crate::load::LoadSettings;
use crate::oracle::{AdsOracle, Oracle};
use crate::payload::{AdEvents, LineSource, campaign_table};
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::{DStream, Dataset};
use downbeat_engine::error::EngineError;
use downbeat_engine::exchange::Value;
use downbeat_engine::record::Text;
use std::sync::Arc;
use std::time::Duration;

/// Filter, project, join with the table of campaigns, count. Lines that are no events, and ads that are in no campaign, are left
/// out. The final answer is that of the last batch.
pub(super) struct Ads;

impl Job for Ads {
    fn name(&self) -> &'static str {
        "ads"
    }

    fn about(&self) -> &'static str {
        "Views per campaign in the last 10s at each batch: JSON ad events, joined with 1,000 ads of 100 campaigns."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(AdEvents::drawn(load.seed, &load.keys, &KeyLaw::Default))
    }

    fn prime_batches(&self, load: &LoadSettings, interval_ns: u64) -> u64 {
        load.window_ns.div_ceil(interval_ns)
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        interval_ns: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let (window, slide) = (Duration::from_nanos(load.window_ns), Duration::from_nanos(interval_ns));
        let viewed = lines.flat_map::<Text>(viewed_ad);
        match load.records {
            RecordsKind::Borrowed => views_of_window(&viewed, window, slide, answers),
            RecordsKind::Owned => views_of_window(&viewed.owned(), window, slide, answers),
        }
    }

    fn oracle(&self, load: &LoadSettings, interval_ns: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(AdsOracle::new(super::window_batches(load, interval_ns))))
    }
}

/// Emits the ad of an event that is a view.
fn viewed_ad<'l>(line: &'l [u8], out: &mut dyn FnMut(&'l [u8])) {
    if let Some(event) = ad_event(line).filter(|event| event.event_type == "view") {
        out(event.ad_id.as_bytes());
    }
}

fn views_of_window<R>(
    ads: &DStream<R>,
    window: Duration,
    slide: Duration,
    answers: &Arc<Answers>,
) -> Result<(), EngineError>
where
    R: TextRecord + Value<Owned = Vec<u8>>,
{
    let table: Vec<(Vec<u8>, [u8; 36])> =
        campaign_table().into_iter().map(|(ad, campaign)| (ad.to_vec(), campaign)).collect();
    let campaigns = Dataset::<R, Text>::new(table.iter().map(|(ad, of)| (<R as Value>::view(ad), &of[..])))?;
    let answers = answers.clone();
    ads.map_to_pair::<R, u64>(|ad| (ad, 1))
        .join_dataset(&campaigns)
        .map_to_pair::<Text, u64>(|(_, (views, campaign))| (campaign, views))
        .reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, window, slide)
        .for_each_batch(move |batch| {
            let mut answer = BatchAnswer::default();
            batch.for_each(|(campaign, views)| answer.add(campaign, views));
            answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
            answers.replace_final(|row| batch.for_each(|(campaign, views)| row(campaign, views)));
        });
    Ok(())
}
