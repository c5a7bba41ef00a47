//! Which workloads the two builds have: each is asked itself.

use super::arm::Arm;
use crate::failure::Failure;
use downbeat_reports::exit::Exit;
use downbeat_reports::gate::record::Unmeasured;
use downbeat_workloads::catalog::Job;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program that lists its workloads answers at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether it has.
const PERIOD: Duration = Duration::from_millis(5);

/// Workloads that can be compared, and those that cannot.
#[derive(Debug, PartialEq)]
pub(super) struct Shared {
    /// Both builds have them.
    pub(super) workloads: Vec<String>,
    /// Not both have them.
    pub(super) unmeasured: Vec<Unmeasured>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
}

/// Of those that were asked for, the ones that both builds have.
///
/// # Errors
/// A build does not list its workloads (exit 125); nobody knows one of that name (exit 2).
pub(super) fn shared(asked: &[String], base: &Arm, head: &Arm, jobs: &[&dyn Job]) -> Result<Shared, Failure> {
    let of_base = listed(&base.binary, &base.build.asked)?;
    let of_head = listed(&head.binary, &head.build.asked)?;
    if let Some(unknown) = asked.iter().find(|name| !of_base.contains(*name) && !of_head.contains(*name)) {
        // This program may know what both builds do not have yet; if not, it knows what was meant.
        crate::jobs::find(jobs, unknown)?;
    }
    Ok(split(asked, &of_base, &of_head))
}

fn split(asked: &[String], of_base: &BTreeSet<String>, of_head: &BTreeSet<String>) -> Shared {
    let mut shared = Shared { workloads: Vec::new(), unmeasured: Vec::new() };
    for name in asked {
        let why = match (of_base.contains(name), of_head.contains(name)) {
            (true, true) => {
                shared.workloads.push(name.clone());
                continue;
            }
            (true, false) => "the head does not have it",
            (false, true) => "the base does not have it",
            (false, false) => "neither build has it",
        };
        shared.unmeasured.push(Unmeasured { workload: name.clone(), why: why.to_owned() });
    }
    shared
}

/// What `<binary> list workloads --format json` says.
fn listed(binary: &Path, asked: &str) -> Result<BTreeSet<String>, Failure> {
    let cannot = |why: String| {
        Failure::new(Exit::NotJudged, format!("cannot judge: {asked} does not list its workloads: {why}"))
            .help("give a program that is the downbeat command, over its catalog or over jobs of one's own")
    };
    let output = output(binary).map_err(cannot)?;
    let listed: Vec<Listed> = serde_json::from_slice(&output).map_err(|error| cannot(error.to_string()))?;
    Ok(listed.into_iter().map(|listed| listed.name).collect())
}

fn output(binary: &Path) -> Result<Vec<u8>, String> {
    let mut command = Command::new(binary);
    command.args(["list", "workloads", "--format", "json"]);
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = piped.spawn().map_err(|error| error.to_string())?;
    let begun = Instant::now();
    // The list fits into a pipe, so that nobody must read meanwhile.
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err("it hangs".to_owned());
        }
        std::thread::sleep(PERIOD);
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("it ended with {}", output.status));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_of_one_arm_are_named_with_their_reason() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
        let asked: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        let shared = split(&asked, &names(&["a", "b"]), &names(&["a", "c"]));
        assert_eq!(shared.workloads, ["a"]);
        let why: Vec<(&str, &str)> =
            shared.unmeasured.iter().map(|left| (left.workload.as_str(), left.why.as_str())).collect();
        assert_eq!(
            why,
            [("b", "the head does not have it"), ("c", "the base does not have it"), ("d", "neither build has it")]
        );
    }
}
