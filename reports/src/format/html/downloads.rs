//! The data behind the report, to be saved without script or network: links that hold the files themselves, large ones compressed.

use crate::format::{csv, hgrm, json};
use crate::quantity::{bytes, count};
use crate::summary::Summary;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::{Compression, GzBuilder};
use maud::{Markup, html};
use std::io::Write;

/// A larger file is compressed.
const PLAIN_BYTES: usize = 400_000;

/// Characters that the compressed files of a page take together at most, so that a run of 10,000 batches stays below 3 MB.
const COMPRESSED_CHARACTERS: usize = 2_000_000;

/// A file that can be saved from a page.
pub(super) struct File {
    pub(super) name: &'static str,
    /// Its media type.
    pub(super) kind: &'static str,
    /// What is in it, in a few words.
    pub(super) about: &'static str,
    pub(super) content: String,
}

/// A file as it stands in the page; `None` where it is too large for that.
struct Held {
    file: File,
    link: Option<Link>,
}

struct Link {
    name: String,
    target: String,
    compressed_bytes: Option<usize>,
}

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let file = |name, kind, about, content| File { name, kind, about, content };
    let files = [
        file(
            "result.json",
            "application/json",
            "everything: the record and what follows from it",
            json::render(summary),
        ),
        file("latency.hgrm", "text/plain", "latency percentiles for HdrHistogram plotters", hgrm::render(summary)),
        file("batches.csv", "text/csv", "one line a batch, units in the names of the columns", csv::render(summary)),
    ];
    let lead = format!("{} batches.", count(summary.record.batches.len() as u64));
    section(&lead, files)
}

/// The section of a page that holds its files, the most important one first.
pub(super) fn section(lead: &str, files: impl IntoIterator<Item = File>) -> Markup {
    let mut room = COMPRESSED_CHARACTERS;
    let held: Vec<Held> = files.into_iter().map(|file| hold(file, &mut room)).collect();
    html! {
        section id="data" {
            h2 { "Data" }
            p.lead { (lead) " " code { "downbeat report DIR --format …" } " makes the same files from the stored result." }
            ul { @for one in &held { li { (item(one)) } } }
        }
    }
}

fn item(held: &Held) -> Markup {
    let size = bytes(held.file.content.len() as u64);
    html! {
        @match &held.link {
            Some(link) => {
                a download=(link.name) href=(link.target) { (link.name) }
                " (" (size)
                @if let Some(compressed) = link.compressed_bytes { ", compressed " (bytes(compressed as u64)) }
                "): " (held.file.about)
            },
            None => { code { (held.file.name) } " (" (size) "): " (held.file.about) "; too large to stand in this page" },
        }
    }
}

fn hold(file: File, room: &mut usize) -> Held {
    let link = if file.content.len() <= PLAIN_BYTES { Some(plain(&file)) } else { compressed(&file, room) };
    Held { file, link }
}

fn plain(file: &File) -> Link {
    let target = format!("data:{};base64,{}", file.kind, BASE64.encode(&file.content));
    Link { name: file.name.to_owned(), target, compressed_bytes: None }
}

fn compressed(file: &File, room: &mut usize) -> Option<Link> {
    let bytes = gzip(file.content.as_bytes())?;
    let target = format!("data:application/gzip;base64,{}", BASE64.encode(&bytes));
    *room = room.checked_sub(target.len())?;
    Some(Link { name: format!("{}.gz", file.name), target, compressed_bytes: Some(bytes.len()) })
}

/// Without time and name in its header: the same content gives the same bytes.
fn gzip(content: &[u8]) -> Option<Vec<u8>> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::default());
    writer.write_all(content).ok()?;
    writer.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    fn file(content: String) -> File {
        File { name: "a.csv", kind: "text/csv", about: "numbers", content }
    }

    #[test]
    fn large_files_are_compressed_and_come_back_whole() {
        let content: String = (0..100_000).map(|number| format!("{number},")).collect();
        let page = section("", [file(content.clone())]).into_string();
        let (_, encoded) = page.split_once("application/gzip;base64,").unwrap();
        let bytes = BASE64.decode(encoded.split('"').next().unwrap()).unwrap();
        let mut read = String::new();
        GzDecoder::new(bytes.as_slice()).read_to_string(&mut read).unwrap();
        assert!(read == content && page.contains("download=\"a.csv.gz\""));
    }

    #[test]
    fn what_there_is_no_room_for_is_named() {
        let mut random = crate::stats::random::SplitMix64::new(7);
        let content: String = (0..1_500_000).map(|_| char::from(b'0' + random.below(60) as u8)).collect();
        let page = section("", [file(content.clone()), file(content.clone()), file(content)]).into_string();
        assert_eq!((page.matches("download=").count(), page.matches("too large").count()), (1, 2));
        assert!(page.len() < COMPRESSED_CHARACTERS + 2_000);
    }
}
