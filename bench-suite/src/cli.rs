//! The command line: what was typed becomes a request that can be carried out, or an error that says what was meant.

mod command;
mod file;
mod gate;
mod search;

pub(crate) use command::visible as visible_command;

use crate::failure::Failure;
use crate::request::{
    CompareRequest, DoctorRequest, ExplainRequest, InitRequest, ListRequest, Listed, LoadRequest, Output,
    ReportRequest, Request, RunRequest,
};
use crate::settings::{Given, Resolved, VARIABLE_PREFIX, knobs, resolve};
use crate::shard::Shard;
use crate::source::Source;
use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap_complete::Shell;
use downbeat_engine::settings::suggest;
use downbeat_reports::format;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Reads the command line, together with the environment's `DOWNBEAT_*` variables and the file of `--config`.
///
/// # Errors
/// Unknown names, missing units, values out of range: exit 2, with what was meant. An unreadable file: exit 7.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &BTreeMap<String, String>,
) -> Result<Request, Failure> {
    let matches = match command::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return shown_or_refused(&error),
    };
    match matches.subcommand() {
        Some(("run", matches)) => run(matches, environment).map(|request| Request::Run(Box::new(request))),
        Some(("max", matches)) => search::max(matches, environment).map(|request| Request::Max(Box::new(request))),
        Some(("sweep", matches)) => {
            search::sweep(matches, environment).map(|request| Request::Sweep(Box::new(request)))
        }
        Some(("tune", matches)) => search::tune(matches, environment).map(|request| Request::Tune(Box::new(request))),
        Some(("resume", matches)) => Ok(Request::Resume(needed(matches, "directory"))),
        Some(("gate", matches)) => gate::gate(matches, environment).map(|request| Request::Gate(Box::new(request))),
        Some(("bisect", matches)) => Ok(Request::Bisect(gate::bisect(matches))),
        Some(("history", matches)) => Ok(Request::History(gate::history(matches))),
        Some(("load", matches)) => load(matches, environment).map(|request| Request::Load(Box::new(request))),
        Some(("list", matches)) => Ok(Request::List(list(matches))),
        Some(("report", matches)) => Ok(Request::Report(report(matches))),
        Some(("compare", matches)) => Ok(Request::Compare(CompareRequest {
            runs: matches.get_many::<PathBuf>("runs").into_iter().flatten().cloned().collect(),
            format: string(matches, "format"),
        })),
        Some(("explain", matches)) => Ok(Request::Explain(ExplainRequest {
            run: needed(matches, "run"),
            batch: matches.get_one::<u64>("batch").copied(),
            json: string(matches, "format") == "json",
        })),
        Some(("init", matches)) => Ok(Request::Init(InitRequest {
            directory: needed(matches, "directory"),
            downbeat_path: path(matches, "downbeat-path"),
        })),
        Some(("doctor", matches)) => Ok(Request::Doctor(DoctorRequest { json: string(matches, "format") == "json" })),
        Some(("completions", matches)) => Ok(Request::Completions(shell(matches))),
        Some(("trial", matches)) => {
            Ok(Request::Trial { spec: needed(matches, "spec"), record: needed(matches, "record") })
        }
        _ => Err(Failure::usage("no command was given").help("downbeat --help")),
    }
}

/// Our variables of the process's environment.
pub fn environment() -> BTreeMap<String, String> {
    let ours =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    ours.filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect()
}

fn run(matches: &ArgMatches, environment: &BTreeMap<String, String>) -> Result<RunRequest, Failure> {
    Ok(RunRequest {
        workload: string(matches, "workload"),
        resolved: resolved(matches, environment)?,
        source: source(matches)?,
        answer: path(matches, "answer"),
        out: path(matches, "out"),
        output: output(matches),
        profile: !matches.get_flag("no-profile"),
        replay: !matches.get_flag("no-replay"),
        dry_run: matches.get_flag("dry-run"),
        quiet: matches.get_flag("quiet"),
    })
}

fn load(matches: &ArgMatches, environment: &BTreeMap<String, String>) -> Result<LoadRequest, Failure> {
    let refused = |flag: &str, problem: String| Failure::usage(format!("--{flag}: {problem}"));
    let records = matches.get_one::<String>("count").map(|text| match text.replace('_', "").parse() {
        Ok(records) if records > 0 => Ok(records),
        _ => Err(refused("count", format!("`{text}` is not a whole number of records, 1 or more"))),
    });
    let shard =
        matches.get_one::<String>("shard").map(|text| text.parse().map_err(|problem| refused("shard", problem)));
    Ok(LoadRequest {
        workload: string(matches, "workload"),
        resolved: resolved(matches, environment)?,
        source: match path(matches, "input") {
            Some(path) => Source::File { path, again: matches.get_flag("loop") },
            None => Source::Generator,
        },
        listen: string(matches, "listen"),
        shard: shard.transpose()?.unwrap_or(Shard::WHOLE),
        records: records.transpose()?,
        json: string(matches, "format") == "json",
        quiet: matches.get_flag("quiet"),
    })
}

fn resolved(matches: &ArgMatches, environment: &BTreeMap<String, String>) -> Result<Resolved, Failure> {
    let file = match path(matches, "config") {
        Some(path) => file::read(&path)?,
        None => Vec::new(),
    };
    resolve(&file, environment, &flags(matches)?)
}

