//! The table of the documentation: every operation, how many programs speak for it, and what differs on purpose.

use super::{Case, cases};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The rows by group: what programs say they show.
const ROWS: [(&str, &[&str]); 6] = [
    ("time", &["batches", "start", "slice"]),
    (
        "stateless",
        &[
            "map",
            "filter",
            "flat_map",
            "map_partitions",
            "glom",
            "repartition",
            "union",
            "count",
            "reduce",
            "count_by_value",
            "transform",
            "transform_with",
        ],
    ),
    (
        "keyed",
        &[
            "map_values",
            "flat_map_values",
            "group_by_key",
            "reduce_by_key",
            "combine_by_key",
            "cogroup",
            "join",
            "left_outer_join",
            "right_outer_join",
            "full_outer_join",
            "join_dataset",
        ],
    ),
    (
        "windows",
        &[
            "window",
            "reduce_by_window",
            "count_by_window",
            "count_by_value_and_window",
            "group_by_key_and_window",
            "reduce_by_key_and_window",
            "reduce_by_key_and_inverse_window",
        ],
    ),
    ("state", &["update_state_by_key", "map_with_state", "state_snapshots"]),
    ("outputs", &["for_each_batch", "print", "save_as_text_files"]),
];

#[test]
fn conformance_table_is_up_to_date() {
    let (path, table) = (path(), rendered(&cases()));
    if std::env::var_os("DOWNBEAT_BLESS").is_some() {
        std::fs::write(&path, &table).expect("the documentation can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == table, "{} is out of date; DOWNBEAT_BLESS=1 writes it anew", path.display());
}

#[test]
fn conformance_differences_are_explained() {
    let semantics = Path::new(env!("CARGO_MANIFEST_DIR")).join("SEMANTICS.md");
    let semantics = std::fs::read_to_string(semantics).expect("the documentation is in the repository");
    for differs in cases().into_iter().filter_map(|case| case.program.differs) {
        let heading = format!("\n### {}\n", differs.section);
        assert!(semantics.contains(&heading), "SEMANTICS.md has no heading {:?}", differs.section);
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance.md")
}

fn rendered(cases: &[Case]) -> String {
    let known: BTreeSet<&str> = ROWS.iter().flat_map(|(_, rows)| *rows).copied().collect();
    let unknown = |case: &&Case| case.program.shows.iter().any(|row| !known.contains(row.as_str()));
    let unknown: Vec<&str> = cases.iter().filter(unknown).map(|case| case.program.name.as_str()).collect();
    assert!(unknown.is_empty(), "these programs show what is no row: {unknown:?}");
    let mut text = String::from(
        "# Conformance\n\n\
         Every operation against Spark Streaming 4.1.4, batch by batch: how many programs agree, and what differs on purpose.\n\
         Generated from `tests/conformance/` by its tests (`DOWNBEAT_BLESS=1`), which compare every answer; the reasons in full are in\n\
         [SEMANTICS.md](SEMANTICS.md). `scripts/spark-conformance` records Spark's answers anew.\n\n\
         | operation | programs | agree | differ on purpose |\n|---|---|---|---|\n",
    );
    for (group, rows) in ROWS {
        for row in rows {
            write_row(&mut text, group, row, cases);
        }
    }
    let differing = cases.iter().filter(|case| case.program.differs.is_some()).count();
    let agreeing = cases.iter().filter(|case| agrees(case)).count();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "| **all programs** | {} | {agreeing} | {differing} |\n\n\
         Unexplained differences: 0 (a program that answers otherwise without saying why fails the tests).\n\n\
         ## What differs on purpose\n\n| program | heading in SEMANTICS.md | why |\n|---|---|---|\n",
        cases.len()
    );
    for Case { program, .. } in cases {
        if let Some(differs) = &program.differs {
            let _ = writeln!(text, "| `{}` | {} | {} |", program.name, differs.section, differs.reason);
        }
    }
    text
}

fn agrees(case: &Case) -> bool {
    case.program.differs.is_none()
}

fn write_row(text: &mut String, group: &str, row: &str, cases: &[Case]) {
    let of_row: Vec<&Case> = cases.iter().filter(|case| case.program.shows.iter().any(|shown| shown == row)).collect();
    assert!(!of_row.is_empty(), "no program shows {row}");
    let sections: BTreeSet<&str> =
        of_row.iter().filter_map(|case| Some(case.program.differs.as_ref()?.section.as_str())).collect();
    let sections: Vec<&str> = sections.into_iter().collect();
    let (programs, agreeing) = (of_row.len(), of_row.iter().filter(|case| agrees(case)).count());
    let _ = writeln!(text, "| {group}: `{row}` | {programs} | {agreeing} | {} |", sections.join("; "));
}
