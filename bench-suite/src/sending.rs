//! `downbeat load`: the generator alone, a process of its own that sends plain lines over TCP to whoever connects.
//!
//! The schedule begins when the first reader connects, and nothing stops it: a reader that is slow is waited for, and the time
//! is told; what comes due while there is no reader is not delivered, and is counted.

mod pace;
mod peer;
mod summary;

use crate::failure::Failure;
use crate::load;
use crate::plan::NS_PER_S;
use crate::request::LoadRequest;
use crate::run::Outcome;
use crate::shard::Shard;
use crate::signals::Signals;
use crate::source::Source;
use downbeat_reports::exit::Exit;
use downbeat_reports::quantity::{count, duration, rate};
use downbeat_workloads::catalog::Job;
use downbeat_workloads::load::LoadSettings;
use downbeat_workloads::payload::Payload;
use downbeat_workloads::schedule::Schedule;
use pace::Pace;
use std::io::Write;
use std::net::TcpListener;
use summary::Summary;

/// What is sent, and when.
struct Plan {
    payload: Payload,
    schedule: Schedule,
    shard: Shard,
}

/// How the sending ended, and what it did.
struct Sent {
    tally: pace::Tally,
    is_finished: bool,
}

/// Sends until the plan is over or somebody ends it.
///
/// # Errors
/// Before anything is sent: what cannot work (exit 2), an address or an input that cannot be used (exit 7).
pub(crate) fn send(request: &LoadRequest, jobs: &[&dyn Job]) -> Result<Outcome, Failure> {
    let job = crate::jobs::find(jobs, &request.workload)?;
    let settings = settings(request)?;
    let plan = plan(request, &settings, job)?;
    let (listener, address) = listen(&request.listen)?;
    let signals = Signals::catch()?;
    let tell = |text: String| {
        if !request.quiet {
            // Nobody is left to be told when stderr is gone.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    };
    tell(announcement(request, &settings, &address));
    let sent = Pace::new(&plan, &listener, &signals, &tell).run();
    let summary = Summary::new(request, &settings, &plan, &sent);
    let text = if request.json { summary.json()? } else { summary.human() };
    let (message, exit) = ending(&sent, &signals);
    Ok(Outcome { text: text.into_bytes(), message, exit })
}

fn settings(request: &LoadRequest) -> Result<LoadSettings, Failure> {
    let known =
        |name: &str| name == "duration" || downbeat_workloads::load::LOAD_KNOBS.iter().any(|knob| knob.name == name);
    let unused = request.resolved.origins.iter().find(|(name, origin)| *origin == "flag" && !known(name));
    if let Some((name, _)) = unused {
        return Err(Failure::usage(format!("{name} is given, but nothing is computed here: `load` only sends"))
            .help(format!("give {name} to the `downbeat run` that reads")));
    }
    let mut settings = request.resolved.settings.load.clone();
    settings.line_limit_bytes = request.resolved.settings.engine.line_limit_bytes;
    if let Source::File { path, again } = &request.source {
        (settings.input, settings.input_loop) = (Some(path.clone()), *again);
    }
    Ok(settings)
}

fn plan(request: &LoadRequest, settings: &LoadSettings, job: &dyn Job) -> Result<Plan, Failure> {
    let horizon_ns = request.resolved.settings.run.duration_ns.unwrap_or(u64::MAX);
    // What cannot work is refused before text is made for it.
    settings.schedule(0, None).map_err(load::failure)?;
    let payload = job.payload(settings).map_err(load::failure)?;
    let limits = [payload.records_limit(), request.records];
    let schedule = settings.schedule(horizon_ns, limits.into_iter().flatten().min()).map_err(load::failure)?;
    Ok(Plan { payload, schedule, shard: request.shard })
}

fn listen(address: &str) -> Result<(TcpListener, String), Failure> {
    let failed = |error: std::io::Error| {
        Failure::environment(format!("cannot listen on {address}: {error}"))
            .help("give --listen HOST:PORT of this machine with a port that is free, or port 0 for any")
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?.to_string();
    Ok((listener, bound))
}

fn announcement(request: &LoadRequest, settings: &LoadSettings, address: &str) -> String {
    let shard = if request.shard.is_whole() { String::new() } else { format!(", shard {}", request.shard) };
    let (workload, arrivals) = (&request.workload, &settings.arrivals);
    format!(
        "listening on {address}\nwill send {workload} at {}, arrivals {arrivals}{shard}, from the moment a reader connects:\n  \
         downbeat run {workload} --source tcp://{address}",
        rate(settings.rate_per_s)
    )
}

fn ending(sent: &Sent, signals: &Signals) -> (Option<String>, Exit) {
    if let Some(exit) = signals.exit().filter(|_| !sent.is_finished) {
        return (None, exit);
    }
    let tally = &sent.tally;
    if tally.undelivered_records > 0 {
        let message =
            format!("error: {} records were not delivered: no reader was connected", count(tally.undelivered_records));
        return (Some(message), Exit::Environment);
    }
    if !tally.read_to_end {
        let message = format!(
            "error: the reader has not said that it read to the end: the last records may be lost; waited {}",
            duration(peer::FAREWELL_S * NS_PER_S)
        );
        return (Some(message), Exit::Environment);
    }
    (None, Exit::Ok)
}
