//! The settings of a gate: the user's, and those that a gate sets for itself.

use crate::failure::Failure;
use crate::machine;
use crate::request::GateRequest;
use crate::settings::TrialSettings;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

/// Small batches of a process, unless the user says otherwise.
const BATCHES: u64 = 500;

/// Settings of a gate that the user did not choose: windows that are filled in a moment, lines that are made in one.
const SETTINGS: [(&str, &str); 3] = [("interval", "100ms"), ("window", "1s"), ("ring", "8MiB")];

/// Cores that the workers leave to the sender and to the host. With all of them busy, whatever else runs stops a batch for milliseconds,
/// and the 99th percentile of two equal builds differs by a third.
const CORES_LEFT: usize = 1;

/// The settings of a gate.
pub(super) struct Chosen {
    /// With the parent's defaults, for the record.
    pub(super) all: TrialSettings,
    /// Those that are sent: each arm has its own defaults for the others, which belong to the build.
    pub(super) sent: BTreeMap<String, String>,
    /// Small batches of a process.
    pub(super) batches: u64,
}

impl Chosen {
    pub(super) fn of(request: &GateRequest) -> Result<Self, Failure> {
        let mut all = request.resolved.settings.clone();
        let mut chosen: Vec<&str> = request.resolved.origins.keys().map(String::as_str).collect();
        chosen.retain(|name| request.resolved.is_given(name));
        let threads = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(CORES_LEFT).max(1);
        let threads = threads.to_string();
        for (name, value) in SETTINGS.into_iter().chain([("threads", threads.as_str())]) {
            if !request.resolved.is_given(name) {
                all.set(name, value).map_err(|error| Failure::internal(format!("{name}: {error}")))?;
                chosen.push(name);
            }
        }
        all.engine.validate()?;
        if !request.resolved.is_given("seed") {
            // Another gate, other coins: an order that favours an arm by chance does so once only.
            all.load.seed = RandomState::new().hash_one(()) >> 40;
        }
        let values = all.values();
        // The parent sets it in the environment of each arm, so both must know which.
        let sent = chosen.into_iter().chain(["allocator"]).filter(|name| *name != "max_time");
        let sent = sent.filter_map(|name| Some((name.to_owned(), values.get(name)?.clone()))).collect();
        let batches = if request.resolved.is_given("batches") { all.run.batches } else { BATCHES };
        Ok(Chosen { all, sent, batches })
    }

    pub(super) fn seed(&self) -> u64 {
        self.all.load.seed
    }

    /// The cores of what is measured, as many as there are threads: the last ones, since the first has most of the interrupts.
    pub(super) fn cores(&self) -> Vec<usize> {
        let allowed = machine::cores::allowed();
        let left = allowed.len().saturating_sub(self.all.engine.effective_threads());
        allowed[left..].to_vec()
    }
}
