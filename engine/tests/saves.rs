//! Saving of batches to directories: names, contents, and that no crash or failure leaves half of one.

use crate::bench::{Bench, INTERVAL};
use downbeat_engine::object_file::{ObjectFile, read_object_file};
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::storage::{SimulatedDisk, Trouble};
use downbeat_engine::{DStream, EngineError, Settings};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Files by their name in a directory.
type Files = BTreeMap<String, Vec<u8>>;

/// Settings whose blocks are one a batch, so that tests know the partitions.
fn settings(partitions: usize) -> Settings {
    Settings {
        partitions: Some(partitions),
        block_interval_ns: Some(INTERVAL.as_nanos() as u64),
        ..Settings::default()
    }
}

/// Runs one batch of these lines per element; returns the context's bench after the last.
fn run(mut bench: Bench, batches: &[&[&str]], job: impl FnOnce(&DStream<Text>)) -> Bench {
    let (feed, lines) = bench.context.queue_stream::<Text>();
    job(&lines);
    bench.context.start().expect("starts");
    for lines in batches {
        feed.push(lines.iter().map(|line| line.as_bytes())).expect("not stopped");
        bench.tick();
    }
    bench
}

fn failures(bench: &Bench) -> Vec<Option<String>> {
    bench.reports().iter().map(|report| report.failure.as_ref().map(ToString::to_string)).collect()
}

/// The directories at the top of a simulated disk, with their files.
fn directories(disk: &SimulatedDisk) -> BTreeMap<String, Files> {
    let mut directories: BTreeMap<String, Files> = BTreeMap::new();
    for (path, bytes) in disk.tree() {
        let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
        match bytes {
            None => drop(directories.entry(name(&path)).or_default()),
            Some(bytes) => {
                let directory = name(path.parent().expect("files are in directories"));
                directories.entry(directory).or_default().insert(name(&path), bytes);
            }
        }
    }
    directories
}

