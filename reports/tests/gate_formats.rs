//! Gates made by hand in every format: golden files, what a page must have, hostile text.

use crate::gates::{Host, begun, run};
use crate::golden::check;
use crate::payloads::{HARMLESS, HOSTILE};
use crate::tags::{Tag, tokenize};
use downbeat_reports::format::Options;
use downbeat_reports::gate::format::{FORMATS, find};
use downbeat_reports::gate::judgement::{Judgement, Verdict};
use downbeat_reports::gate::record::{ArmRun, Block, GateRecord, Pair, Pass, Profiles, Unmeasured};
use downbeat_reports::gate::rule::judge;
use downbeat_reports::record::Profile;
use serde_json::Value;

const TWO: [&str; 2] = ["word-count", "ads"];

/// A gate on a quiet host, after a change of the record, of the host, and of each block.
fn gate(
    change_record: impl FnOnce(&mut GateRecord),
    change_host: impl FnOnce(&mut Host),
    change: impl FnMut(&mut Block),
) -> (GateRecord, Judgement) {
    let (mut record, mut host) = (begun(&TWO), Host::new(3));
    host.deviation = 0.002;
    change_record(&mut record);
    change_host(&mut host);
    let judgement = run(&mut record, &mut host, change);
    (record, judgement)
}

/// What both builds left of `ads`: the head spends a tenth of its time in a new function.
fn profiles() -> Profiles {
    let profile = |folded: &[&str]| Profile {
        samples: 500,
        folded: folded.iter().map(|line| (*line).to_owned()).collect(),
        ..Profile::default()
    };
    Profiles {
        workload: "ads".to_owned(),
        base: profile(&["db-worker-0;ads::join;hash::probe 300", "db-worker-0;ads::parse 200"]),
        head: profile(&["db-worker-0;ads::join;hash::probe 270", "db-worker-0;ads::parse 180", "db-worker-0;spin 50"]),
    }
}

/// Blocks of `ads` whose base and head, one after the other, had a busy neighbour.
fn disturbed(block: &mut Block, up_to: u64) {
    if block.workload == "ads" && block.pass == Pass::First && (2..up_to).contains(&block.index) {
        let arm = if block.index.is_multiple_of(2) { &mut block.base } else { &mut block.head };
        arm.noise.steal_ns = Some(300_000_000);
    }
}

