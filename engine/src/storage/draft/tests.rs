//! Drafts: a directory appears whole or not at all, whatever fails.

use super::*;
use crate::storage::{SimulatedDisk, Trouble};

const PLACE: &str = "/a/out";
const PARTS: [&str; 2] = ["part-0", "part-1"];

fn save(disk: &SimulatedDisk, text: &str) -> io::Result<()> {
    let draft = Draft::begin(disk, PLACE.into())?;
    PARTS.iter().try_for_each(|name| draft.write(name, |out| out.write_all(text.as_bytes())))?;
    draft.commit()
}

/// The text that all parts of the directory have; `None` when it is not there. Panics over half of one.
fn found(disk: &SimulatedDisk) -> Option<String> {
    let tree = disk.tree();
    tree.get(Path::new("a/out"))?;
    let text = |name: &str| tree.get(&Path::new("a/out").join(name)).cloned().flatten();
    assert_eq!(text(SUCCESS), Some(vec![]), "no marker: {tree:?}");
    let [first, second] = PARTS.map(|name| text(name).unwrap_or_else(|| panic!("{name} is missing: {tree:?}")));
    assert_eq!(first, second, "parts of two runs");
    Some(String::from_utf8(first).expect("text"))
}

fn operations_of_a_replacement() -> u64 {
    let disk = SimulatedDisk::new(0);
    save(&disk, "old").expect("no trouble");
    let before = disk.operations();
    save(&disk, "new").expect("no trouble");
    disk.operations() - before
}

/// Every pair of a failing operation and a power cut in the run after it, or the other way round.
fn in_every_pair_of_troubles(first: Trouble, second: Trouble, mut check: impl FnMut(&SimulatedDisk)) {
    // A run after trouble has more to clear away.
    let operations = operations_of_a_replacement() + 10;
    for (one, two) in (0..operations).flat_map(|one| (0..operations).map(move |two| (one, two))) {
        for seed in 0..6 {
            let disk = SimulatedDisk::new(seed);
            save(&disk, "old").expect("no trouble");
            for (trouble, at) in [(first, one), (second, two)] {
                disk.trouble_at(disk.operations() + at, trouble);
                // Whether it failed is not the question, but what is there then.
                let _ = save(&disk, "new");
                if trouble == Trouble::PowerCut {
                    disk.restart();
                }
                assert!(matches!(found(&disk).as_deref(), None | Some("old" | "new")), "{one}, {two}, seed {seed}");
            }
            disk.trouble_at(u64::MAX, Trouble::PowerCut);
            check(&disk);
        }
    }
}

#[test]
fn a_power_cut_in_the_run_after_a_failure_halves_nothing() {
    let failure = Trouble::Fails(io::ErrorKind::StorageFull);
    in_every_pair_of_troubles(failure, Trouble::PowerCut, |disk| {
        save(disk, "newer").expect("no trouble");
        assert_eq!(found(disk).as_deref(), Some("newer"));
        assert_eq!(disk.tree().len(), 5, "nothing hidden is left: {:?}", disk.tree());
    });
}

#[test]
fn what_was_there_is_brought_back_by_the_next_draft_even_if_that_fails() {
    let failure = Trouble::Fails(io::ErrorKind::StorageFull);
    in_every_pair_of_troubles(Trouble::PowerCut, failure, |disk| {
        drop(Draft::begin(disk, PLACE.into()).expect("no trouble"));
        assert!(found(disk).is_some(), "{:?}", disk.tree());
    });
}

#[test]
fn a_directory_has_a_name() {
    let refused = Draft::begin(&SimulatedDisk::new(0), "/a/..".into()).map(drop).expect_err("refused");
    assert!(refused.to_string().contains("names no directory"));
}
