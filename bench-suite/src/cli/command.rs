//! The command line as clap sees it: one flag for every knob, the rest by hand.

use crate::settings::{KnobInfo, knobs};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, value_parser};
use downbeat_reports::exit::Exit;
use downbeat_reports::format::FORMATS;
use downbeat_reports::gate::format::FORMATS as GATE_FORMATS;
use std::path::PathBuf;

/// Knobs that `run --help` shows; `list knobs` shows all.
const SHOWN: &[&str] = &["rate", "interval", "batches", "threads", "codec", "allocator", "seed", "max_time"];

const ABOUT: &str = "Will every batch be done before the next one is due? Runs micro-batch stream jobs under\ncontrolled load and says so.";

/// Heading of the flags that say what comes out.
const OUTPUT: &str = "Output";

const EXAMPLES: &str = "Examples:
  downbeat run word-count                          100k/s, 200 ms batches, 100 of them judged
  downbeat tune hashtags --max-time 5m             which settings to change, and what that gains
  downbeat report results/20261123-0931-a1f3 --format html > report.html";

/// The whole command.
pub(super) fn command() -> Command {
    visible().subcommand(trial())
}

/// What of it is for people.
pub(crate) fn visible() -> Command {
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
        .subcommand(doctor())
        .subcommand(completions())
        .mut_subcommands(with_help)
}

/// Help among the other flags of output, where there are such: a heading for it alone would take three of forty lines.
fn with_help(command: Command) -> Command {
    let is_output = |argument: &Arg| argument.get_help_heading() == Some(OUTPUT);
    let help = Arg::new("help").long("help").short('h').action(ArgAction::Help).help("Print help");
    let help = match command.get_arguments().any(is_output) {
        true => help.help_heading(OUTPUT),
        false => help,
    };
    command.disable_help_flag(true).arg(help)
}

/// What goes below the flags: notes, and examples that a test reads as commands.
fn notes(notes: &str, examples: &[&str]) -> String {
    let title = if examples.len() == 1 { "Example" } else { "Examples" };
    let examples: Vec<String> = examples.iter().map(|example| format!("  {example}")).collect();
    let gap = if notes.is_empty() { "" } else { "\n\n" };
    format!("{notes}{gap}{title}:\n{}", examples.join("\n"))
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
    let more = format!(
        "{hidden} more settings are flags too; each is a key of --config and a variable DOWNBEAT_NAME: list knobs"
    );
    let examples = [
        "downbeat run word-count --rate 2M/s --interval 50ms --batches 50",
        "downbeat run hashtags --source tcp://127.0.0.1:9999 --format json | jq .verdict",
    ];
    Command::new("run")
        .about("Measure one setting: verdict on stdout, report in the result directory")
        .after_help(notes(&more, &examples))
        .arg(workload())
        .args(settings())
        .next_help_heading("Load and answer")
        .arg(
            text("source", "tcp://HOST:PORT", "Lines from TCP servers, not from the generator")
                .action(ArgAction::Append),
        )
        .arg(
            path("input", "FILE", "Replay the lines of this file; with --loop again and again")
                .conflicts_with("source"),
        )
        .arg(switch("loop", "Replay it again and again").requires("input").hide(true))
        .arg(path("answer", "FILE", "Write the job's final answer"))
        .next_help_heading(OUTPUT)
        .arg(path("out", "DIR", "Result directory [default: results/<run>]"))
        .arg(format())
        .arg(switch("no-profile", "Leave the flamegraphs out; --no-replay only that of the replay"))
        .arg(switch("no-replay", "Leave the one of an unpaced replay out").hide(true))
        .arg(switch("must-hold", "FALLS BEHIND exits with 6"))
        .arg(switch("dry-run", "Show the plan, measure nothing, write nothing"))
        .arg(colour())
        .arg(switch("quiet", "No progress on stderr").short('q'))
}

