//! The directory of a gate while it runs: copies of the binaries, and a draft of what was measured.

use super::arm::{self, Arm as Side};
use crate::failure::Failure;
use crate::subject::embedded::Program;
use downbeat_reports::gate::record::Arm;
use downbeat_reports::store::RunDirectory;
use std::path::PathBuf;

/// Where binaries and drafts are while it runs.
const WORK: &str = ".gate";

/// The directory of a gate while it runs.
pub(super) struct Work {
    /// Where the result goes.
    pub(super) directory: RunDirectory,
    /// Where binaries and drafts are meanwhile.
    pub(super) path: PathBuf,
    base: PathBuf,
    head: PathBuf,
    null: PathBuf,
}

impl Work {
    /// Copies both binaries, the base's twice: whoever builds meanwhile changes nothing here.
    pub(super) fn open(directory: RunDirectory, (base, head): &(Side, Side)) -> Result<Self, Failure> {
        let path = directory.file(WORK);
        let failed = |error: std::io::Error| Failure::environment(format!("cannot write {}: {error}", path.display()));
        std::fs::create_dir(&path).map_err(failed)?;
        let copy = |side: &Side, name: &str| -> Result<PathBuf, Failure> {
            let copy = std::path::absolute(path.join(name)).map_err(failed)?;
            std::fs::copy(&side.binary, &copy).map_err(failed)?;
            if arm::hash(&copy)? != side.build.binary_hash {
                let message = format!("{} was rebuilt while it was copied", side.binary.display());
                return Err(Failure::environment(message).help("run the gate again when nobody builds there"));
            }
            Ok(copy)
        };
        let (base, head, null) = (copy(base, "base")?, copy(head, "head")?, copy(base, "null")?);
        Ok(Work { directory, path, base, head, null })
    }

    pub(super) fn program(&self, arm: Arm) -> Program {
        Program::at(match arm {
            Arm::Base => &self.base,
            Arm::Head => &self.head,
            Arm::Null => &self.null,
        })
    }

    /// What was measured so far, where nobody takes it for a result.
    pub(super) fn save_draft(&self, record: &[u8]) -> Result<(), Failure> {
        let draft = RunDirectory::open(&self.path)?;
        draft.write("draft.json", record)?;
        Ok(())
    }

    /// Removes binaries and drafts.
    pub(super) fn clear(&self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }

    /// A gate that could not measure: a directory without a result would only puzzle.
    pub(super) fn leave_nothing(&self) {
        self.clear();
        let _ = std::fs::remove_dir(self.directory.path());
    }
}
