//! The flags of `max`, `sweep` and `tune`.

use super::{path, resolved, source, string};
use crate::failure::Failure;
use crate::request::{SearchOutput, SearchRequest, SweepRequest, TuneRequest};
use crate::search::goal::Goal;
use crate::search::grid::Axis;
use clap::ArgMatches;
use downbeat_reports::limit::{Limit, LimitError};
use downbeat_reports::search::sweep::Response;
use std::collections::BTreeMap;

fn output(matches: &ArgMatches) -> SearchOutput {
    SearchOutput {
        out: path(matches, "out"),
        json: string(matches, "format") == "json",
        dry_run: matches.get_flag("dry-run"),
        quiet: matches.get_flag("quiet"),
    }
}

pub(super) fn tune(matches: &ArgMatches, environment: &BTreeMap<String, String>) -> Result<TuneRequest, Failure> {
    let resolved = resolved(matches, environment)?;
    Ok(TuneRequest {
        workload: string(matches, "workload"),
        goal: Goal::parse(&string(matches, "goal"), resolved.settings.run.late_limit)?,
        resolved,
        source: source(matches)?,
        axes: axes(matches)?,
        output: output(matches),
    })
}

pub(super) fn max(matches: &ArgMatches, environment: &BTreeMap<String, String>) -> Result<SearchRequest, Failure> {
    let resolved = resolved(matches, environment)?;
    Ok(SearchRequest {
        workload: string(matches, "workload"),
        limits: limits(matches, resolved.settings.run.late_limit)?,
        resolved,
        source: source(matches)?,
        resolution: share(matches, "resolution", 0.001..=0.2)?,
        width: share(matches, "width", 0.005..=0.5)?,
        searches: repeats(matches, 1)?,
        output: output(matches),
    })
}

pub(super) fn sweep(matches: &ArgMatches, environment: &BTreeMap<String, String>) -> Result<SweepRequest, Failure> {
    Ok(SweepRequest {
        workloads: string(matches, "workload").split(',').map(|name| name.trim().to_owned()).collect(),
        resolved: resolved(matches, environment)?,
        source: source(matches)?,
        axes: axes(matches)?,
        one_at_a_time: matches.get_flag("one-at-a-time"),
        rounds: repeats(matches, 3)?,
        response: if string(matches, "measure") == "p99" { Response::P99 } else { Response::Capacity },
        output: output(matches),
    })
}

fn repeats(matches: &ArgMatches, otherwise: u64) -> Result<u64, Failure> {
    match matches.get_one::<u64>("repeat").copied().unwrap_or(otherwise) {
        0 => Err(Failure::usage("--repeat 0 measures nothing").help("give 1 or more; intervals need 2")),
        repeats => Ok(repeats),
    }
}

fn axes(matches: &ArgMatches) -> Result<Vec<Axis>, Failure> {
    matches.get_many::<String>("vary").into_iter().flatten().map(|text| Axis::parse(text)).collect()
}

/// The limits that were given, or the one on the share of late batches.
fn limits(matches: &ArgMatches, late_limit: f64) -> Result<Vec<Limit>, Failure> {
    let refused = |error: LimitError| Failure::usage(format!("--limit: {error}"));
    match matches.get_one::<String>("limit") {
        Some(text) => Limit::parse_all(text).map_err(refused),
        None => Ok(vec![Limit::late(late_limit)]),
    }
}

/// A share such as `1%` between two bounds.
fn share(matches: &ArgMatches, name: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, Failure> {
    let text = string(matches, name);
    let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = percent.map(|percent| percent / 100.0).filter(|share| range.contains(share));
    let (least, most) = (range.start() * 100.0, range.end() * 100.0);
    share.ok_or_else(|| Failure::usage(format!("--{name}: `{text}` is no share from {least}% to {most}%")))
}