fn max() -> Command {
    Command::new("max")
        .about("Find the highest rate that holds, with its interval")
        .after_help(notes(
            "Each trial is a fresh process, judged like a run; --batches is the length of a decisive one,\n\
             --rate a first guess, --max-time the budget. Limits: late<1%, p99<1s, p99.9<2*interval, utilisation<80%.",
            &["downbeat max word-count --limit 'p99<150ms' --max-time 2m"],
        ))
        .arg(workload())
        .args(settings())
        .next_help_heading("Search")
        .arg(text("limit", "LIMITS", "What a trial must keep [late<1%]"))
        .arg(text("resolution", "SHARE", "Distance of the rates that are tried").default_value("1%"))
        .arg(text("width", "SHARE", "Stop when the 95 % interval is this narrow").default_value("5%"))
        .arg(text("repeat", "N", "Searches in turns").default_value("1").value_parser(value_parser!(u64)))
        .args(replayed_input())
        .next_help_heading(OUTPUT)
        .args(search_output())
}

fn sweep() -> Command {
    Command::new("sweep")
        .about("Measure many settings: ranking, effects and interactions, with intervals")
        .after_help(notes(
            "Saved after each trial: the same command, or downbeat resume, goes on where it was. A trial drains a\n\
             backlog unpaced (capacity); with --measure p99 it runs at the asked rate instead.",
            &["downbeat sweep word-count --vary codec='*' --vary threads=1,2 --repeat 5"],
        ))
        .arg(workload().help("Names of jobs, separated by commas: downbeat list workloads"))
        .args(settings())
        .next_help_heading("Grid")
        .arg(vary().required(true))
        .arg(switch("one-at-a-time", "Each change alone, not every combination"))
        .arg(text("repeat", "N", "Rounds").default_value("3").value_parser(value_parser!(u64)))
        .arg(
            text("measure", "WHAT", "capacity or p99")
                .default_value("capacity")
                .value_parser(PossibleValuesParser::new(["capacity", "p99"]))
                .hide_possible_values(true),
        )
        .args(replayed_input())
        .next_help_heading(OUTPUT)
        .args(search_output())
}

fn tune() -> Command {
    Command::new("tune")
        .about("Find, confirm and recommend the settings that serve a goal best")
        .after_help(notes(
            "Goals: 'max rate, late<1%', 'min p99 at 100k/s', 'min threads that hold 50k/s'; limits follow commas.\n\
             The settings given are today's; --max-time is the budget of it all [5m]; the result is best.toml.",
            &["downbeat tune hashtags --goal 'min p99 at 20k/s' --vary interval=50ms,100ms,200ms"],
        ))
        .arg(workload())
        .args(settings())
        .next_help_heading("Search")
        .arg(text("goal", "GOAL", "What it is for").default_value("max rate"))
        .arg(vary().help("A knob and its values; * for all of a choice [knobs that can matter]"))
        .args(replayed_input())
        .next_help_heading(OUTPUT)
        .args(search_output())
}

fn gate() -> Command {
    let named = |name, help| text(name, "REV|BINARY|DIR", help);
    let formats = GATE_FORMATS.iter().map(|format| format.name);
    let names = format!("{} [human]", formats.clone().collect::<Vec<_>>().join(", "));
    Command::new("gate")
        .about("Compare two builds, each with its own binary: is the head slower than the base?")
        .after_help(notes(
            "A path is a binary, or a checkout that is built in place; anything else a revision of this\n\
             repository, built once in a worktree of its own. Exit codes: 0 pass, 1 regressed,\n\
             4 nothing checked, 5 wrong answers, 125 cannot judge.",
            &[
                "downbeat gate --base main",
                "downbeat gate --base v1.2 --head ./downbeat-new --workloads ads --budget 10m",
            ],
        ))
        .arg(named("base", "What is compared with").required_unless_present("self-test"))
        .arg(named("head", "What is judged [.]").default_value(".").hide_default_value(true))
        .arg(text("workloads", "NAMES", "Names of jobs, separated by commas").default_value("word-count,ads,sessions"))
        .arg(text("budget", "TIME", "End after this time, builds excluded, for example 10m"))
        .arg(switch("self-test", "This program against itself: what change can this host see?").conflicts_with("base"))
        .arg(switch("forgive-host", "Exit code 0 where nothing but this host kept it from judging"))
        .args(settings().into_iter().map(|flag| {
            let is_shown = ["set", "config", "seed", "batches", "threads"].contains(&flag.get_id().as_str());
            flag.hide(!is_shown)
        }))
        .next_help_heading(OUTPUT)
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
        .after_help(notes(
            "Each commit is compared with the good one; one that does not build or cannot be judged is skipped.\n\
             Your working tree is left alone. Flags of the gate go behind --.",
            &["downbeat bisect --good v1.2 --bad main -- --workloads ads"],
        ))
        .arg(revision("good", "Fast enough"))
        .arg(revision("bad", "Later, and slower"))
        .arg(Arg::new("flags").value_name("FLAGS").num_args(0..).last(true).help("Flags of each gate"))
}

