//! What was found, in the form of the JSON document.

use rad_core::module::{FoundModule, Manifest, SourceError};
use rad_core::source::{CommitId, Digest};
use serde::Serialize;

/// Everything the program has to say.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) source: Source,
    pub(crate) modules: Vec<Module>,
}

/// What was read.
#[derive(Debug, Serialize)]
pub(crate) struct Source {
    /// The path as it was given, without the revision.
    pub(crate) path: String,
    /// The commit that was read; none for a directory as it stands on the disk.
    pub(crate) commit: Option<CommitId>,
    /// The directory of the modules, which the files in errors and warnings are relative to; empty for the root.
    pub(crate) sub_dir: String,
}

/// A directory with Terraform files.
#[derive(Debug, Serialize)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
}

/// Whether the platform would take it.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Verdict {
    Valid { manifest: Box<Manifest> },
    Invalid { errors: Vec<SourceError> },
}

impl Report {
    pub(crate) fn new(source: Source, found: Vec<FoundModule>) -> Self {
        Self { source, modules: found.into_iter().map(Module::from).collect() }
    }

    /// How many modules are invalid.
    pub(crate) fn invalid(&self) -> usize {
        let invalid = |module: &&Module| matches!(module.verdict, Verdict::Invalid { .. });
        self.modules.iter().filter(invalid).count()
    }

    /// How many variables the valid modules have together.
    pub(crate) fn variables(&self) -> usize {
        let variables = self.modules.iter().map(|module| match &module.verdict {
            Verdict::Valid { manifest } => manifest.variables.len(),
            Verdict::Invalid { .. } => 0,
        });
        variables.sum()
    }
}

impl From<FoundModule> for Module {
    fn from(found: FoundModule) -> Self {
        let verdict = match found.outcome {
            Ok(manifest) => Verdict::Valid { manifest: Box::new(manifest) },
            Err(errors) => Verdict::Invalid { errors },
        };
        Self { name: found.name, digest: found.digest, verdict }
    }
}
