//! Finding a job by its name.

use crate::failure::Failure;
use downbeat_engine::settings::suggest;
use downbeat_workloads::catalog::Job;

/// The job of that name.
///
/// # Errors
/// There is none: exit 2, with the one that was meant.
pub(crate) fn find<'j>(jobs: &[&'j dyn Job], name: &str) -> Result<&'j dyn Job, Failure> {
    if let Some(job) = jobs.iter().find(|job| job.name() == name) {
        return Ok(*job);
    }
    let names = || jobs.iter().map(|job| job.name());
    let meant = suggest(name, names()).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
    let all: Vec<&str> = names().collect();
    Err(Failure::usage(format!("unknown workload `{name}`{meant}")).help(format!("workloads are {}", all.join(", "))))
}
