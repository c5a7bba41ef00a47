//! The command line as clap sees it: one flag for every knob, the rest by hand.

use crate::settings::{KnobInfo, knobs};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, value_parser};
use downbeat_reports::exit::Exit;
use downbeat_reports::format::FORMATS;
use downbeat_reports::gate::format::FORMATS as GATE_FORMATS;
use std::path::PathBuf;

/// Knobs that `run --help` shows; `list knobs` shows all.
const SHOWN: &[&str] = &["rate", "interval", "batches", "warmup", "threads", "codec", "allocator", "seed", "max_time"];

const ABOUT: &str = "Will every batch be done before the next one is due? Runs micro-batch stream jobs under\ncontrolled load and says so.";

const EXAMPLES: &str = "Examples:
  downbeat run word-count                          100k/s, 200 ms batches, 100 of them judged
  downbeat tune hashtags --max-time 5m             which settings to change, and what that gains
  downbeat report results/20261123-0931-a1f3 --format html > report.html";

/// The whole command.
pub(super) fn command() -> Command {
    Command::new("downbeat")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(format!("{EXAMPLES}\n\n{}", exit_codes()))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand(run())
        .subcommand(max())
        .subcommand(sweep())
        .subcommand(tune())
        .subcommand(resume())
        .subcommand(gate())
        .subcommand(bisect())
        .subcommand(history())
        .subcommand(load())
        .subcommand(list())
        .subcommand(report())
        .subcommand(compare())
        .subcommand(explain())
        .subcommand(init())
        .subcommand(trial())
}

/// Codes and names only: sixteen commands leave no room for a line each.
fn exit_codes() -> String {
    let codes: Vec<String> = Exit::ALL.iter().map(|exit| format!("{} {}", exit.code(), exit.name())).collect();
    let (first, second) = codes.split_at(codes.len() / 2 + 1);
    format!("Exit codes (downbeat list exit-codes):\n  {},\n  {}", first.join(", "), second.join(", "))
}

fn run() -> Command {
    let knobs = knobs();
    let hidden = knobs.len() - knobs.iter().filter(|knob| SHOWN.contains(&knob.name)).count();
    let help = format!(
        "{hidden} more settings are flags too; each is also --set NAME=VALUE, a key of --config FILE and an\n\
         environment variable DOWNBEAT_NAME: downbeat list knobs"
    );
    Command::new("run")
        .about("Measure one setting: verdict on stdout, report in the result directory")
        .after_help(help)
        .arg(workload())
        .args(settings())
        .next_help_heading("Load and answer")
        .arg(
            text("source", "tcp://HOST:PORT", "Lines from TCP servers, not from the generator")
                .action(ArgAction::Append),
        )
        .arg(
            path("input", "FILE", "Replay the lines of this file at the asked rate, once through")
                .conflicts_with("source"),
        )
        .arg(switch("loop", "Replay it again and again").requires("input"))
        .arg(path("answer", "FILE", "Write the job's final answer"))
        .next_help_heading("Output")
        .arg(path("out", "DIR", "Result directory [default: results/<run>]"))
        .arg(format())
        .arg(switch("no-profile", "Leave the flamegraph out"))
        .arg(switch("must-hold", "FALLS BEHIND exits with 6"))
        .arg(switch("dry-run", "Show the plan, measure nothing, write nothing"))
        .arg(colour())
        .arg(switch("quiet", "No progress on stderr").short('q'))
}

fn max() -> Command {
    Command::new("max")
        .about("Find the highest rate that holds, with its interval")
        .after_help(
            "Each trial is a fresh process that is judged like a run; batches is the length of a decisive one, rate a first guess,\n\
             max_time the budget of the whole search. Limits: late<1%, p99<1s, p99.9<2*interval, utilisation<80%.",
        )
        .arg(workload())
        .args(settings())
        .next_help_heading("Search")
        .arg(text("limit", "LIMITS", "What a trial must keep [late<1%]"))
        .arg(text("resolution", "SHARE", "Distance of the rates that are tried").default_value("1%"))
        .arg(text("width", "SHARE", "Stop when the 95 % interval is this narrow").default_value("5%"))
        .args(replayed_input())
        .next_help_heading("Output")
        .args(search_output())
}

