//! `downbeat gate`: arms are built, sizes found, counts taken; then blocks until the rule has decided.

use super::arm::{self, Asked};
use super::chosen::Chosen;
use super::counts::{Counter, Valgrind};
use super::order::{self, BlockPlace};
use super::plan::{block_ns, describe, first_look_ns, require_time};
use super::process::{Processes, Task};
use super::sizes::{self, Refusal, Sized};
use super::work::Work;
use super::{history, profiles, self_test, workloads};
use crate::failure::Failure;
use crate::machine;
use crate::plan::Mode;
use crate::progress::Progress;
use crate::request::GateRequest;
use crate::run::{Outcome, command_line, result_directory, run_name};
use crate::signals::Signals;
use crate::subject::embedded::Program;
use downbeat_reports::exit::Exit;
use downbeat_reports::format::Options;
use downbeat_reports::gate::format::{FORMATS, html};
use downbeat_reports::gate::judgement::{Judgement, Kind};
use downbeat_reports::gate::record::{Arm, ArmRun, Block, GateRecord, Pass, Profiles, SCHEMA, Unmeasured, Workload};
use downbeat_reports::gate::rule::{self, Next};
use downbeat_reports::quantity::duration;
use downbeat_workloads::catalog::Job;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The record of a complete gate. Until then it is a draft among what it works with.
pub(crate) const RECORD: &str = "gate.json";

/// The page, in the result directory.
const PAGE: &str = "report.html";

/// Facts about the machine that change by themselves.
const CHANGING: [&str; 1] = ["load_1_min"];

/// Compares two builds.
///
/// # Errors
/// Before anything is measured: what is wrong with the request (exit 2), what does not build (exit 7), what cannot be compared or not in
/// that time (exit 125).
pub(crate) fn run(request: &GateRequest, arguments: &[OsString], jobs: &[&dyn Job]) -> Result<Outcome, Failure> {
    let base = Asked::find("--base", &request.base)?;
    let head = Asked::find("--head", &request.head)?;
    let settings = Chosen::of(request)?;
    if request.dry_run {
        return Ok(Outcome::shown(describe(request, &base, &head, &settings)));
    }
    let planned_ns = sizes::planned_process_ns(settings.batches);
    require_time(request, first_look_ns(planned_ns, request.workloads.len()))?;
    let signals = Signals::catch()?;
    let mut progress = Progress::new(request.quiet, settings.all.engine.interval_ns);
    let began = Instant::now();
    let cache = request.cache.clone().map_or_else(arm::default_cache, Ok)?;
    let mut say = |message: &str| {
        if !progress.is_quiet() {
            progress.say(message);
        }
    };
    let mut built = |asked: &Asked, text: &str| {
        // Ctrl-C ends cargo too, and the build is not to blame.
        let interrupted =
            |failure| signals.exit().map_or(failure, |exit| Failure::new(exit, "interrupted while building"));
        asked.build(text, &cache, &mut say).map_err(interrupted)
    };
    let sides = (built(&base, &request.base)?, built(&head, &request.head)?);
    let build_ns = began.elapsed().as_nanos() as u64;
    let shared = workloads::shared(&request.workloads, &sides.0, &sides.1, jobs)?;
    let run = run_name();
    let directory = result_directory(request.out.as_deref(), &run)?;
    machine::raise_priority();
    let seed_is_given = request.resolved.is_given("seed");
    let record = GateRecord {
        schema: SCHEMA,
        run,
        command: command_line::reproducing(arguments.iter().cloned(), settings.seed(), seed_is_given),
        seed: settings.seed(),
        base: sides.0.build.clone(),
        head: sides.1.build.clone(),
        unmeasured: shared.unmeasured,
        environment: steady(machine::fingerprint()),
        build_ns,
        ..GateRecord::default()
    };
    let work = Work::open(directory, &sides)?;
    for remark in record.remarks() {
        progress.say(remark);
    }
    let processes = Processes::new(&work.path, settings.cores(), signals, progress);
    let mut gate = Gate { request, settings, work, processes, record, sized: BTreeMap::new(), begun: Instant::now() };
    let stop = gate.measure(&shared.workloads);
    gate.finish(stop)
}

