//! What a gate will do and how long that takes, before anything is measured.

use super::arm::Asked;
use super::chosen::Chosen;
use super::sizes;
use crate::failure::Failure;
use crate::request::GateRequest;
use downbeat_reports::exit::Exit;
use downbeat_reports::gate::rule;
use downbeat_reports::quantity::duration;

/// Base, head and the copy of the base.
const ARMS: u64 = 3;

/// What looking at the host, starting and reading costs beside the processes of a block, nanoseconds.
const BESIDE_NS: u64 = 200_000_000;

/// The plan for people.
pub(super) fn describe(request: &GateRequest, base: &Asked, head: &Asked, settings: &Chosen) -> String {
    let look_ns = first_look_ns(sizes::planned_process_ns(settings.batches), request.workloads.len());
    let looks: Vec<String> = rule::LOOKS.iter().map(usize::to_string).collect();
    let budget = request.budget_ns.map_or("no limit of time".to_owned(), |ns| format!("{} at most", duration(ns)));
    let mut text = format!(
        "plan     {} against {}\n         {}: looks after {} blocks of each, the first after about {}; {budget}\n",
        head.describe(&request.head),
        base.describe(&request.base),
        request.workloads.join(", "),
        looks.join(", "),
        duration(look_ns),
    );
    if base == head {
        text.push_str("note     base and head are the same: this is an A/A, and whatever it finds is noise\n");
    }
    for (name, value) in &settings.sent {
        text.push_str(&format!("         {name:<16} {value}\n"));
    }
    text
}

/// One block of a process of each arm, nanoseconds.
pub(super) fn block_ns(process_ns: u64) -> u64 {
    ARMS * process_ns + BESIDE_NS
}

/// Blocks of the first look in so many workloads, nanoseconds.
pub(super) fn first_look_ns(process_ns: u64, workloads: usize) -> u64 {
    (workloads * rule::LOOKS[0]) as u64 * block_ns(process_ns)
}

/// A gate that cannot come to its first look measures nothing.
pub(super) fn require_time(request: &GateRequest, needed_ns: u64) -> Result<(), Failure> {
    match request.budget_ns {
        Some(budget_ns) if needed_ns > budget_ns => {
            let (budget, needed) = (duration(budget_ns), duration(needed_ns));
            let message =
                format!("cannot judge: a budget of {budget} is too small for a first look, which takes about {needed}");
            let help = "give a larger --budget, fewer --workloads, or fewer --batches";
            Err(Failure::new(Exit::NotJudged, message).help(help))
        }
        _ => Ok(()),
    }
}
