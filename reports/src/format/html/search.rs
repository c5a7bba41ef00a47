//! The pages of searches: the rate that holds, the sweep, the tuning.

mod cells;
mod max;
mod sweep;
mod tune;

use super::downloads::{self, File};
use super::pairs::{environment as environment_table, pairs};
use super::text;
use crate::quantity::duration;
use crate::search::found::Found;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Title of the page and its sections.
pub(super) fn render(found: &Found) -> (String, Markup) {
    let (title, sections) = shown(found);
    (title, html! { (sections) (data(found)) })
}

fn data(found: &Found) -> Markup {
    let record = found.json();
    let mut files = vec![File {
        name: found.file(),
        kind: "application/json",
        about: "the whole record of the search",
        content: record,
    }];
    if let Found::Sweep(sweep) = found {
        let about = "one line a cell and round, units in the names of the columns";
        files.push(File { name: "cells.csv", kind: "text/csv", about, content: cells::csv(sweep) });
    }
    downloads::section("All that the search measured.", files)
}

fn shown(found: &Found) -> (String, Markup) {
    match found {
        Found::Max(record) => (format!("Highest rate of {}", record.workload), max::render(record)),
        Found::Sweep(record) => {
            let names: Vec<&str> = record.workloads.iter().map(|sweep| sweep.workload.as_str()).collect();
            (format!("Sweep of {}", names.join(", ")), sweep::render(record))
        }
        Found::Tune(record) => (format!("Tuning of {}", record.workload), tune::render(record)),
    }
}

/// The first screen: what was searched, the answer in a word and a sentence.
fn top(origin: &str, word: &str, sentence: &str, elapsed_ns: Option<u64>) -> Markup {
    html! {
        header id="verdict" {
            p.origin { (text(origin)) @if let Some(ns) = elapsed_ns.filter(|ns| *ns > 0) { " · took " (duration(ns)) } }
            h1.word { (word) }
            p.sentence { (text(&crate::quantity::unbroken(sentence))) }
        }
    }
}

/// Command, settings and environment.
fn method(command: &str, settings: &BTreeMap<String, String>, environment: &BTreeMap<String, String>) -> Markup {
    html! {
        section id="method" {
            h2 { "Method and environment" }
            @if !command.is_empty() {
                p.lead { "The command that repeats this search, seed included:" }
                pre { code { (text(command)) } }
            }
            div.pair {
                div { h3 { "Settings" } (pairs("Settings", settings)) }
                div { h3 { "Environment" } (environment_table(environment)) }
            }
        }
    }
}

/// A list of sentences under a heading; nothing when there are none.
fn sentences(heading: &str, all: &[String]) -> Markup {
    html! {
        @if !all.is_empty() {
            h3 { (heading) }
            ul { @for sentence in all { li { (text(sentence)) } } }
        }
    }
}