fn sweep() -> Command {
    Command::new("sweep")
        .about("Measure many settings: ranking, effects and interactions, with intervals")
        .after_help(
            "Saved after each trial: the same command, or downbeat resume, goes on where it was. Without a rate that must be kept,\n\
             a trial drains a backlog unpaced (capacity); --measure p99 runs each cell at the asked rate instead.",
        )
        .arg(workload().help("Names of jobs, separated by commas: downbeat list workloads"))
        .args(settings())
        .next_help_heading("Grid")
        .arg(vary().required(true))
        .arg(switch("one-at-a-time", "Each change alone, not every combination"))
        .arg(text("repeat", "N", "Rounds").default_value("3").value_parser(value_parser!(u64)))
        .arg(
            text("measure", "WHAT", "capacity or p99")
                .default_value("capacity")
                .value_parser(PossibleValuesParser::new(["capacity", "p99"])),
        )
        .args(replayed_input())
        .next_help_heading("Output")
        .args(search_output())
}

fn tune() -> Command {
    Command::new("tune")
        .about("Find, confirm and recommend the settings that serve a goal best")
        .after_help(
            "Goals: 'max rate, late<1%', 'min p99 at 100k/s', 'min threads that hold 50k/s'; limits follow behind commas.\n\
             The settings given here are today's. max_time is the budget of the whole tuning [5m]; best.toml is the result.",
        )
        .arg(workload())
        .args(settings())
        .next_help_heading("Search")
        .arg(text("goal", "GOAL", "What it is for").default_value("max rate"))
        .arg(vary().help("A knob and its values; * for all of a choice [knobs that can matter]"))
        .args(replayed_input())
        .next_help_heading("Output")
        .args(search_output())
}

fn gate() -> Command {
    let named = |name, help| text(name, "REV|BINARY|DIR", help);
    let formats = GATE_FORMATS.iter().map(|format| format.name);
    let names = format!("{} [human]", formats.clone().collect::<Vec<_>>().join(", "));
    Command::new("gate")
        .about("Compare two builds, each with its own binary: is the head slower than the base?")
        .after_help(
            "A path is a binary or a checkout that is built in place, anything else a revision of this repository, built once in a\n\
             worktree of its own. Exit codes: 0 pass, 1 regressed, 4 nothing checked, 5 wrong answers, 125 cannot judge.",
        )
        .arg(named("base", "What is compared with").required_unless_present("self-test"))
        .arg(named("head", "What is judged [.]").default_value(".").hide_default_value(true))
        .arg(
            text("workloads", "NAMES", "Names of jobs, separated by commas")
                .default_value("word-count,ads,sessions"),
        )
        .arg(text("budget", "TIME", "End after this time, builds excluded, for example 10m"))
        .arg(switch("self-test", "This program against itself: the smallest change that this host can see").conflicts_with("base"))
        .args(settings().into_iter().map(|flag| {
            let is_shown = ["set", "config", "seed", "batches", "threads"].contains(&flag.get_id().as_str());
            flag.hide(!is_shown)
        }))
        .next_help_heading("Output")
        .arg(path("out", "DIR", "Result directory [default: results/<run>]"))
        .arg(path("report", "FILE", "Write the page there [report.html in the result directory]"))
        .arg(path("history", "FILE", "Add a line about this gate to it [results/history.jsonl]"))
        .arg(path("cache", "DIR", "Where builds of revisions are kept [in the user's cache]"))
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .help(names)
                .default_value("human")
                .value_parser(PossibleValuesParser::new(formats))
                .hide_possible_values(true)
                .hide_default_value(true),
        )
        .arg(colour())
        .arg(switch("dry-run", "Show the plan, measure nothing, write nothing"))
        .arg(switch("quiet", "No progress on stderr").short('q'))
}

fn bisect() -> Command {
    let revision = |name, help| text(name, "REV", help).required(true);
    Command::new("bisect")
        .about("Find the commit that made it slower: git bisect, judged by the gate")
        .after_help(
            "Each commit is compared with the good one; one that does not build or cannot be judged is skipped. Your working tree is\n\
             left alone. Flags of the gate go behind --: downbeat bisect --good v1 --bad main -- --workloads ads",
        )
        .arg(revision("good", "Fast enough"))
        .arg(revision("bad", "Later, and slower"))
        .arg(Arg::new("flags").value_name("FLAGS").num_args(0..).last(true).help("Flags of each gate"))
}