fn files(expected: &[(&str, &str)]) -> Files {
    expected.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

#[test]
fn text_files_are_named_as_spark_names_them_and_hold_what_print_shows() {
    let disk = SimulatedDisk::new(1);
    let batches: &[&[&str]] = &[&["to be", "or"], &[], &["not"]];
    let bench = run(Bench::on_disk(settings(1), disk.clone()), batches, |lines| {
        let pairs = lines.map_to_pair::<Text, u64>(|line| (line, line.len() as u64));
        pairs.save_as_text_files("pairs", "txt");
        pairs.repartition(2).count().save_as_text_files("", "");
    });
    assert_eq!(failures(&bench), [None, None, None]);
    let one = |text| files(&[("_SUCCESS", ""), ("part-00000", text)]);
    let expected = BTreeMap::from([
        ("pairs-1100.txt".to_owned(), one("(to be,5)\n(or,2)\n")),
        ("pairs-1200.txt".to_owned(), files(&[("_SUCCESS", "")])),
        ("pairs-1300.txt".to_owned(), one("(not,3)\n")),
        ("1100".to_owned(), one("2\n")),
        ("1200".to_owned(), one("0\n")),
        ("1300".to_owned(), one("1\n")),
    ]);
    assert_eq!(directories(&disk), expected);
}

#[test]
fn every_partition_is_a_part_also_an_empty_one() {
    let disk = SimulatedDisk::new(1);
    let bench = run(Bench::on_disk(settings(3), disk.clone()), &[&["only"]], |lines| {
        lines.count_by_value().save_as_text_files("counts", "");
    });
    assert_eq!(failures(&bench), [None]);
    let saved = directories(&disk).remove("counts-1100").expect("saved");
    assert_eq!(saved.keys().collect::<Vec<_>>(), ["_SUCCESS", "part-00000", "part-00001", "part-00002"]);
    assert_eq!(saved.into_values().flatten().collect::<Vec<_>>(), b"(only,1)\n");
}

#[test]
fn a_writer_of_ones_own_gets_the_partition_and_its_name() {
    let disk = SimulatedDisk::new(1);
    let bench = run(Bench::on_disk(settings(1), disk.clone()), &[&["a", "b"]], |lines| {
        lines.save_as_files("out", "csv", |records, out| {
            writeln!(out, "partition {} of {}", records.number(), records.time())?;
            records.try_for_each(|line| out.write_all(line).and_then(|()| out.write_all(b";")))
        });
    });
    assert_eq!(failures(&bench), [None]);
    let expected = files(&[("_SUCCESS", ""), ("part-00000", "partition 0 of 1100 ms\na;b;")]);
    assert_eq!(directories(&disk)["out-1100.csv"], expected);
}

#[test]
fn a_writer_that_fails_fails_the_batch_by_name_and_leaves_nothing() {
    let disk = SimulatedDisk::new(1);
    let bench = run(Bench::on_disk(settings(1), disk.clone()), &[&["a"], &["poison"], &["panic"], &["b"]], |lines| {
        lines.save_as_files("out", "", |records, out| {
            records.try_for_each(|line| match line {
                b"poison" => Err(std::io::Error::other("cannot digest")),
                b"panic" => panic!("no more"),
                line => out.write_all(line),
            })
        });
    });
    let failed = failures(&bench);
    assert!(failed[0].is_none() && failed[3].is_none(), "{failed:?}");
    for (failed, reason) in [(&failed[1], "cannot digest"), (&failed[2], "no more")] {
        let text = failed.as_ref().expect("failed");
        assert!(text.contains("save_as_files at") && text.contains("saves.rs") && text.contains(reason), "{text}");
    }
    assert_eq!(directories(&disk).keys().collect::<Vec<_>>(), ["out-1100", "out-1400"]);
}

#[test]
fn object_files_are_read_back_and_only_as_what_they_hold() {
    let directory = tempfile::tempdir().expect("a directory");
    let prefix = directory.path().join("deep/er/counts");
    let bench = run(Bench::new(settings(4)), &[&["a b a"], &["c"]], |lines| {
        let counts = lines.words().count_by_value();
        counts.save_as_object_files(prefix.to_str().expect("a plain path"), "objects");
    });
    assert_eq!(failures(&bench), [None, None]);
    let place = directory.path().join("deep/er/counts-1100.objects");
    assert_eq!(std::fs::read(place.join("_SUCCESS")).expect("the marker"), b"");
    let mut counts = Vec::new();
    for part in 0..4 {
        let file = read_object_file::<Pair<Text, u64>>(place.join(format!("part-{part:05}"))).expect("whole");
        file.for_each(|(word, count)| counts.push((word.to_vec(), count))).expect("decodes");
    }
    counts.sort();
    assert_eq!(counts, [(b"a".to_vec(), 2), (b"b".to_vec(), 1)]);
    let other = read_object_file::<Pair<Text, i64>>(place.join("part-00000")).map(|file| file.len());
    let Err(EngineError::File { path, problem }) = other else { panic!("not refused: {other:?}") };
    assert!(path.ends_with("part-00000") && problem.contains("Pair<Text, u64>, not of Pair<Text, i64>"), "{problem}");
    let left: Vec<_> = std::fs::read_dir(place.parent().expect("a parent")).expect("there").collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_directory_of_an_earlier_run_is_replaced_as_a_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let prefix = directory.path().join("out").to_str().expect("a plain path").to_owned();
    for (partitions, words) in [(3, "old"), (1, "new")] {
        let bench = run(Bench::new(settings(partitions)), &[&[words]], |lines| {
            lines.repartition(partitions).save_as_text_files(&prefix, "");
        });
        assert_eq!(failures(&bench), [None]);
    }
    let names = |path: &Path| {
        let entries = std::fs::read_dir(path).expect("there");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(directory.path()), ["out-1100"]);
    assert_eq!(names(&directory.path().join("out-1100")), ["_SUCCESS", "part-00000"]);
    assert_eq!(std::fs::read(directory.path().join("out-1100/part-00000")).expect("there"), b"new\n");
}

#[test]
fn what_a_crashed_run_left_is_removed_when_its_batch_is_saved_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let prefix = directory.path().join("out").to_str().expect("a plain path").to_owned();
    let unfinished = directory.path().join(".out-1100.unfinished");
    std::fs::create_dir_all(&unfinished).expect("made");
    std::fs::write(unfinished.join("part-00007"), "stale").expect("written");
    let bench = run(Bench::new(settings(1)), &[&["fresh"]], |lines| lines.save_as_text_files(&prefix, ""));
    assert_eq!(failures(&bench), [None]);
    assert!(!unfinished.exists());
    assert!(!directory.path().join("out-1100/part-00007").exists());
    assert_eq!(std::fs::read(directory.path().join("out-1100/part-00000")).expect("there"), b"fresh\n");
}

