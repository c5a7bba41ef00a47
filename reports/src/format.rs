//! Output formats: one file each, all of them functions from a summary to text.

pub mod csv;
pub mod github;
pub mod hgrm;
pub mod html;
pub mod human;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod ndjson;
pub mod profile;
pub mod search;
pub(crate) mod svg;

use crate::exit::Exit;
use crate::summary::{MissingTrial, Summary};

/// What the caller knows and the record does not.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Colour the verdict for a terminal. Every colour has its word beside it.
    pub colour: bool,
    /// Where the HTML report was written, to be named.
    pub report: Option<String>,
    /// What the process ends with, where that is not the verdict's code: a signal came, or the host was forgiven.
    pub exit: Option<Exit>,
}

/// One output format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The name in `--format`.
    pub name: &'static str,
    /// Ending of a file in this format.
    pub extension: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Renders a summary. The same summary and options give the same bytes.
    pub render: fn(&Summary<'_>, &Options) -> String,
    /// Of a format that is no text, its bytes: `render` is then what is shown where only text can be.
    pub bytes: Option<fn(&Summary<'_>) -> Vec<u8>>,
    /// Renders a trial that left no record.
    pub render_missing: fn(&MissingTrial, &Options) -> String,
}

impl Format {
    /// The file in this format.
    pub fn write(&self, summary: &Summary<'_>, options: &Options) -> Vec<u8> {
        match self.bytes {
            Some(bytes) => bytes(summary),
            None => (self.render)(summary, options).into_bytes(),
        }
    }
}

/// Every format there is.
pub const FORMATS: &[Format] = &[
    Format {
        name: "human",
        extension: "txt",
        about: "the verdict and the figures behind it, for a terminal of 80 columns",
        render: human::render,
        bytes: None,
        render_missing: human::render_missing,
    },
    Format {
        name: "json",
        extension: "json",
        about: "one object: the whole record and everything derived from it",
        render: |summary, _| json::render(summary),
        bytes: None,
        render_missing: |missing, _| json::render_missing(missing),
    },
    Format {
        name: "html",
        extension: "html",
        about: "one self-contained report without network, complete without its script",
        render: |summary, _| html::render(summary),
        bytes: None,
        render_missing: human::render_missing,
    },
    Format {
        name: "hgrm",
        extension: "hgrm",
        about: "latency percentiles in milliseconds, as HdrHistogram plotters read them",
        render: |summary, _| hgrm::render(summary),
        bytes: None,
        render_missing: human::render_missing,
    },
    Format {
        name: "markdown",
        extension: "md",
        about: "at most 40 lines for a pull request",
        render: |summary, _| markdown::render(summary),
        bytes: None,
        render_missing: markdown::render_missing,
    },
    Format {
        name: "csv",
        extension: "csv",
        about: "one line a batch, units in the names of the columns",
        render: |summary, _| csv::render(summary),
        bytes: None,
        render_missing: human::render_missing,
    },
    Format {
        name: "ndjson",
        extension: "ndjson",
        about: "one event a line: the trial, its batches, the verdict",
        render: |summary, _| ndjson::render(summary),
        bytes: None,
        render_missing: ndjson::render_missing,
    },
    Format {
        name: "junit",
        extension: "junit.xml",
        about: "a test suite of the verdict and what it rests on",
        render: |summary, _| junit::render(summary),
        bytes: None,
        render_missing: junit::render_missing,
    },
    Format {
        name: "github",
        extension: "github.txt",
        about: "annotations of GitHub Actions",
        render: |summary, _| github::render(summary),
        bytes: None,
        render_missing: github::render_missing,
    },
    Format {
        name: "folded",
        extension: "folded",
        about: "stacks of the samples, one a line, for flamegraph tools",
        render: |summary, _| profile::folded(summary),
        bytes: None,
        render_missing: human::render_missing,
    },
    Format {
        name: "pprof",
        extension: "pb",
        about: "the samples as protobuf for pprof, with batch and stage as labels",
        render: |summary, _| profile::folded(summary),
        bytes: Some(profile::pprof),
        render_missing: human::render_missing,
    },
    Format {
        name: "speedscope",
        extension: "speedscope.json",
        about: "the samples for speedscope.app: late batches, those on time, the trial",
        render: |summary, _| profile::speedscope(summary),
        bytes: None,
        render_missing: human::render_missing,
    },
];

/// The format of that name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_extensions_are_unique() {
        for format in FORMATS {
            assert_eq!(find(format.name).unwrap().extension, format.extension);
            let twins = FORMATS.iter().filter(|other| other.name == format.name || other.extension == format.extension);
            assert_eq!(twins.count(), 1);
        }
        assert!(find("xml").is_none());
    }
}