pub(crate) fn examples() -> Vec<(&'static str, GateRecord, Judgement)> {
    let same = |_: &mut Host| {};
    let plain = |_: &mut GateRecord| {};
    let untouched = |_: &mut Block| {};
    let slower_ads = |block: &mut Block| {
        if block.workload == "ads" {
            block.head.median_ns = block.head.median_ns.map(|ns| ns * 1.05);
            block.head.capacity_per_s = block.head.capacity_per_s.map(|rate| rate / 1.06);
        }
        disturbed(block, 4);
    };
    let allocates = |record: &mut GateRecord| {
        record.counts[0].allocations = Some(Pair { base: 12_000, head: 212_000 });
        record.counts[0].instructions = Some(Pair { base: 3_000_000_000, head: 3_900_000_000 });
        record.counts[1].warnings = vec!["two runs of the base disagree on its bytes".to_owned()];
        record.counts[1].allocated_bytes = None;
    };
    let without_valgrind = |record: &mut GateRecord| {
        record.counts.iter_mut().for_each(|counts| counts.instructions = None);
        record.uncounted = vec!["instructions: valgrind is not installed".to_owned()];
    };
    let an_a_a = |record: &mut GateRecord| {
        record.head = record.base.clone();
        record.head.asked = "./target/release/downbeat".to_owned();
        record.head.commit = None;
    };
    let remarked = |record: &mut GateRecord| {
        record.head.remarks = vec!["HEAD is the commit: changes of the working tree are not in it".to_owned()];
    };
    let crashes = |block: &mut Block| {
        if block.workload == "ads" && [3, 5].contains(&block.index) {
            let failure = Some("the trial's process died by SIGSEGV after 0.4 s".to_owned());
            block.head = ArmRun { failure, noise: block.head.noise.clone(), ..ArmRun::default() };
        }
    };
    let other_answers = |block: &mut Block| {
        if block.workload == "ads" {
            block.head.answer_hash = Some("0".repeat(16));
        }
    };
    let one_armed = |record: &mut GateRecord| {
        *record = GateRecord {
            unmeasured: vec![Unmeasured { workload: "ads".into(), why: "the head does not have it".into() }],
            ..begun(&[])
        };
    };
    let spent = |mut record: GateRecord| {
        record.blocks.truncate(19);
        record.cut_short = Some("the budget of 10 s was spent after 19 blocks".to_owned());
        let judgement = judge(&record);
        (record, judgement)
    };
    let made = [
        ("pass", gate(without_valgrind, same, untouched)),
        ("improved", gate(remarked, |host| host.head = 0.93, untouched)),
        ("regressed", gate(|record| record.profiles = vec![profiles()], same, slower_ads)),
        ("allocates", gate(allocates, same, untouched)),
        ("crashes", gate(plain, same, crashes)),
        ("wrong_answers", gate(plain, same, other_answers)),
        ("disturbed", gate(remarked, same, |block| disturbed(block, 12))),
        ("uneven", gate(plain, |host| host.null = 1.04, untouched)),
        ("blurred", gate(plain, |host| (host.deviation, host.head) = (0.06, 1.015), untouched)),
        ("budget", spent(gate(plain, same, untouched).0)),
        ("nothing", gate(one_armed, same, untouched)),
        ("a_a", gate(an_a_a, same, untouched)),
    ];
    made.into_iter().map(|(name, (record, judgement))| (name, record, judgement)).collect()
}

pub(crate) fn render(format: &str, record: &GateRecord, judgement: &Judgement) -> String {
    let options = Options {
        colour: false,
        report: Some("results/20261123-1033-9af3/report.html".to_owned()),
        ..Options::default()
    };
    (find(format).unwrap().render)(record, judgement, &options)
}

/// One element a line, without the record inside and with three blocks of each table.
fn readable(page: &str) -> String {
    let mut parts = page.split(";base64,");
    let first = parts.next().unwrap_or_default().to_owned();
    let without_files = parts.fold(first, |text, part| text + ";base64,…" + &part[part.find('"').unwrap_or(0)..]);
    let lines = without_files.replace("><", ">\n<").replace("<g>\n", "<g>").replace("<td", "\n<td");
    let is_style = |line: &&str| !line.starts_with(':') && !line.starts_with('.') && !line.starts_with('@');
    lines.lines().filter(|line| !line.is_empty()).filter(is_style).fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn every_format_of_every_kind_of_gate() {
    for (name, record, judgement) in examples() {
        for format in ["human", "markdown", "github", "junit"] {
            let extension = find(format).unwrap().extension;
            check(&format!("gate_{name}.{extension}"), &render(format, &record, &judgement));
        }
        // Pages are long; these two have everything that the others have.
        if ["pass", "regressed"].contains(&name) {
            check(&format!("gate_{name}.html"), &readable(&render("html", &record, &judgement)));
        }
    }
}

#[test]
fn the_examples_are_all_words() {
    for verdict in Verdict::ALL {
        assert!(examples().iter().any(|(_, _, judgement)| judgement.verdict == verdict), "{}", verdict.as_str());
    }
}

#[test]
fn a_terminal_of_80_columns_is_enough_but_for_paths() {
    for (name, record, judgement) in examples() {
        for line in render("human", &record, &judgement).lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
            assert_eq!(line.trim_end(), line, "{name}");
        }
    }
}