#[test]
fn a_place_that_cannot_be_written_is_a_named_failure_of_that_output_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("a plain path").to_owned();
    std::fs::write(path("file"), "mine").expect("written");
    std::fs::write(path("taken-1100"), "mine too").expect("written");
    for (prefix, place) in [(path("file/out"), "file"), (path("taken"), "taken-1100")] {
        let good = path("good");
        let bench = run(Bench::new(settings(1)), &[&["a"]], |lines| {
            lines.save_as_text_files(&prefix, "");
            lines.save_as_object_files(&good, "");
        });
        let failed = failures(&bench)[0].clone().expect("failed");
        assert!(failed.contains("save_as_text_files at") && failed.contains(place), "{failed}");
        assert!(directory.path().join("good-1100/_SUCCESS").exists(), "outputs are independent");
        let stopped = bench.context.stop(INTERVAL * 100).expect("stops");
        assert!(stopped.unfinished >= 1, "the batch is not marked as done");
        std::fs::remove_dir_all(path("good-1100")).expect("removed");
    }
    assert_eq!(std::fs::read(path("file")).expect("there"), b"mine");
    assert_eq!(std::fs::read(path("taken-1100")).expect("there"), b"mine too");
}

#[test]
fn two_outputs_that_would_replace_each_other_are_refused() {
    let error = crate::bench::refusal(|lines| {
        lines.save_as_text_files("out", "x");
        lines.save_as_text_files("out", "y");
        lines.save_as_object_files("out", "x");
    });
    assert!(
        error.to_string().contains("save_as_object_files at") && error.to_string().contains("out-TIME.x"),
        "{error}"
    );
    let error = crate::bench::refusal(|lines| lines.save_as_text_files("out", "a/b"));
    assert!(error.to_string().contains("slash"), "{error}");
}

/// The batches of `save_all`: two, and the empty one of the stop.
const BATCHES: [&str; 3] = ["out-1100", "out-1200", "out-1201"];

/// Two batches of two partitions, and the last one of a stop; what each part holds depends on the run and the batch. Returns why
/// each failed.
fn save_all(disk: &SimulatedDisk, word: &'static str) -> Vec<Option<String>> {
    let bench = Bench::on_disk(Settings { threads: 1, ..settings(2) }, disk.clone());
    let bench = run(bench, &[&["1", "2", "3"], &["4", "5"]], |lines| {
        let marked = lines.map_to_pair::<Text, Text>(move |line| (word.as_bytes(), line));
        marked.repartition(2).save_as_text_files("deep/out", "");
    });
    bench.context.stop(INTERVAL * 100).expect("stops");
    failures(&bench)
}

/// What `save_all` leaves when nothing goes wrong, and in how many operations.
fn whole(word: &'static str) -> (BTreeMap<String, Files>, u64) {
    let disk = SimulatedDisk::new(0);
    assert_eq!(save_all(&disk, word), [None, None, None]);
    (outputs(&disk), disk.operations())
}

/// The directories of batches, not the hidden ones.
fn outputs(disk: &SimulatedDisk) -> BTreeMap<String, Files> {
    directories(disk).into_iter().filter(|(name, _)| name.starts_with("out-")).collect()
}

