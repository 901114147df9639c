//! Modules: manifests read from Terraform sources, and the values people type for their variables.
//!
//! [`discover`] lists the modules of a [`SourceTree`]: every top-level directory with Terraform files, readable or
//! not. A readable one has a [`Manifest`], whose [`pages`](Manifest::pages) are the form a deployer fills in and
//! whose [`check`](Manifest::check) says what is wrong with the answers, by Terraform's own rules, before anything
//! is charged or run.
//!
//! ```
//! use rad_core::module::{Values, discover};
//! use rad_core::source::SourceTree;
//!
//! let mut tree = SourceTree::default();
//! tree.insert_file("hello/main.tf", r#"
//!     variable "who" {
//!       type        = string
//!       description = "Whom to greet. {{UIMeta group=1 order=101 updatesafe }}"
//!       validation {
//!         condition     = length(var.who) > 1
//!         error_message = "A name has two letters at least."
//!       }
//!     }
//! "#)?;
//! let found = discover(&tree);
//! let manifest = found[0].outcome.as_ref().unwrap();
//! assert_eq!(manifest.pages()[0].fields[0].description, "Whom to greet.");
//!
//! let typed = Values::from([("who".to_owned(), "X".into())]);
//! let problems = manifest.check(&Values::new(), &Values::new(), &typed).unwrap_err();
//! assert_eq!(problems[0].message, "A name has two letters at least.");
//! # Ok::<(), rad_core::source::PathError>(())
//! ```

mod calls;
mod check;
mod convert;
mod declarations;
mod depends_on;
mod eval;
mod files;
mod hints;
mod json;
mod manifest;
mod merge;
mod metadata;
mod native;
mod parse;
mod schema;
mod source_error;
mod types;
mod value;
mod variable;
mod version;

use std::collections::{BTreeMap, BTreeSet};

pub use self::check::{CheckedValues, DeferredCheck, ValueProblem, Values};
pub use self::convert::{ConvertError, convert};
pub use self::depends_on::{DependsOn, DependsOnError};
pub use self::eval::Verdict;
pub use self::hints::UiHints;
pub use self::manifest::{Manifest, ModuleCall, Output, Page, ProviderRequirement, Warning};
pub use self::metadata::{Metadata, describes_module};
pub use self::source_error::{Place, SourceError};
pub use self::types::{Attribute, Type, TypeError};
pub use self::variable::{Validation, Variable};
pub use self::version::{RequiredVersion, VersionError};

use crate::source::{Digest, SourceTree};

/// What reads modules here: another text from each release to the next, and wherever the same source gives another outcome.
/// What another reader found is read again.
pub const READER: &str = concat!(env!("CARGO_PKG_VERSION"), "/2");

/// A directory of a repository that holds Terraform files.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundModule {
    /// The name of the directory, which is the name of the module.
    pub name: String,
    /// The digest of everything below the directory: equal digests, equal modules.
    pub digest: Digest,
    /// The manifest, or every reason why there is none.
    pub outcome: Result<Manifest, Vec<SourceError>>,
}

/// Finds the modules of a tree: its top-level directories with at least one `.tf` or `.tf.json` file, in order.
///
/// No directory is skipped because something is wrong with it: it is listed with the reasons. One that calls a module outside of
/// its own directory is listed with where it does so, since only what is below a module goes along with it.
pub fn discover(tree: &SourceTree) -> Vec<FoundModule> {
    discover_again(tree, Vec::new()).modules
}

/// What [`discover_again`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovery {
    /// The modules, in the order of names.
    pub modules: Vec<FoundModule>,
    /// How many of them were parsed; the others are as they were before.
    pub parsed: usize,
}

/// Finds the modules of a tree, of which some may be known from `before`: what has the same name and digest, readable or not, is
/// not parsed again.
///
/// The outcome is that of [`discover`], if `before` was found by the same [`READER`]: it follows from the name of a directory
/// and from what is below it, of which the digest is.
pub fn discover_again(tree: &SourceTree, before: Vec<FoundModule>) -> Discovery {
    let mut before: BTreeMap<String, FoundModule> =
        before.into_iter().map(|module| (module.name.clone(), module)).collect();
    let mut parsed = 0;
    let found = module_names(tree).into_iter().map(|name| {
        let directory = tree.directory(name);
        let digest = directory.digest();
        before.remove(name).filter(|known| known.digest == digest).unwrap_or_else(|| {
            parsed += 1;
            FoundModule { name: name.to_owned(), digest, outcome: read_whole(name, &directory) }
        })
    });
    Discovery { modules: found.collect(), parsed }
}

/// The manifest of a module that has below it every module of its repository that it calls.
fn read_whole(name: &str, directory: &SourceTree) -> Result<Manifest, Vec<SourceError>> {
    let manifest = Manifest::read(name, directory)?;
    if !manifest.module_calls.iter().any(|call| calls::is_local(&call.source)) {
        return Ok(manifest);
    }
    let missing = calls::missing(name, directory);
    if missing.is_empty() { Ok(manifest) } else { Err(missing) }
}

/// The names of the modules that [`discover`] finds, which are known without reading any.
pub fn module_names(tree: &SourceTree) -> BTreeSet<&str> {
    let files = tree.iter().filter_map(|(path, _)| path.split_once('/'));
    files.filter(|(_, file)| files::is_source(file)).map(|(directory, _)| directory).collect()
}