fn flags(matches: &ArgMatches) -> Result<Vec<Given>, Failure> {
    let mut flags = Vec::new();
    for knob in knobs() {
        // Not every command has a flag for every knob.
        if let Ok(Some(text)) = matches.try_get_one::<String>(knob.name) {
            flags.push(Given { name: knob.name.into(), text: text.clone(), place: format!("--{}", knob.flag()) });
        }
    }
    for pair in matches.get_many::<String>("set").into_iter().flatten() {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(
                Failure::usage(format!("--set {pair}: there is no `=`")).help("write for example --set codec=rkyv")
            );
        };
        let name = name.trim();
        flags.push(Given { name: name.into(), text: text.trim().into(), place: format!("--set {name}") });
    }
    Ok(flags)
}

fn source(matches: &ArgMatches) -> Result<Source, Failure> {
    if let Some(path) = path(matches, "input") {
        return Ok(Source::File { path, again: matches.get_flag("loop") });
    }
    // Searches have no such flag.
    let urls = matches.try_get_many::<String>("source").ok().flatten();
    let Some(urls) = urls else { return Ok(Source::Generator) };
    let addresses: Vec<String> = urls.map(|url| address(url)).collect::<Result<_, _>>()?;
    match addresses.iter().enumerate().find(|(index, address)| addresses[..*index].contains(address)) {
        Some((_, twice)) => Err(Failure::usage(format!("--source: tcp://{twice} is given twice"))
            .help("give each sender once; a sender has one reader at a time")),
        None => Ok(Source::Tcp { addresses }),
    }
}

fn address(url: &str) -> Result<String, Failure> {
    let address = url.strip_prefix("tcp://").unwrap_or_default();
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(port)) if port > 0 => Ok(address.to_owned()),
        _ => Err(Failure::usage(format!("--source: `{url}` is no tcp://HOST:PORT"))
            .help("write for example --source tcp://localhost:9999")),
    }
}

fn list(matches: &ArgMatches) -> ListRequest {
    let what = match string(matches, "what").as_str() {
        "workloads" => Listed::Workloads,
        "knobs" => Listed::Knobs,
        "exit-codes" => Listed::ExitCodes,
        _ => Listed::Runs,
    };
    ListRequest { what, root: needed(matches, "out"), json: string(matches, "format") == "json" }
}

fn report(matches: &ArgMatches) -> ReportRequest {
    ReportRequest { run: needed(matches, "run"), output: output(matches) }
}

/// clap takes no others than three of those that it can write for.
fn shell(matches: &ArgMatches) -> Shell {
    string(matches, "shell").parse().unwrap_or(Shell::Bash)
}

fn output(matches: &ArgMatches) -> Output {
    let name = string(matches, "format");
    // clap takes no other name than those of the table.
    let format = format::find(&name).unwrap_or(&format::FORMATS[0]);
    Output { format, must_hold: matches.get_flag("must-hold"), colour: colour(matches) }
}

/// Whether stdout is coloured.
fn colour(matches: &ArgMatches) -> bool {
    match string(matches, "color").as_str() {
        "always" => true,
        "never" => false,
        _ => colour_is_welcome(std::io::stdout().is_terminal()),
    }
}

/// `NO_COLOR` says no, `CLICOLOR_FORCE` yes even where nobody reads on a terminal, `TERM=dumb` no.
fn colour_is_welcome(is_terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    let is_forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    is_forced || (is_terminal && set("TERM").is_none_or(|terminal| terminal != "dumb"))
}

fn string(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

fn path(matches: &ArgMatches, name: &str) -> Option<PathBuf> {
    matches.get_one::<PathBuf>(name).cloned()
}

fn needed(matches: &ArgMatches, name: &str) -> PathBuf {
    path(matches, name).unwrap_or_default()
}

/// Help and version are answers; everything else is an error in our words.
fn shown_or_refused(error: &clap::Error) -> Result<Request, Failure> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let root = command::command();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Request::Show(error.render().to_string())),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err(Failure::usage("no command was given").help("downbeat run word-count, or downbeat --help"))
        }
        ErrorKind::InvalidSubcommand => {
            let typed = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let verbs = root.get_subcommands().filter(|verb| !verb.is_hide_set()).map(clap::Command::get_name);
            Err(Failure::usage(format!("unknown command `{typed}`{}", meant(&typed, verbs, "")))
                .help("downbeat --help"))
        }
        ErrorKind::UnknownArgument => {
            let typed = text(ContextKind::InvalidArg).unwrap_or_default();
            let asked = asked_of(error, &root);
            let verbs = root.get_subcommands().filter(|verb| asked.is_none_or(|asked| asked == verb.get_name()));
            let flags: Vec<&str> =
                verbs.flat_map(clap::Command::get_arguments).filter_map(clap::Arg::get_long).collect();
            let suggestion = meant(typed.trim_start_matches('-'), flags, "--");
            let asked = asked.unwrap_or("run");
            Err(Failure::usage(format!("unknown flag `{typed}`{suggestion}"))
                .help(format!("downbeat {asked} --help, or downbeat list knobs")))
        }
        _ => Err(Failure::usage(plain(&error.render().to_string()))),
    }
}

/// The command whose flags were parsed, by the usage line of the error.
fn asked_of<'r>(error: &clap::Error, root: &'r clap::Command) -> Option<&'r str> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    let mut words = usage.split_whitespace();
    words.find_map(|word| root.get_subcommands().map(clap::Command::get_name).find(|name| *name == word))
}

fn meant<'c>(typed: &str, known: impl IntoIterator<Item = &'c str>, prefix: &str) -> String {
    suggest(typed, known).map(|word| format!("; did you mean `{prefix}{word}`?")).unwrap_or_default()
}

/// clap's text without the word that `main` puts in front, and without its usage lines.
fn plain(rendered: &str) -> String {
    let text = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    lines.join("\n")
}