fn history() -> Command {
    Command::new("history").about("Show what gates found so far, each kind of host by itself").arg(path(
        "history",
        "FILE",
        "The file with the lines [results/history.jsonl]",
    ))
}

fn vary() -> Arg {
    text("vary", "NAME=V1,V2,…", "A knob and its values; * for all of a choice").action(ArgAction::Append)
}

fn resume() -> Command {
    Command::new("resume").about("Go on with a sweep that was stopped").arg(
        Arg::new("directory")
            .value_name("DIR")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help("The directory of the sweep"),
    )
}

fn workload() -> Arg {
    Arg::new("workload").value_name("WORKLOAD").required(true).help("Name of a job: downbeat list workloads")
}

/// One flag a knob, and the two that set any.
fn settings() -> Vec<Arg> {
    let mut settings: Vec<Arg> = knobs().iter().map(|knob| knob_flag(knob).help_heading("Settings")).collect();
    settings.push(text("set", "NAME=VALUE", "Set any knob").action(ArgAction::Append).help_heading("Settings"));
    settings.push(path("config", "FILE", "Settings in TOML, `name = \"value\"` a line").help_heading("Settings"));
    settings
}

/// A file instead of generated lines.
fn replayed_input() -> [Arg; 2] {
    [
        path("input", "FILE", "Lines of this file instead of generated ones").requires("loop"),
        switch("loop", "Replay it again and again").requires("input"),
    ]
}

fn search_output() -> Vec<Arg> {
    vec![
        path("out", "DIR", "Result directory [default: results/<run>]"),
        text("format", "FORMAT", "human or json")
            .default_value("human")
            .value_parser(PossibleValuesParser::new(["human", "json"])),
        switch("dry-run", "Show the plan, measure nothing, write nothing"),
        switch("quiet", "No progress on stderr").short('q'),
    ]
}

fn knob_flag(knob: &KnobInfo) -> Arg {
    Arg::new(knob.name)
        .long(knob.flag())
        .value_name("VALUE")
        .help(format!("{} [{}]", knob.range, short(knob.default)))
        .hide(!SHOWN.contains(&knob.name))
        // `--interval -5ms` is refused by the knob, with its reason.
        .allow_hyphen_values(true)
}

fn load() -> Command {
    let knobs = knobs();
    let flags = knobs.iter().filter(|knob| knob.group == "load" || knob.name == "duration");
    let help = "The schedule begins when the first reader connects, and nothing stops it. Several processes with\n\
                --shard 1/2, --shard 2/2 and ports of their own send together what one would: give all of\n\
                them to one run, --source tcp://A --source tcp://B. Ctrl-C ends it with the summary.";
    Command::new("load")
        .about("Send a load over TCP, as plain lines, to whoever connects: summary on stdout")
        .after_help(help)
        .arg(
            Arg::new("workload")
                .value_name("WORKLOAD")
                .required(true)
                .help("Whose text to send: downbeat list workloads"),
        )
        .arg(
            text("listen", "HOST:PORT", "Where readers connect; port 0 takes a free one, and stderr names it")
                .default_value("127.0.0.1:9999"),
        )
        .arg(text("shard", "K/N", "Send only every N-th record, from the K-th on"))
        .arg(text("count", "RECORDS", "End the whole load after so many records"))
        .next_help_heading("Settings")
        .args(flags.map(|knob| knob_flag(knob).hide(false)))
        .arg(text("set", "NAME=VALUE", "Set any knob of the load").action(ArgAction::Append))
        .arg(path("config", "FILE", "Settings in TOML, `name = \"value\"` a line"))
        .arg(path("input", "FILE", "Replay the lines of this file at the asked rate, once through"))
        .arg(switch("loop", "Replay it again and again").requires("input"))
        .next_help_heading("Output")
        .arg(
            text("format", "FORMAT", "human or json")
                .default_value("human")
                .value_parser(PossibleValuesParser::new(["human", "json"])),
        )
        .arg(switch("quiet", "Only errors on stderr").short('q'))
}

