//! Output formats: one file each, all of them functions from a summary to text.

pub mod cause;
pub mod hgrm;
pub mod html;
pub mod human;
pub mod json;
mod svg;

use crate::summary::Summary;

/// What the caller knows and the record does not.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Colour the verdict for a terminal. Every colour has its word beside it.
    pub colour: bool,
    /// Where the HTML report was written, to be named.
    pub report: Option<String>,
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
}

/// Every format there is.
pub const FORMATS: &[Format] = &[
    Format {
        name: "human",
        extension: "txt",
        about: "the verdict and the figures behind it, for a terminal of 80 columns",
        render: human::render,
    },
    Format {
        name: "json",
        extension: "json",
        about: "one object: the whole record and everything derived from it",
        render: |summary, _| json::render(summary),
    },
    Format {
        name: "html",
        extension: "html",
        about: "one self-contained report without script or network",
        render: |summary, _| html::render(summary),
    },
    Format {
        name: "hgrm",
        extension: "hgrm",
        about: "latency percentiles in milliseconds, as HdrHistogram plotters read them",
        render: |summary, _| hgrm::render(summary),
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
