//! After a run: the verdict, the files of the result directory, and what goes to stdout.

use super::Outcome;
use crate::failure::Failure;
use crate::plan::TrialSpec;
use crate::request::Output;
use downbeat_reports::exit::Exit;
use downbeat_reports::flame;
use downbeat_reports::format::{Options, hgrm, html};
use downbeat_reports::record::TrialRecord;
use downbeat_reports::samples;
use downbeat_reports::store::{self, RunDirectory};
use downbeat_reports::summary::{MissingTrial, Summary};
use downbeat_reports::verdict::Word;
use std::path::PathBuf;

/// Where the results of a run go.
pub(super) struct Results<'d> {
    /// The result directory.
    pub(super) directory: &'d RunDirectory,
    /// Where the sampler left its profile, if it did.
    pub(super) protobuf: PathBuf,
    /// Where the trial left its samples, if it did.
    pub(super) samples: PathBuf,
}

impl Results<'_> {
    /// Judges the record, stores everything, and renders the verdict. A result that cannot be stored is shown all the same.
    pub(super) fn finish(&self, record: &TrialRecord, output: Output, interrupted: Option<Exit>) -> Outcome {
        // Samples that cannot be read are as good as none: the verdict does not need them.
        let samples = store::read_samples(&self.samples).ok().flatten();
        let summary = match Summary::new(record, output.must_hold).map(|summary| summary.with_samples(samples.as_ref()))
        {
            Ok(summary) => summary,
            Err(error) => {
                let message = Some(format!("error: {error}"));
                return Outcome { text: Vec::new(), message, exit: Exit::Internal };
            }
        };
        let summary = match interrupted {
            Some(exit) => summary.with_exit(exit),
            None => summary,
        };
        let failure = self.store(&summary).err();
        let report = self.directory.file("report.html").display().to_string();
        let options = Options { colour: output.colour, report: failure.is_none().then_some(report), exit: None };
        Outcome {
            text: output.format.write(&summary, &options),
            exit: failure.as_ref().map_or(summary.exit, Failure::exit),
            message: failure.map(|failure| format!("error: {failure}")),
        }
    }

    fn store(&self, summary: &Summary<'_>) -> Result<(), Failure> {
        self.directory.write_result(summary)?;
        self.directory.write("latency.hgrm", hgrm::render(summary).as_bytes())?;
        if let Ok(svg) = flame::render(summary.record) {
            self.directory.write("flamegraph.svg", svg.as_bytes())?;
        }
        if let Ok(samples) = std::fs::read(&self.samples) {
            self.directory.write(samples::FILE, &samples)?;
        }
        if let Ok(protobuf) = std::fs::read(&self.protobuf) {
            self.directory.write("profile.pb", &protobuf)?;
        }
        self.directory.write("report.html", html::render(summary).as_bytes())?;
        Ok(())
    }
}

/// A trial that left no record: the verdict without figures.
pub(super) fn missing(spec: &TrialSpec, failure: &Failure, output: Output) -> Outcome {
    let exit = failure.exit();
    let missing = MissingTrial {
        run: spec.run.clone(),
        command: spec.command.clone(),
        workload: spec.workload.clone(),
        settings: spec.settings.clone(),
        failure: failure.message.clone(),
        word: if matches!(exit, Exit::Internal | Exit::Broken) { Word::Broken } else { Word::NotJudged },
        exit,
    };
    let options = Options { colour: output.colour, ..Options::default() };
    let text = (output.format.render_missing)(&missing, &options);
    Outcome { text: text.into_bytes(), message: Some(format!("error: {failure}")), exit }
}
