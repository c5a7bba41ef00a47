//! What the generator itself can send on this machine: proven before anything is measured, once for each load.

use crate::failure::Failure;
use crate::settings::TrialSettings;
use crate::source::Source;
use downbeat_reports::quantity::{rate, rate_flag};
use downbeat_workloads::catalog::Job;
use downbeat_workloads::generator::proven_ceiling_per_s;
use downbeat_workloads::load::LoadSettings;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A ring of this size is enough for the proof, and quick to make.
const RING_BYTES_MOST: usize = 4 << 20;

/// Ceilings that one command has proven, so that a search pays once.
#[derive(Default)]
pub(crate) struct Ceilings {
    known: Vec<(Key, Option<f64>)>,
}

/// What a ceiling depends on: all of the load but its rate.
#[derive(PartialEq)]
struct Key {
    workload: &'static str,
    load: LoadSettings,
    threads: usize,
}

impl Ceilings {
    /// Records per second that the generator drives through the engine with a job that does nothing. `None` where the sender is
    /// somebody else, for a user's own file (whose trial measures the generator alone), and where nothing could be proven.
    pub(crate) fn per_s(&mut self, job: &dyn Job, settings: &TrialSettings, source: &Source) -> Option<f64> {
        if *source != Source::Generator {
            return None;
        }
        let load = LoadSettings {
            rate_per_s: LoadSettings::default().rate_per_s,
            ring_bytes: settings.load.ring_bytes.min(RING_BYTES_MOST),
            ..settings.load.clone()
        };
        let key = Key { workload: job.name(), load, threads: settings.engine.effective_threads() };
        if let Some((_, ceiling_per_s)) = self.known.iter().find(|(known, _)| *known == key) {
            return *ceiling_per_s;
        }
        let ceiling_per_s = prove(job, &key);
        self.known.push((key, ceiling_per_s));
        ceiling_per_s
    }
}

/// A job's text is user code: what is wrong with it is told by its trial.
fn prove(job: &dyn Job, key: &Key) -> Option<f64> {
    let proof = || proven_ceiling_per_s(&job.payload(&key.load).ok()?, &key.load, key.threads).ok()?;
    catch_unwind(AssertUnwindSafe(proof)).ok()?
}

/// A load that the generator cannot send says nothing about the engine.
///
/// # Errors
/// The highest rate of the load is above the ceiling (exit 2).
pub(crate) fn check(load: &LoadSettings, ceiling_per_s: Option<f64>) -> Result<(), Failure> {
    let asked_per_s = load.rate_per_s * load.arrivals.peak_factor();
    let Some(ceiling_per_s) = ceiling_per_s.filter(|ceiling_per_s| asked_per_s > *ceiling_per_s) else { return Ok(()) };
    let peak =
        if load.arrivals.peak_factor() > 1.0 { format!(" at the peak of {}", load.arrivals) } else { String::new() };
    let message = format!(
        "{}{peak} is more than the generator itself can send on this machine, {} into a job that does nothing",
        rate(asked_per_s),
        rate(ceiling_per_s)
    );
    let most = rate_flag(0.5 * ceiling_per_s / load.arrivals.peak_factor());
    Err(Failure::usage(message).help(format!("stay well below it, for example --rate {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_workloads::catalog::find_job;
    use downbeat_workloads::schedule::Arrivals;

    #[test]
    fn a_load_is_proven_once_whatever_its_rate() {
        let (job, mut ceilings) = (find_job("null").unwrap(), Ceilings::default());
        let mut settings = TrialSettings::default();
        settings.load.ring_bytes = 100_000;
        let first = ceilings.per_s(job, &settings, &Source::Generator);
        assert!(first.is_some());
        settings.load.rate_per_s = 77.0;
        assert_eq!(ceilings.per_s(job, &settings, &Source::Generator), first);
        assert_eq!(ceilings.known.len(), 1);
        settings.load.arrivals = Arrivals::Poisson;
        ceilings.per_s(job, &settings, &Source::Generator);
        assert_eq!(ceilings.known.len(), 2);
        assert_eq!(ceilings.per_s(job, &settings, &Source::Tcp { addresses: vec!["a:1".into()] }), None);
    }

    #[test]
    fn rates_above_the_ceiling_are_refused_at_their_peak() {
        let load = |rate_per_s, arrivals: &str| LoadSettings {
            rate_per_s,
            arrivals: Arrivals::parse(arrivals).unwrap(),
            ..LoadSettings::default()
        };
        assert_eq!(check(&load(2e6, "constant"), Some(2e6)), Ok(()));
        assert_eq!(check(&load(2e9, "constant"), None), Ok(()));
        assert_eq!(check(&load(1e6, "ramp(0,1.5)"), Some(2e6)), Ok(()));
        let refused = check(&load(1e6, "spike(5,for=1s)"), Some(4e6)).unwrap_err();
        assert_eq!(refused.code, 2);
        assert_eq!(
            refused.message,
            "5,000,000 rec/s at the peak of spike(5,for=1s) is more than the generator itself can send on this machine, 4,000,000 rec/s into a job that does nothing"
        );
        assert_eq!(refused.help.as_deref(), Some("stay well below it, for example --rate 400k/s"));
    }
}