/// A default without its explanation.
fn short(default: &str) -> &str {
    default.split([':', ';']).next().unwrap_or_default()
}

fn list() -> Command {
    Command::new("list")
        .about("List workloads, knobs, stored runs or exit codes")
        .arg(Arg::new("what").value_name("WHAT").required(true).value_parser(PossibleValuesParser::new([
            "workloads",
            "knobs",
            "runs",
            "exit-codes",
        ])))
        .arg(path("out", "DIR", "Where runs are stored").default_value("results"))
        .arg(
            text("format", "FORMAT", "human or json")
                .default_value("human")
                .value_parser(PossibleValuesParser::new(["human", "json"])),
        )
}

fn report() -> Command {
    Command::new("report")
        .about("Render a stored run or search again, in any format, without measuring")
        .arg(
            Arg::new("run").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help(
                "A result directory, or the result.json, max.json, sweep.json, tune.json or gate.json inside one",
            ),
        )
        .arg(format())
        .arg(switch("must-hold", "FALLS BEHIND exits with 6"))
        .arg(colour())
}

fn compare() -> Command {
    Command::new("compare")
        .about("Show stored runs beside one another: what differs, and each figure with its change")
        .after_help("Changes are against the first run, with 95 % intervals from the batches inside the runs. No pass, no fail.")
        .arg(
            Arg::new("runs")
                .value_name("DIR")
                .required(true)
                .num_args(2..)
                .value_parser(value_parser!(PathBuf))
                .help("Result directories or their result.json, two or more"),
        )
        .arg(
            text("format", "FORMAT", "human, json, html or markdown")
                .default_value("human")
                .value_parser(PossibleValuesParser::new(["human", "json", "html", "markdown"])),
        )
}

fn explain() -> Command {
    Command::new("explain")
        .about("Say why a batch of a stored run was late, beside the median batch")
        .arg(
            Arg::new("run")
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("A result directory or its result.json"),
        )
        .arg(
            text("batch", "N", "Index of the batch [default: the one with the longest delay]")
                .value_parser(value_parser!(u64)),
        )
        .arg(
            text("format", "FORMAT", "human or json")
                .default_value("human")
                .value_parser(PossibleValuesParser::new(["human", "json"])),
        )
}

fn init() -> Command {
    Command::new("init")
        .about("Write a small cargo project with a job of your own")
        .arg(
            Arg::new("directory")
                .value_name("DIR")
                .default_value(".")
                .value_parser(value_parser!(PathBuf))
                .help("Where it goes: a directory that is empty or not there yet"),
        )
        .arg(path("downbeat-path", "DIR", "Source tree of downbeat [default: the one this program was built from]"))
}

/// How a parent starts the process of a trial; not for people.
fn trial() -> Command {
    Command::new("trial")
        .hide(true)
        .arg(path("spec", "FILE", "What to measure").required(true))
        .arg(path("record", "FILE", "Where the record goes").required(true))
}

fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    text(name, value, help).value_parser(value_parser!(PathBuf))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn format() -> Arg {
    let names = FORMATS.iter().map(|format| format.name);
    let help = format!("{} [human]", names.clone().collect::<Vec<_>>().join(", "));
    let argument = Arg::new("format").long("format").value_name("FORMAT").help(help).default_value("human");
    argument.value_parser(PossibleValuesParser::new(names)).hide_possible_values(true).hide_default_value(true)
}

fn colour() -> Arg {
    let words = PossibleValuesParser::new(["auto", "always", "never"]);
    let argument = text("color", "WHEN", "auto, always or never [auto]").default_value("auto").value_parser(words);
    argument.hide_possible_values(true).hide_default_value(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_consistent_and_no_knob_hides_another_flag() {
        command().debug_assert();
    }

    #[test]
    fn help_fits_on_a_screen() {
        for mut shown in [command(), run(), max(), sweep(), tune(), gate(), load()] {
            let help = shown.render_help().to_string();
            assert!(help.lines().count() <= 40, "{} lines:\n{help}", help.lines().count());
        }
    }
}
