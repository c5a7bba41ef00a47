//! The gate from the outside: what it compares, what it refuses, what is left when it is killed. Nothing here depends on how fast or how
//! quiet this machine is: what a gate finds is tested where its rule is.

use crate::command::{Ended, Place};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A gate whose processes take a fraction of a second.
const TINY: &str = "--workloads word-count --batches 10 --threads 1 --set ring=1MiB --seed 7 --cache cache";

fn real() -> String {
    let command = Place::new().command("");
    command.get_program().to_str().unwrap().to_owned()
}

/// A script that stands for a build: it lists what the real one lists, and does `trial` in place of a trial. `$real` is the command,
/// `$spec` and `$record` are the files of the trial.
fn fake(place: &Place, name: &str, trial: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\nreal={}\nif [ \"$1\" = list ]; then exec \"$real\" \"$@\"; fi\nspec=$3 record=$5\nfailure=${{record%.json}}.failure\n{trial}\n",
        real()
    );
    program(place, name, &script)
}

fn program(place: &Place, name: &str, script: &str) -> PathBuf {
    let path = place.write(name, script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn gate(place: &Place, base: &str, head: &str, flags: &str) -> Ended {
    place.run(&format!("gate --base {base} --head {head} {TINY} {flags}"))
}

fn stored(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A gate may find the host too noisy; then it says so.
fn is_a_judgement(code: i32) -> bool {
    matches!(code, 0 | 1 | 125)
}

#[test]
fn the_same_binary_twice_is_measured_in_full_and_called_an_a_a() {
    let place = Place::new();
    let real = real();
    let ended = gate(&place, &real, &real, "--out g --format json");
    assert!(is_a_judgement(ended.code), "{ended:?}");
    let record = stored(&place.path("g/gate.json"));
    assert_eq!(record["base"]["binary_hash"], record["head"]["binary_hash"]);
    let blocks = record["blocks"].as_array().unwrap();
    // A host where tests run beside it may be too disturbed for all 14.
    assert!(blocks.len() >= 4, "{} blocks", blocks.len());
    for block in blocks {
        let (base, head) = (&block["base"], &block["head"]);
        assert!(base["failure"].is_null() && head["failure"].is_null(), "{block}");
        assert_eq!(base["answer_hash"], head["answer_hash"], "the same lines, the same answers: {block}");
        assert!(base["median_ns"].as_f64().unwrap() > 0.0 && head["capacity_per_s"].as_f64().unwrap() > 0.0);
        let order = block["order"].as_array().unwrap();
        assert!(order.len() == 3 && !block["null"].is_null(), "a copy of the base in every block: {block}");
        assert!(base["noise"]["wall_ns"].as_u64().unwrap() > 0 && base["noise"]["canary_ns"].as_u64().unwrap() > 0);
    }
    let hash = |index: usize| blocks[index]["base"]["answer_hash"].clone();
    assert_ne!(hash(0), hash(1), "each block has lines of its own");
    let counts = &record["counts"][0];
    assert_eq!(counts["allocations"]["base"], counts["allocations"]["head"], "{counts}");
    assert!(counts["allocations"]["base"].as_u64().is_some_and(|count| count > 0), "{counts}");
    assert!(!place.path("g/.gate").exists(), "drafts are gone");
    let history = place.run("history");
    assert!(history.code == 0 && history.stdout.contains("word-count median: 1 gate,"), "{history:?}");
    let again = gate(&place, &real, &real, "--out g");
    assert_eq!(again.code, 2, "results are never overwritten: {again:?}");
}

#[test]
fn a_plan_is_shown_and_an_a_a_is_called_one() {
    let place = Place::new();
    let real = real();
    let ended = gate(&place, &real, &real, "--dry-run");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    assert!(ended.stdout.contains("A/A") && ended.stdout.contains("looks after 14, 20, 32 blocks"), "{ended:?}");
    assert!(place.is_empty(), "a plan writes nothing");
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_built_or_measured() {
    let place = Place::new();
    let real = real();
    let refused = |arguments: &str, code: i32, why: &str| {
        let ended = place.run(arguments);
        assert_eq!(ended.code, code, "{arguments}: {ended:?}");
        assert!(ended.stderr.contains(why), "{arguments}: {ended:?}");
        assert!(place.is_empty(), "{arguments} wrote something");
    };
    refused(&format!("gate --base {real} --head {real} {TINY} --budget 1s"), 125, "too small for a first look");
    refused(&format!("gate --base {real} --head {real} {TINY} --budget 1s --max-time 2s"), 2, "both say how long");
    refused(&format!("gate --base {real} --head {real} --budget soon"), 2, "--budget");
    refused(&format!("gate --base no-such-thing --head {real}"), 2, "no file and no revision");
    refused(&format!("gate --base {real} --head /etc/passwd"), 2, "cannot be started");
    refused(&format!("gate --base {real} --head /etc"), 2, "no Cargo.toml");
    refused(&format!("gate --base {real} --head {real} --workloads word-cuont"), 2, "did you mean `word-count`?");
    refused(&format!("gate --base {real} --head {real} --workloads ,"), 2, "names none");
    refused("gate", 2, "--base");
    refused(&format!("gate --base {real} --self-test"), 2, "--self-test");
}

#[test]
fn a_workload_that_one_build_lacks_is_named_and_never_passed_over() {
    let place = Place::new();
    let script = "#!/bin/sh\n[ \"$1\" = list ] && echo '[{\"name\":\"other\"}]'\n";
    let head = program(&place, "head", script);
    let ended = gate(&place, &real(), head.to_str().unwrap(), "--out g");
    assert_eq!(ended.code, 4, "nothing was checked: {ended:?}");
    let record = stored(&place.path("g/gate.json"));
    assert_eq!(record["unmeasured"][0]["workload"], "word-count");
    assert_eq!(record["unmeasured"][0]["why"], "the head does not have it");
}

#[test]
fn builds_that_cannot_be_compared_are_not_judged() {
    let place = Place::new();
    let message = r#"{"code":125,"message":"the plan speaks protocol 2, this build speaks 1","help":null}"#;
    let older = fake(&place, "older", &format!("echo '{message}' > \"$failure\"; exit 125"));
    let ended = gate(&place, &real(), older.to_str().unwrap(), "--out g");
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("this build speaks 1"), "{ended:?}");
    assert!(!place.path("g").exists(), "a gate that measured nothing leaves nothing");
    for (name, script) in
        [("mute", "#!/bin/sh\nexit 0\n"), ("broken", "#!/bin/sh\nexit 3\n"), ("odd", "#!/no/such/shell\n")]
    {
        let program = program(&place, name, script);
        let ended = gate(&place, &real(), program.to_str().unwrap(), "--out g");
        assert_eq!(ended.code, 125, "{name}: {ended:?}");
        assert!(ended.stderr.contains("does not list its workloads"), "{name}: {ended:?}");
    }
}

/// A gate of a head that goes wrong: it must not pass, and the record must say why.
fn goes_wrong(trial: &str, why: &str) {
    let place = Place::new();
    let head = fake(&place, "head", trial);
    let ended = gate(&place, &real(), head.to_str().unwrap(), "--out g");
    assert_eq!(ended.code, 5, "{ended:?}");
    let record = stored(&place.path("g/gate.json"));
    let failure = record["blocks"][0]["head"]["failure"].as_str().unwrap_or_default();
    assert!(failure.contains(why), "{record}");
    assert!(record["blocks"][0]["base"]["failure"].is_null(), "{record}");
}

#[test]
fn a_head_that_crashes_never_passes() {
    goes_wrong("kill -9 $$", "was killed by signal 9");
}

#[test]
fn a_head_that_leaves_no_numbers_never_passes() {
    let with_nan = "\"$real\" \"$@\"; sed -i 's/\"processing_ns\":\\[[0-9]*/\"processing_ns\":[NaN/' \"$record\"";
    goes_wrong(with_nan, "cannot be read");
}

#[test]
fn a_head_that_does_less_never_passes() {
    let fewer = "\"$real\" \"$@\"; sed -i 's/\"processing_ns\":\\[[0-9]*,/\"processing_ns\":[/' \"$record\"";
    goes_wrong(fewer, "it ran 9 batches");
}

#[test]
fn a_head_that_answers_otherwise_never_passes() {
    let place = Place::new();
    let other = "\"$real\" \"$@\"; sed -i 's/\"answer_hash\":\"[0-9a-f]*/\"answer_hash\":\"00/' \"$record\"";
    let head = fake(&place, "head", other);
    let ended = gate(&place, &real(), head.to_str().unwrap(), "--out g");
    assert_eq!(ended.code, 5, "{ended:?}");
}

#[test]
fn a_head_that_hangs_is_killed_and_never_passes() {
    // Only its first process hangs, and the next one dies: a hang takes its time to be called one.
    goes_wrong("if [ -e hung ]; then kill -9 $$; fi; : > hung; exec sleep 1000", "was killed by signal 9");
}

#[test]
fn a_gate_that_is_killed_leaves_nothing_that_looks_like_a_result() {
    let place = Place::new();
    let real = real();
    let arguments = format!("gate --base {real} --head {real} {TINY} --out g");
    let mut child = place.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !place.path("g/.gate/draft.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(300), "no block was measured");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("g/gate.json").exists());
    let report = place.run("report g");
    assert!(report.code != 0 && report.stdout.is_empty(), "{report:?}");
    assert!(!place.path("results").exists(), "its history has no line");
    let again = place.run(&arguments);
    assert_eq!(again.code, 2, "a later gate does not go on in it: {again:?}");
}

#[test]
fn ctrl_c_saves_a_gate_that_was_cut_short() {
    let place = Place::new();
    let real = real();
    let arguments = format!("gate --base {real} --head {real} {TINY} --out g");
    let child = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !place.path("g/.gate/draft.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(300), "no block was measured");
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 130, "{ended:?}");
    assert!(ended.stdout.contains("exit     130 (interrupted)"), "{ended:?}");
    let record = stored(&place.path("g/gate.json"));
    assert_eq!(record["cut_short"], "it was interrupted");
}

fn git(place: &Place, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(place.path(".")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A repository with a package that builds to a program which lists no workload, and whose newest commit does not build.
fn repository(place: &Place) {
    let git = |arguments: &[&str]| git(place, arguments);
    std::fs::create_dir(place.path("src")).unwrap();
    place.write("Cargo.toml", "[package]\nname = \"mine\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n");
    place.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"mine\"\nversion = \"0.0.0\"\n");
    place.write("src/main.rs", "fn main() { println!(\"[]\"); }\n");
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "Cargo.toml", "Cargo.lock", "src"]);
    git(&["commit", "--quiet", "--message=builds"]);
    git(&["tag", "builds"]);
    place.write("src/main.rs", "fn main() { no_such_function() }\n");
    git(&["commit", "--quiet", "--all", "--message=does not build"]);
}

#[test]
fn revisions_are_built_once_and_one_that_does_not_build_says_why() {
    let place = Place::new();
    repository(&place);
    let ended = gate(&place, "builds", "HEAD", "--out g");
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.stderr.contains("HEAD does not build") && ended.stderr.contains("no_such_function"), "{ended:?}");
    assert!(!place.path("g").exists());

    place.write("src/main.rs", "fn main() { something_else() }\n");
    let ended = gate(&place, "builds", "builds", "--out g");
    assert_eq!(ended.code, 4, "neither has the workload: {ended:?}");
    assert_eq!(ended.stderr.matches("is built already").count(), 2, "{ended:?}");
    let record = stored(&place.path("g/gate.json"));
    assert_eq!(record["unmeasured"][0]["why"], "neither build has it");
    assert_eq!(record["base"]["commit"], record["head"]["commit"]);

    place.write("src/main.rs", "fn main() { println!(\"[]\"); println!() }\n");
    let ended = gate(&place, "builds", ".", "--out d");
    assert_eq!(ended.code, 4, "{ended:?}");
    let record = stored(&place.path("d/gate.json"));
    assert!(record["head"]["commit"].as_str().unwrap().ends_with("-dirty"), "{record}");
    let remark = record["head"]["remarks"][0].as_str().unwrap();
    assert!(remark.contains("changes that are in none") && ended.stdout.contains("is not its commit"), "{ended:?}");
    let ended = gate(&place, "builds", "HEAD", "--out e");
    assert_eq!(ended.code, 7, "{ended:?}");
}

#[test]
fn commits_that_cannot_be_judged_are_skipped_by_a_bisection() {
    let place = Place::new();
    repository(&place);
    let bisect = |arguments: &str| {
        let mut command = place.command(&format!("bisect {arguments}"));
        Ended::of(command.env("XDG_CACHE_HOME", place.path("home")).output().unwrap())
    };
    // There is nothing in between, so git needs no gate to name it.
    let ended = bisect("--good builds --bad HEAD");
    assert!(ended.code == 0 && ended.stdout.contains("is the first bad commit"), "{ended:?}");
    place.write("src/main.rs", "fn main() { no_such_function(1) }\n");
    git(&place, &["commit", "--quiet", "--all", "--message=does not build either"]);
    let ended = bisect("--good builds --bad HEAD -- --quiet");
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stdout.contains("only 'skip'ped commits left"), "{ended:?}");
    assert!(ended.stderr.contains("does not build"), "the gate's words are told: {ended:?}");
    let worktrees = Command::new("git").args(["worktree", "list"]).current_dir(place.path(".")).output().unwrap();
    assert_eq!(worktrees.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "{worktrees:?}");
    assert_eq!(bisect("--good no-such --bad HEAD").code, 2);
}