/// Why a gate ends before the rule has decided.
enum Stop {
    /// A signal.
    Signal(Exit),
    /// The budget.
    Budget(String),
    /// It cannot go on.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure.exit() {
            exit @ (Exit::Interrupted | Exit::Terminated) => Stop::Signal(exit),
            _ => Stop::Failure(failure),
        }
    }
}

/// A gate that runs.
struct Gate<'r> {
    request: &'r GateRequest,
    settings: Chosen,
    work: Work,
    processes: Processes,
    record: GateRecord,
    sized: BTreeMap<String, Sized>,
    begun: Instant,
}

impl Gate<'_> {
    fn measure(&mut self, workloads: &[String]) -> Result<(), Stop> {
        self.size(workloads)?;
        self.count()?;
        self.require_first_look()?;
        let mut rounds = 0;
        loop {
            if self.request.self_test && self_test::is_seen(&rule::judge(&self.record)) {
                return Ok(());
            }
            let (workloads, pass) = match rule::next(&self.record) {
                Next::Done(judgement) => return self.profile(&profiles::wanted(&judgement)),
                Next::FirstBlocks { workloads, .. } => (workloads, Pass::First),
                Next::Confirmation { workloads, .. } => (workloads, Pass::Confirmation),
            };
            for workload in order::round(self.record.seed, rounds, &workloads) {
                self.block(&workload, pass)?;
            }
            rounds += 1;
            self.work.save_draft(json(&self.record)?.as_bytes())?;
        }
    }

    /// Where both builds spend their time. The verdict stands already: what keeps a profile from being taken changes nothing.
    fn profile(&mut self, slower: &[String]) -> Result<(), Stop> {
        let (base, head) = (self.work.program(Arm::Base), self.work.program(Arm::Head));
        let workloads: Vec<Workload> =
            self.record.workloads.iter().filter(|workload| slower.contains(&workload.name)).cloned().collect();
        for workload in workloads {
            let profiles = match self.require_budget(profiles::BOTH_NS) {
                Ok(()) => profiles::take(&mut self.processes, (&base, &head), &workload, &self.settings.sent)?,
                Err(_) => {
                    let none = || crate::profile::unavailable("the budget leaves no time for it");
                    Profiles { workload: workload.name.clone(), base: none(), head: none() }
                }
            };
            self.record.profiles.push(profiles);
        }
        Ok(())
    }

    /// Finds the sizes of each workload; then it is known how long a first look takes.
    fn size(&mut self, workloads: &[String]) -> Result<(), Stop> {
        let (base, head) = (self.work.program(Arm::Base), self.work.program(Arm::Head));
        for name in workloads {
            self.processes.say(&format!("{name}: finding sizes with the base"));
            let found =
                sizes::find(&mut self.processes, (&base, &head), name, &self.settings.sent, self.settings.batches);
            match found {
                Ok(sized) => {
                    self.record.workloads.push(Workload {
                        name: name.clone(),
                        settings: self.settings.all.values(),
                        batch_records: sized.blocks.batch_records,
                        batches: sized.blocks.batches,
                        large_records: sized.blocks.large_records,
                        large_batches: sized.blocks.large_batches,
                    });
                    self.sized.insert(name.clone(), sized);
                }
                Err(Refusal::Gate(failure)) => return Err(failure.into()),
                Err(Refusal::Workload(why)) => {
                    self.record.unmeasured.push(Unmeasured { workload: name.clone(), why });
                }
            }
        }
        Ok(())
    }

    /// There is time for a first look, or what was counted is red without one.
    fn require_first_look(&mut self) -> Result<(), Stop> {
        let needed_ns = self.sized.values().map(|sized| first_look_ns(sized.process_ns, 1)).sum::<u64>();
        self.processes.say(&format!("a first look takes about {}", duration(needed_ns)));
        let is_red = rule::judge(&self.record).because.first().is_some_and(|reason| reason.kind == Kind::AllocatesMore);
        match require_time(self.request, self.elapsed_ns() + needed_ns) {
            Err(failure) if is_red => Err(Stop::Budget(failure.message)),
            other => other.map_err(Stop::Failure),
        }
    }

    fn count(&mut self) -> Result<(), Stop> {
        let (base, head) = (self.work.program(Arm::Base), self.work.program(Arm::Head));
        let valgrind = match Valgrind::find(&self.work.path) {
            Ok(valgrind) => Some(valgrind),
            Err(why) => {
                self.record.uncounted.push(why);
                None
            }
        };
        let names: Vec<String> = self.sized.keys().cloned().collect();
        for name in names {
            self.processes.say(&format!("{name}: counting"));
            let (processes, settings) = (&mut self.processes, &self.settings.sent);
            let mut counter = Counter { processes, valgrind: valgrind.as_ref(), settings };
            let counts = counter.count(&name, &base, &head)?;
            self.record.counts.push(counts);
        }
        Ok(())
    }

    /// One fresh process of each arm, in turns.
    fn block(&mut self, name: &str, pass: Pass) -> Result<(), Stop> {
        let Some(sized) = self.sized.get(name).cloned() else {
            return Err(Stop::Failure(Failure::internal(format!("{name} has no sizes, but blocks are asked for"))));
        };
        let of_this = |block: &&Block| block.workload == name && block.pass == pass;
        let index = self.record.blocks.iter().filter(of_this).count() as u64;
        let place = BlockPlace { seed: self.record.seed, workload: name, pass, index };
        let order = place.order();
        let block_ns = block_ns(sized.process_ns);
        self.require_budget(block_ns)?;
        let mut settings = self.settings.sent.clone();
        settings.insert("seed".to_owned(), place.line_seed().to_string());
        let mode = Mode::Blocks(sized.blocks);
        // Each waits for the others.
        let task = Task { workload: name, settings, mode, limit_ns: sizes::limit_ns(block_ns) };
        let mut block = Block { workload: name.to_owned(), pass, index, order: order.clone(), ..Block::default() };
        let program = |(at, arm): (usize, &Arm)| {
            let padding = ("PADDING_OF_THE_GATE".to_owned(), place.padding(at));
            Program { variables: vec![padding], ..self.work.program(*arm) }
        };
        let programs: Vec<Program> = order.iter().enumerate().map(program).collect();
        for (arm, run) in order.into_iter().zip(self.processes.measure(&programs, &task)?) {
            match arm {
                Arm::Base => block.base = run,
                Arm::Head => block.head = run,
                Arm::Null => block.null = Some(run),
            }
        }
        self.processes.say(&told(&block));
        self.record.blocks.push(block);
        Ok(())
    }

    fn elapsed_ns(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    fn require_budget(&self, needed_ns: u64) -> Result<(), Stop> {
        match self.request.budget_ns {
            Some(budget_ns) if self.elapsed_ns() + needed_ns > budget_ns => {
                let blocks = self.record.blocks.len();
                Err(Stop::Budget(format!("the budget of {} was spent after {blocks} blocks", duration(budget_ns))))
            }
            _ => Ok(()),
        }
    }

    /// The record gets its name now that it is complete, or was ended on purpose.
    fn finish(mut self, stop: Result<(), Stop>) -> Result<Outcome, Failure> {
        let exit = match stop {
            Ok(()) => None,
            Err(Stop::Failure(failure)) => {
                self.work.leave_nothing();
                return Err(failure);
            }
            Err(Stop::Signal(exit)) => {
                self.record.cut_short = Some("it was interrupted".to_owned());
                Some(exit)
            }
            Err(Stop::Budget(why)) => {
                self.record.cut_short = Some(why);
                None
            }
        };
        self.record.elapsed_ns = self.elapsed_ns();
        self.record.moved = moved(&self.record.environment, &steady(machine::fingerprint()));
        let stored = json(&self.record)?;
        self.work.directory.write(RECORD, stored.as_bytes())?;
        self.work.clear();
        // What is said is what the file says: a number that was written and read again may differ in its last digit.
        self.record = serde_json::from_str(&stored)
            .map_err(|error| Failure::internal(format!("cannot read the result again: {error}")))?;
        let judgement = rule::judge(&self.record);
        if self.request.self_test {
            let (text, seen) = self_test::render(&self.record, &judgement);
            return Ok(Outcome { text: text.into_bytes(), message: None, exit: exit.unwrap_or(seen) });
        }
        let page = self.request.report.clone().unwrap_or_else(|| self.work.directory.file(PAGE));
        let drawn = self.write_page(&page, &judgement);
        let report = drawn.is_ok().then(|| page.display().to_string());
        let kept = history::append(&self.request.history, &self.record, judgement.verdict.exit());
        let summarised = self.add_job_summary(&judgement);
        let is_forgiven = self.request.forgive_host && judgement.is_the_hosts_fault();
        let exit = exit.unwrap_or(if is_forgiven { Exit::Ok } else { judgement.verdict.exit() });
        let options = Options { colour: self.request.colour, report, exit: Some(exit) };
        let forgiven = "nothing but this host kept it from judging: exit code 0, by --forgive-host";
        let problems: Vec<String> = [drawn, kept, summarised]
            .into_iter()
            .filter_map(Result::err)
            .map(|failure| format!("warning: {failure}"))
            .chain(is_forgiven.then(|| forgiven.to_owned()))
            .collect();
        Ok(Outcome {
            text: (self.request.format.render)(&self.record, &judgement, &options).into_bytes(),
            exit,
            message: Some(problems.join("\n")).filter(|message| !message.is_empty()),
        })
    }

    /// A page that cannot be written changes no verdict.
    fn write_page(&self, page: &Path, judgement: &Judgement) -> Result<(), Failure> {
        let written = std::fs::write(page, html::render(&self.record, judgement));
        written.map_err(|error| Failure::environment(format!("cannot write the report {}: {error}", page.display())))
    }

    /// GitHub shows what a step adds to the file of this variable as its summary.
    fn add_job_summary(&self, judgement: &Judgement) -> Result<(), Failure> {
        let file = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty());
        let markdown = FORMATS.iter().find(|format| format.name == "markdown");
        let (Some(file), Some(markdown), "github") = (file, markdown, self.request.format.name) else { return Ok(()) };
        let text = (markdown.render)(&self.record, judgement, &Options::default());
        let opened = OpenOptions::new().create(true).append(true).open(&file);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        let path = PathBuf::from(file);
        written.map_err(|error| Failure::environment(format!("cannot add the summary to {}: {error}", path.display())))
    }
}