fn history() -> Command {
    Command::new("history")
        .about("Show what gates found so far, each kind of host by itself")
        .after_help(notes("", &["downbeat history --history nightly.jsonl"]))
        .arg(path("history", "FILE", "The file with the lines [results/history.jsonl]"))
}

fn vary() -> Arg {
    text("vary", "NAME=V1,V2,…", "A knob and its values; * for all of a choice").action(ArgAction::Append)
}

fn resume() -> Command {
    Command::new("resume")
        .about("Go on with a sweep that was stopped")
        .after_help(notes("", &["downbeat resume results/20261123-0931-a1f3"]))
        .arg(
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
        path("input", "FILE", "Lines of this file instead of generated ones, with --loop again and again")
            .requires("loop"),
        switch("loop", "Replay it again and again").requires("input").hide(true),
    ]
}

fn search_output() -> Vec<Arg> {
    vec![
        path("out", "DIR", "Result directory [default: results/<run>]"),
        human_or_json(),
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
    let help = "The schedule begins when the first reader connects, and nothing stops it but Ctrl-C. Processes with\n\
                --shard 1/2, --shard 2/2 and ports of their own send together what one would: give all of them\n\
                to one run, --source tcp://A --source tcp://B.";
    Command::new("load")
        .about("Send a load over TCP, as plain lines, to whoever connects: summary on stdout")
        .after_help(notes(
            help,
            &["downbeat load word-count --rate 200k/s --arrivals 'bursty(5,100ms,2s)' --duration 60s"],
        ))
        .arg(
            Arg::new("workload")
                .value_name("WORKLOAD")
                .required(true)
                .help("Whose text to send: downbeat list workloads"),
        )
        .arg(
            text("listen", "HOST:PORT", "Where readers connect; port 0: a free one, named on stderr [127.0.0.1:9999]")
                .default_value("127.0.0.1:9999")
                .hide_default_value(true),
        )
        .arg(text("shard", "K/N", "Send only every N-th record, from the K-th on"))
        .arg(text("count", "RECORDS", "End the whole load after so many records"))
        .next_help_heading("Settings")
        .args(flags.map(|knob| knob_flag(knob).hide(["session_timeout", "records"].contains(&knob.name))))
        .arg(text("set", "NAME=VALUE", "Set any knob of the load: downbeat list knobs").action(ArgAction::Append))
        .arg(path("config", "FILE", "Settings in TOML, `name = \"value\"` a line"))
        .arg(path("input", "FILE", "Replay the lines of this file; with --loop again and again"))
        .arg(switch("loop", "Replay it again and again").requires("input").hide(true))
        .next_help_heading(OUTPUT)
        .arg(human_or_json())
        .arg(switch("quiet", "Only errors on stderr").short('q'))
}

/// A default without its explanation.
fn short(default: &str) -> &str {
    default.split([':', ';']).next().unwrap_or_default()
}

fn list() -> Command {
    Command::new("list")
        .about("List workloads, knobs, stored runs or exit codes")
        .after_help(notes("", &["downbeat list knobs --format json | jq '.[] | select(.group == \"load\")'"]))
        .arg(Arg::new("what").value_name("WHAT").required(true).value_parser(PossibleValuesParser::new([
            "workloads",
            "knobs",
            "runs",
            "exit-codes",
        ])))
        .arg(path("out", "DIR", "Where runs are stored").default_value("results"))
        .arg(human_or_json())
}

fn report() -> Command {
    Command::new("report")
        .about("Render a stored run, search or gate again, in any format, without measuring")
        .after_help(notes("", &["downbeat report results/20261123-0931-a1f3 --format markdown > comment.md"]))
        .arg(
            Arg::new("run")
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("A result directory, or the result, max, sweep, tune or gate.json inside one"),
        )
        .arg(format())
        .arg(switch("must-hold", "FALLS BEHIND exits with 6"))
        .arg(colour())
}

fn compare() -> Command {
    Command::new("compare")
        .about("Show stored runs beside one another: what differs, and each figure with its change")
        .after_help(notes(
            "Changes are against the first run, with 95 % intervals from the batches inside the runs.\nNo pass, no fail.",
            &["downbeat compare results/ONE results/OTHER --format html > compared.html"],
        ))
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
        .after_help(notes("", &["downbeat explain results/20261123-0931-a1f3 --batch 88"]))
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
        .arg(human_or_json())
}

fn init() -> Command {
    Command::new("init")
        .about("Write a small cargo project with a job of your own")
        .after_help(notes("", &["downbeat init my-job && cd my-job && cargo run --release -- run line-lengths"]))
        .arg(
            Arg::new("directory")
                .value_name("DIR")
                .default_value(".")
                .value_parser(value_parser!(PathBuf))
                .help("Where it goes: a directory that is empty or not there yet"),
        )
        .arg(path("downbeat-path", "DIR", "Source tree of downbeat [default: the one this program was built from]"))
}

fn doctor() -> Command {
    Command::new("doctor")
        .about("Look at this host for a second: what of it makes figures worse, and what to do")
        .after_help(notes(
            "A warning is no error: the command ends with 0 whatever it finds.",
            &["downbeat doctor", "downbeat doctor --format json | jq '.checks[] | select(.state == \"warn\")'"],
        ))
        .arg(human_or_json())
}

fn completions() -> Command {
    Command::new("completions")
        .about("Write a script by which a shell completes commands, flags, workloads and values")
        .after_help(notes(
            "",
            &[
                "downbeat completions bash > ~/.local/share/bash-completion/completions/downbeat",
                "downbeat completions zsh > ~/.zfunc/_downbeat         # with fpath+=~/.zfunc before compinit",
                "downbeat completions fish > ~/.config/fish/completions/downbeat.fish",
            ],
        ))
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(PossibleValuesParser::new(["bash", "zsh", "fish"])),
        )
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

fn human_or_json() -> Arg {
    let argument = text("format", "FORMAT", "human or json [human]").default_value("human");
    let argument = argument.value_parser(PossibleValuesParser::new(["human", "json"]));
    argument.hide_possible_values(true).hide_default_value(true)
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
        let mut root = visible();
        root.build();
        let all = std::iter::once(root.clone()).chain(root.get_subcommands().cloned());
        for mut shown in all {
            let (name, help) = (shown.get_name().to_owned(), shown.render_help().to_string());
            assert!(help.lines().count() <= 40, "{name}: {} lines:\n{help}", help.lines().count());
            let widest = help.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(100), "{name}: {widest:?} columns:\n{help}");
        }
    }

    #[test]
    fn every_command_shows_examples_of_itself_that_can_be_typed() {
        for shown in visible().get_subcommands() {
            let help = shown.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  downbeat ")).collect();
            assert!(!examples.is_empty(), "{} has no example", shown.get_name());
            for example in examples {
                assert!(example.starts_with(shown.get_name()), "{example}");
                // What a shell takes for itself, and a pair of quotes around a word.
                let typed = example.split(['|', '>', '#', '&']).next().unwrap_or_default();
                let words = quoted(typed);
                let parsed =
                    command().try_get_matches_from(std::iter::once("downbeat").chain(words.iter().map(String::as_str)));
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }

    /// Words of a line, `'` around spaces and more.
    fn quoted(line: &str) -> Vec<String> {
        let (mut words, mut is_quoted) = (vec![String::new()], false);
        for character in line.trim().chars() {
            match character {
                '\'' => is_quoted = !is_quoted,
                ' ' if !is_quoted => words.push(String::new()),
                _ => words.last_mut().unwrap().push(character),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }
}
