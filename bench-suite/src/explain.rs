//! `downbeat explain`: why a batch of a stored run was late; nothing is measured.

use crate::failure::Failure;
use crate::report;
use crate::request::ExplainRequest;
use downbeat_reports::explain::pools::Pools;
use downbeat_reports::explain::{Explanation, render_human};
use downbeat_reports::format::json;
use downbeat_reports::judged;
use downbeat_reports::quantity::count;
use downbeat_reports::record::{BatchRecord, TrialRecord};
use downbeat_reports::store;

/// The batch that was asked for, or the one with the longest delay, beside the median batch.
///
/// # Errors
/// There is no result that this build can read, or no such batch in it.
pub(crate) fn explain(request: &ExplainRequest) -> Result<String, Failure> {
    let record = report::run_record(&request.run)?;
    let samples = store::load_samples(&request.run, &record)?;
    let pools = samples.as_ref().map(|samples| Pools::new(&record, samples));
    let explanation = Explanation::of(&record, batch(&record, request.batch)?).with_functions(pools.as_ref());
    Ok(match request.json {
        true => json::write(&explanation),
        false => render_human(&record, &explanation),
    })
}

fn batch(record: &TrialRecord, index: Option<u64>) -> Result<&BatchRecord, Failure> {
    let (Some(first), Some(last)) = (record.batches.first(), record.batches.last()) else {
        return Err(Failure::usage("the run has no batches, so there is nothing to explain"));
    };
    let Some(index) = index else {
        let judged = judged::batches(record).max_by_key(|batch| batch.total_delay_ns);
        return Ok(judged.unwrap_or(first));
    };
    record.batches.iter().find(|batch| batch.index == index).ok_or_else(|| {
        Failure::usage(format!("--batch {index}: the run has no such batch")).help(format!(
            "its {} batches are {} to {}",
            count(record.batches.len() as u64),
            first.index,
            last.index
        ))
    })
}