/// The facts that must be the same before and after.
fn steady(mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
    environment.retain(|name, _| !CHANGING.contains(&name.as_str()));
    environment
}

/// What of the environment is different now.
fn moved(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let shown = |value: Option<&String>| value.map_or("unknown", String::as_str).to_owned();
    names
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| format!("{name} was {} and is {}", shown(before.get(name)), shown(after.get(name))))
        .collect()
}

fn json(record: &impl serde::Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(record);
    json.map(|json| json + "\n").map_err(|error| Failure::internal(format!("cannot write the result: {error}")))
}

/// A line of progress for a block.
fn told(block: &Block) -> String {
    let pass = if block.pass == Pass::Confirmation { "confirmation " } else { "" };
    let arm = |name: &str, run: &ArmRun| match (&run.failure, run.median_ns) {
        (Some(failure), _) => format!("{name} failed: {failure}"),
        (None, Some(ns)) => format!("{name} {}", duration(ns as u64)),
        (None, None) => format!("{name} told nothing"),
    };
    let (base, head) = (arm("base", &block.base), arm("head", &block.head));
    format!("{pass}block {:>2}  {:<14} {base}  {head}", block.index + 1, block.workload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(facts: &[(&str, &str)]) -> BTreeMap<String, String> {
        facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_machine_that_moved_is_noticed_and_its_load_is_not() {
        let before = facts(&[("cpu", "a"), ("cores", "2"), ("load_1_min", "0.1")]);
        let after = facts(&[("cpu", "b"), ("load_1_min", "0.7"), ("governor", "x")]);
        assert_eq!(
            moved(&steady(before.clone()), &steady(after)),
            ["cores was 2 and is unknown", "cpu was a and is b", "governor was unknown and is x"]
        );
        assert!(moved(&before, &before).is_empty());
    }
}
