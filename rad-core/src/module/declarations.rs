//! What one file declares, before the files of a module are put together.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::manifest::{ModuleCall, Output, ProviderRequirement, Warning};
use super::source_error::{Place, SourceError};
use super::types::Type;
use super::variable::Validation;

/// What is said of a module that has OpenTofu encrypt its state: with programs of its own, and kept from the platform.
pub(super) const ENCRYPTION: &str =
    "the platform keeps the state, and encrypts it: remove this block, which only OpenTofu reads";

/// What one file declares.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    pub(super) file: String,
    pub(super) overriding: bool,
    pub(super) variables: Vec<Declared<VariableDraft>>,
    pub(super) outputs: Vec<Declared<OutputDraft>>,
    pub(super) modules: Vec<Declared<ModuleDraft>>,
    /// `resource` and `data` blocks by kind, type and name.
    pub(super) resources: Vec<Declared<ResourceKey>>,
    pub(super) providers: Vec<ProviderRequirement>,
    pub(super) required_versions: Vec<String>,
    pub(super) warnings: Vec<Warning>,
}

/// A declaration and where it stands.
#[derive(Debug)]
pub(super) struct Declared<T> {
    pub(super) place: Place,
    pub(super) what: T,
}

/// The default of a variable.
#[derive(Debug)]
pub(super) enum DefaultDraft {
    /// This value.
    Value(Json),
    /// One with a number that only Terraform keeps exactly.
    InSource,
}

/// A `variable` block: what is absent may come from, or be overridden by, another one.
#[derive(Debug, Default)]
pub(super) struct VariableDraft {
    pub(super) name: String,
    pub(super) ty: Option<Type>,
    pub(super) default: Option<DefaultDraft>,
    pub(super) description: Option<String>,
    pub(super) sensitive: Option<bool>,
    pub(super) nullable: Option<bool>,
    pub(super) ephemeral: Option<bool>,
    pub(super) validations: Vec<Validation>,
}

#[derive(Debug, Default)]
pub(super) struct OutputDraft {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) sensitive: Option<bool>,
}

#[derive(Debug, Default)]
pub(super) struct ModuleDraft {
    pub(super) name: String,
    pub(super) source: Option<String>,
    pub(super) version: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ResourceKey {
    pub(super) kind: ResourceKind,
    pub(super) ty: String,
    pub(super) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ResourceKind {
    Resource,
    Data,
}

/// The blocks Terraform and OpenTofu know at the top of a file, and how many labels each has.
pub(super) const BLOCKS: [(&str, usize); 15] = [
    ("action", 2),
    ("check", 1),
    ("data", 2),
    ("ephemeral", 2),
    ("import", 0),
    ("list", 2),
    ("locals", 0),
    ("module", 1),
    ("moved", 0),
    ("output", 1),
    ("provider", 1),
    ("removed", 0),
    ("resource", 2),
    ("terraform", 0),
    ("variable", 1),
];

/// Names a variable must not have, since `module` blocks use them.
pub(super) const RESERVED: [&str; 8] =
    ["count", "depends_on", "for_each", "lifecycle", "locals", "providers", "source", "version"];

/// The arguments a `variable` block takes.
pub(super) const ARGUMENTS: [&str; 8] =
    ["const", "default", "deprecated", "description", "ephemeral", "nullable", "sensitive", "type"];

impl Declarations {
    /// Refuses what Terraform refuses in a name.
    pub(super) fn check_name(&self, kind: &str, name: &str, place: Place, errors: &mut Vec<SourceError>) {
        let message = if hcl_edit::Ident::try_new(name).is_err() {
            format!("{name:?} is not a name: use letters, digits, _ and -, and begin with a letter or _")
        } else if kind == "variable" && RESERVED.contains(&name) {
            format!("a variable cannot be named {name:?}, which module blocks use for themselves")
        } else {
            return;
        };
        errors.push(SourceError::new(&self.file, place, message));
    }
}

/// A whole validation, or what it lacks.
pub(super) fn validation(
    variable: &str,
    condition: Option<String>,
    message: Option<(String, bool)>,
) -> Result<Validation, String> {
    let condition =
        condition.ok_or_else(|| format!("the validation of variable {variable:?} has no condition"))?;
    let (error_message, computed) =
        message.ok_or_else(|| format!("the validation of variable {variable:?} has no error_message"))?;
    if !computed && error_message.trim().is_empty() {
        return Err(format!("the error_message of variable {variable:?} is empty"));
    }
    if !refers_to(&condition, variable) {
        return Err(format!("the condition of variable {variable:?} must refer to var.{variable}"));
    }
    Ok(Validation { condition, error_message, computed })
}

/// Whether the text of an expression holds `var.name`.
pub(super) fn refers_to(expression: &str, name: &str) -> bool {
    expression.match_indices("var.").any(|(at, _)| {
        let rest = expression.get(at + 4..).and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-'))
    })
}

impl ModuleDraft {
    pub(super) fn finish(self) -> ModuleCall {
        ModuleCall { name: self.name, source: self.source.unwrap_or_default(), version: self.version }
    }
}

impl OutputDraft {
    pub(super) fn finish(self) -> Output {
        Output {
            name: self.name,
            description: self.description.unwrap_or_default(),
            sensitive: self.sensitive.unwrap_or(false),
        }
    }
}

/// How many blocks there are of each type.
pub(super) fn count<'a>(
    resources: impl Iterator<Item = &'a ResourceKey>,
    kind: ResourceKind,
) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for resource in resources.filter(|resource| resource.kind == kind) {
        let count: &mut u32 = counts.entry(resource.ty.clone()).or_default();
        *count = count.saturating_add(1);
    }
    counts
}