#[test]
fn colour_comes_only_when_asked_for_and_changes_nothing_else() {
    for (_, record, judgement) in examples() {
        let human =
            |colour| (find("human").unwrap().render)(&record, &judgement, &Options { colour, ..Options::default() });
        let (plain, coloured) = (human(false), human(true));
        assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
        let codes = ["\u{1b}[1;32m", "\u{1b}[1;33m", "\u{1b}[1;31m", "\u{1b}[0m"];
        assert_eq!(codes.iter().fold(coloured, |text, code| text.replace(code, "")), plain);
    }
}

#[test]
fn markdown_of_a_green_gate_is_one_line() {
    for (name, record, judgement) in examples() {
        let lines = render("markdown", &record, &judgement).lines().count();
        assert_eq!(lines == 1, judgement.verdict.passes(), "{name}");
        assert!(lines <= 40, "{name}: {lines} lines");
    }
}

#[test]
fn the_same_word_and_code_stand_in_every_format() {
    for (name, record, judgement) in examples() {
        let word = judgement.verdict.as_str();
        for format in ["human", "markdown", "github", "html"] {
            assert!(render(format, &record, &judgement).contains(word), "{name} as {format}");
        }
        let json: Value = serde_json::from_str(&render("json", &record, &judgement)).unwrap();
        assert_eq!(json["exit"]["code"], judgement.verdict.exit().code(), "{name}");
        let stored: GateRecord = serde_json::from_value(json["record"].clone()).unwrap();
        let again = judge(&stored);
        assert_eq!((again.verdict, &again.because), (judgement.verdict, &judgement.because), "{name}");
        let junit = render("junit", &record, &judgement);
        assert_eq!(junit.contains("failures=\"0\""), judgement.verdict != Verdict::Regressed, "{name}");
    }
}

#[test]
fn what_is_not_green_says_what_to_do() {
    for (name, record, judgement) in examples() {
        let has_next = |format: &str, mark: &str| render(format, &record, &judgement).contains(mark);
        for (format, mark) in [("human", "\nnext "), ("markdown", "**Next:** "), ("html", "Next: ")] {
            assert_eq!(has_next(format, mark), !judgement.verdict.passes(), "{name} as {format}");
        }
    }
}

#[test]
fn pages_are_balanced_have_unique_ids_and_links_that_lead_somewhere() {
    for (name, record, judgement) in examples() {
        let tags = tokenize(&render("html", &record, &judgement));
        let mut open: Vec<String> = Vec::new();
        for tag in &tags {
            match tag.name.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed), "{name}"),
                None if ["meta", "!doctype"].contains(&tag.name.as_str()) => {}
                None => open.push(tag.name.clone()),
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
        let values = |wanted: &str| -> Vec<String> {
            let attributes = tags.iter().flat_map(|tag| tag.attributes.clone());
            attributes.filter(|(name, _)| name == wanted).map(|(_, value)| value).collect()
        };
        let ids = values("id");
        for id in &ids {
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{name}: {id}");
        }
        for link in values("href").into_iter().filter(|link| !link.starts_with("data:application/json;base64,")) {
            assert!(ids.contains(&link[1..].to_owned()), "{name}: {link}");
        }
        for named in values("aria-labelledby").iter().flat_map(|names| names.split(' ')) {
            assert!(ids.contains(&named.to_owned()), "{name}: {named}");
        }
        for wanted in ["verdict", "comparisons", "blocks", "counts", "null", "host", "data", "method"] {
            assert!(ids.contains(&wanted.to_owned()), "{name}: {wanted}");
        }
        if name == "regressed" {
            assert!(ids.contains(&"gate-ads".to_owned()) && ids.contains(&"gate-ads-p99".to_owned()));
        }
    }
}

