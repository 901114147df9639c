//! What was found, in the form of the JSON documents.

use rad_core::module::{FoundModule, Manifest, SourceError};
use rad_core::source::{CommitId, Digest};
use serde::Serialize;

/// Everything the program has to say: of every valid module what `M` says.
#[derive(Debug, Serialize)]
pub(crate) struct Report<M = Whole> {
    pub(crate) source: Source,
    pub(crate) modules: Vec<Module<M>>,
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
pub(crate) struct Module<M> {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    #[serde(flatten)]
    pub(crate) verdict: Verdict<M>,
}

/// Whether the platform would take it.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Verdict<M> {
    Valid(M),
    Invalid { errors: Vec<SourceError> },
}

/// Everything about a module.
#[derive(Debug, Serialize)]
pub(crate) struct Whole {
    pub(crate) manifest: Box<Manifest>,
}

/// The forms of a module, as JSON Schema.
#[derive(Debug, Serialize)]
pub(crate) struct Forms {
    /// What is asked of whoever deploys it.
    deploy: serde_json::Value,
    /// What is asked of whoever publishes it.
    publish: serde_json::Value,
}

impl Report {
    pub(crate) fn new(source: Source, found: Vec<FoundModule>) -> Self {
        Self { source, modules: found.into_iter().map(Module::from).collect() }
    }

    /// How many modules are invalid.
    pub(crate) fn invalid(&self) -> usize {
        let invalid = |module: &&Module<Whole>| matches!(module.verdict, Verdict::Invalid { .. });
        self.modules.iter().filter(invalid).count()
    }

    /// How many variables the valid modules have together.
    pub(crate) fn variables(&self) -> usize {
        let variables = self.modules.iter().map(|module| match &module.verdict {
            Verdict::Valid(Whole { manifest }) => manifest.variables.len(),
            Verdict::Invalid { .. } => 0,
        });
        variables.sum()
    }

    /// The same with the forms of the modules in place of everything.
    pub(crate) fn into_forms(self) -> Report<Forms> {
        let forms = |module: Module<Whole>| Module {
            name: module.name,
            digest: module.digest,
            verdict: match module.verdict {
                Verdict::Valid(Whole { manifest }) => {
                    let (deploy, publish) = (manifest.deploy_schema(), manifest.publish_schema());
                    Verdict::Valid(Forms { deploy, publish })
                }
                Verdict::Invalid { errors } => Verdict::Invalid { errors },
            },
        };
        Report { source: self.source, modules: self.modules.into_iter().map(forms).collect() }
    }
}

impl From<FoundModule> for Module<Whole> {
    fn from(found: FoundModule) -> Self {
        let verdict = match found.outcome {
            Ok(manifest) => Verdict::Valid(Whole { manifest: Box::new(manifest) }),
            Err(errors) => Verdict::Invalid { errors },
        };
        Self { name: found.name, digest: found.digest, verdict }
    }
}