#[test]
fn a_power_cut_at_any_operation_leaves_each_directory_absent_or_whole() {
    let (old, operations) = whole("old");
    for cut in 0..operations {
        for seed in 0..8 {
            let disk = SimulatedDisk::new(seed);
            disk.trouble_at(cut, Trouble::PowerCut);
            let done = save_all(&disk, "old");
            disk.restart();
            let left = outputs(&disk);
            for (name, files) in &left {
                assert_eq!(files, &old[name], "{name}, cut at {cut}, seed {seed}");
            }
            for (name, failure) in BATCHES.into_iter().zip(done) {
                let survived = left.contains_key(name);
                assert!(survived || failure.is_some(), "{name} was done and is gone, cut at {cut}, seed {seed}");
            }
            assert_eq!(save_all(&disk, "old"), [None, None, None]);
            assert_eq!(outputs(&disk), old);
            let all = directories(&disk);
            assert!(all.keys().all(|name| !name.starts_with('.')), "{:?}", all.keys());
        }
    }
}

proptest! {
    /// Runs over the directories of an earlier one, each with a power cut or an operation that fails.
    #[test]
    fn replaced_directories_are_old_or_new_or_absent(
        troubles in prop::collection::vec((0..150u64, prop_oneof![
            Just(Trouble::PowerCut),
            Just(Trouble::Fails(ErrorKind::StorageFull)),
            Just(Trouble::Fails(ErrorKind::PermissionDenied)),
        ]), 1..4),
        seed in any::<u64>(),
    ) {
        let ((old, _), (new, _)) = (whole("old"), whole("new"));
        let disk = SimulatedDisk::new(seed);
        prop_assert_eq!(save_all(&disk, "old"), [None, None, None]);
        for (at, trouble) in troubles {
            disk.trouble_at(disk.operations() + at, trouble);
            let done = save_all(&disk, "new");
            let before = outputs(&disk);
            for (name, failure) in BATCHES.into_iter().zip(done) {
                prop_assert!(failure.is_some() || before.get(name) == Some(&new[name]));
            }
            if trouble == Trouble::PowerCut {
                disk.restart();
            }
            for (name, files) in outputs(&disk) {
                prop_assert!(files == old[&name] || files == new[&name], "{} is neither old nor new: {:?}", name, files);
            }
        }
        disk.restart();
        prop_assert_eq!(save_all(&disk, "new"), [None, None, None]);
        prop_assert_eq!(outputs(&disk), new);
    }
}

#[test]
fn a_disk_that_fails_once_costs_one_batch_at_most() {
    for at in 0..whole("old").1 {
        let disk = SimulatedDisk::new(at);
        disk.trouble_at(at, Trouble::Fails(ErrorKind::StorageFull));
        let done = save_all(&disk, "old");
        assert!(done.iter().filter(|failure| failure.is_some()).count() <= 1, "{done:?}");
        for failure in done.iter().flatten() {
            assert!(failure.contains("save_as_text_files at") && failure.contains("no storage space"), "{failure}");
        }
        let all = directories(&disk);
        for (name, failure) in BATCHES.into_iter().zip(&done) {
            assert!(all.contains_key(name) || failure.is_some(), "{name} at {at}");
        }
        assert!(all.keys().all(|name| !name.starts_with('.')), "{at}: {:?}", all.keys());
    }
}

#[test]
fn object_files_of_a_simulated_disk_are_read_through_it() {
    let disk = SimulatedDisk::new(1);
    let bench = run(Bench::on_disk(settings(1), disk.clone()), &[&["a", "b"]], |lines| {
        lines.save_as_object_files("out", "");
    });
    assert_eq!(failures(&bench), [None]);
    let file = ObjectFile::<Text>::read(&disk, &PathBuf::from("/out-1100/part-00000")).expect("whole");
    let mut lines = Vec::new();
    file.for_each(|line| lines.push(line.to_vec())).expect("decodes");
    assert_eq!(lines, [b"a", b"b"]);
    assert!(ObjectFile::<Text>::read(&disk, Path::new("out-1100")).is_err());
}