#[test]
fn a_page_shows_every_block_every_drop_with_its_cause_and_every_look() {
    let (_, record, judgement) = examples().into_iter().find(|(name, ..)| *name == "regressed").unwrap();
    let page = render("html", &record, &judgement);
    let count = |text: &str| page.matches(text).count();
    // Two of ads were dropped, and each stands in three plots and in the table.
    assert_eq!(
        (judgement.drops.dropped, count("dropped: steal at the base"), count("dropped: steal at the head")),
        (2, 4, 4)
    );
    let looks: Vec<usize> = ["look at 14", "look at 20", "look at 32"].map(count).to_vec();
    // Both workloads at 14, and again ads in the confirmation: three plots and a line of the table each.
    assert_eq!(looks, [3 * 4, 0, 0]);
    let rows = tokenize(&page).iter().filter(|tag| tag.name == "tr").count();
    assert!(rows > record.blocks.len(), "{rows} rows, {} blocks", record.blocks.len());
    assert_eq!(render("html", &record, &judgement), page, "the same record gives the same bytes");
}

#[test]
fn a_page_shows_where_a_slower_head_spends_more_or_why_it_cannot() {
    let (_, mut record, judgement) = examples().into_iter().find(|(name, ..)| *name == "regressed").unwrap();
    let page = render("html", &record, &judgement);
    assert!(page.contains("Larger shares than in the base: spin 10 %, in the base 0 %."), "{page}");
    assert!(page.contains("id=\"flamegraph\"") && page.contains("500 samples of the base, 500 of the head"));
    let none = Profile { unavailable: Some("this build cannot take one".to_owned()), ..Profile::default() };
    record.profiles[0].head = none;
    let page = render("html", &record, &judgement);
    assert!(page.contains("There is no profile of the head: this build cannot take one."), "{page}");
    record.profiles.clear();
    assert!(!render("html", &record, &judgement).contains("id=\"flamegraph\""));
}

/// The record with this text in every string from outside that is no name of a thing in it.
pub(crate) fn poison(record: &GateRecord, with: &str) -> GateRecord {
    let text = || with.to_owned();
    let mut poisoned = record.clone();
    for build in [&mut poisoned.base, &mut poisoned.head] {
        (build.asked, build.commit, build.binary_hash) = (text(), Some(text()), text());
    }
    (poisoned.run, poisoned.command) = (text(), text());
    poisoned.environment = [(text(), text())].into();
    poisoned.uncounted = vec![text()];
    for (number, workload) in poisoned.workloads.iter_mut().enumerate() {
        let name = format!("{with}{number}");
        let was = std::mem::replace(&mut workload.name, name.clone());
        workload.settings = [(text(), text())].into();
        poisoned
            .blocks
            .iter_mut()
            .filter(|block| block.workload == was)
            .for_each(|block| block.workload.clone_from(&name));
        for counts in poisoned.counts.iter_mut().filter(|counts| counts.workload == was) {
            counts.workload.clone_from(&name);
            counts.warnings = vec![text()];
        }
    }
    for block in &mut poisoned.blocks {
        for run in [Some(&mut block.base), Some(&mut block.head), block.null.as_mut()].into_iter().flatten() {
            run.failure = run.failure.as_ref().map(|_| text());
        }
    }
    for profiles in &mut poisoned.profiles {
        // A `;` starts a frame unless a space follows, which is structure of its own.
        let frame = with.replace(';', ",").trim_start().to_owned();
        profiles.workload = text();
        profiles.base.folded = vec![format!("t;{frame};a 9"), format!("t;{frame}b 4")];
        profiles.head.unavailable = profiles.head.unavailable.as_ref().map(|_| text());
    }
    poisoned.cut_short = poisoned.cut_short.map(|_| text());
    poisoned.moved = poisoned.moved.iter().map(|_| text()).collect();
    poisoned.unmeasured.iter_mut().for_each(|left| *left = Unmeasured { workload: text(), why: text() });
    poisoned
}

fn structure(page: &str) -> Vec<(String, Vec<String>)> {
    let names = |tag: Tag| (tag.name, tag.attributes.into_iter().map(|(name, _)| name).collect());
    tokenize(page).into_iter().map(names).collect()
}

