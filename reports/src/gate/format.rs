//! Output formats of the gate: one file each, all of them functions from the record and its judgement to text.

pub mod github;
pub mod html;
pub mod human;
pub mod json;
pub mod junit;
pub mod markdown;

use super::judgement::Judgement;
use super::record::GateRecord;
use crate::format::Options;

/// One output format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The name in `--format`.
    pub name: &'static str,
    /// Ending of a file in this format.
    pub extension: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Renders a gate. The same record, judgement and options give the same bytes.
    pub render: fn(&GateRecord, &Judgement, &Options) -> String,
}

/// Every format there is.
pub const FORMATS: &[Format] = &[
    Format {
        name: "human",
        extension: "txt",
        about: "the verdict and every comparison, for a terminal of 80 columns",
        render: human::render,
    },
    Format {
        name: "json",
        extension: "json",
        about: "one object: the judgement and the whole record",
        render: |record, judgement, _| json::render(record, judgement),
    },
    Format {
        name: "markdown",
        extension: "md",
        about: "one line when it passes, else a table, for a comment or a job summary",
        render: |record, judgement, _| markdown::render(record, judgement),
    },
    Format {
        name: "html",
        extension: "html",
        about: "one page: every comparison with its interval, every block, the host, the method",
        render: |record, judgement, _| html::render(record, judgement),
    },
    Format {
        name: "github",
        extension: "github",
        about: "annotations of GitHub Actions",
        render: |record, judgement, _| github::render(record, judgement),
    },
    Format {
        name: "junit",
        extension: "xml",
        about: "a test case for each workload and metric; skipped: cannot judge",
        render: |record, judgement, _| junit::render(record, judgement),
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
            assert_eq!(FORMATS.iter().filter(|other| other.extension == format.extension).count(), 1);
        }
        assert!(find("sarif").is_none());
    }
}