#[test]
fn hostile_text_leaves_the_structure_of_the_page() {
    for (name, mut record, _) in examples() {
        record.moved = vec!["cpu was a and is b".to_owned()];
        record.unmeasured.push(Unmeasured::default());
        let page = |with: &str| {
            let record = poison(&record, with);
            render("html", &record, &judge(&record))
        };
        let plain = structure(&page(HARMLESS));
        for with in HOSTILE {
            let page = page(with);
            assert!(structure(&page) == plain, "{name}: {with:?}");
            for tag in tokenize(&page) {
                for (attribute, value) in &tag.attributes {
                    assert!(!attribute.starts_with("on") && attribute != "style" && attribute != "src", "{tag:?}");
                    assert!(
                        attribute != "href"
                            || value.starts_with('#')
                            || value.starts_with("data:application/json;base64,")
                    );
                }
            }
        }
    }
}

/// A line with what stands in code spans taken out; a span that does not end takes the rest of the line.
fn outside_of_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[test]
fn hostile_text_stays_text_in_plain_formats() {
    for (name, record, _) in examples() {
        let of = |with: &str| {
            let record = poison(&record, with);
            let judgement = judge(&record);
            move |format: &str| render(format, &record, &judgement)
        };
        let plain = of(HARMLESS);
        let (markdown, github) = (plain("markdown"), plain("github"));
        let tags = tokenize(&plain("junit")).len();
        for with in HOSTILE {
            let hostile = of(with);
            for format in FORMATS.iter().filter(|format| format.name != "html") {
                let text = hostile(format.name);
                let active = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
                assert_eq!(text.chars().find(active), None, "{name} as {}: {with:?}", format.name);
                let commands = format.name != "github" && format.name != "json";
                assert!(!commands || text.lines().all(|line| !line.trim_start().starts_with("::")), "{name}: {text}");
            }
            let outside = |text: &str| text.lines().map(outside_of_code).collect::<Vec<_>>();
            let (found, expected) = (outside(&hostile("markdown")), outside(&markdown));
            assert_eq!(found, expected, "{name}: {with:?}");
            let level =
                |text: &str| text.lines().map(|line| line.split("::").nth(1).map(str::to_owned)).collect::<Vec<_>>();
            assert_eq!(level(&hostile("github")), level(&github), "{name}: {with:?}");
            let junit = tokenize(hostile("junit").trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
            assert_eq!(junit.len(), tags, "{name}: {with:?}");
        }
    }
}

#[test]
fn absurd_records_are_rendered_without_a_panic() {
    let (_, record, _) = examples().swap_remove(2);
    let mut huge = record.clone();
    for (number, block) in huge.blocks.iter_mut().enumerate() {
        let figures = [f64::MAX, f64::MIN_POSITIVE, 1.0, f64::INFINITY];
        block.base.median_ns = Some(figures[number % 4]);
        block.head.median_ns = Some(figures[(number + 1) % 3]);
        block.head.capacity_per_s = Some(figures[1]);
        block.base.noise.wall_ns = 0;
        block.head.noise.steal_ns = Some(u64::MAX);
        block.base.noise.canary_ns = u64::MAX;
        block.base.noise.hiccup_ns = u64::MAX;
    }
    huge.counts[0].allocations = Some(Pair { base: 0, head: u64::MAX });
    huge.elapsed_ns = u64::MAX;
    let mut single = record.clone();
    single.blocks.truncate(1);
    let mut unknown = record;
    unknown.schema = u32::MAX;
    for record in [GateRecord::default(), huge, single, unknown] {
        let judgement = judge(&record);
        assert!(!judgement.verdict.passes());
        for format in FORMATS {
            let text = (format.render)(&record, &judgement, &Options::default());
            assert!(!text.is_empty() && (format.name != "html" || !text.contains("NaN")), "{}", format.name);
        }
    }
}
