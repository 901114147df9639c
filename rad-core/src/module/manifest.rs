//! The manifest of a module: everything the platform knows about it, derived from its sources.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::check::{ValueProblem, Values};
use super::declarations::ENCRYPTION;
use super::files::ONLY_TOFU;
use super::metadata::{Metadata, is_metadata};
use super::source_error::SourceError;
use super::variable::Variable;
use super::{files, json, merge, native};
use crate::source::SourceTree;

/// The most of a README that is kept, in bytes.
const MAX_README: usize = 256 << 10;

/// What a module is, asks, creates and costs.
///
/// Catalogues store it as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Manifest {
    /// The name of its directory.
    pub name: String,
    /// One sentence: its metadata variable, else the first paragraph of the README, else empty.
    pub description: String,
    /// Where it is documented, if its metadata says so.
    pub documentation: Option<String>,
    /// The text of its `README.md`.
    pub readme: Option<String>,
    /// Its variables, in the order of files and declarations.
    pub variables: Vec<Variable>,
    /// Its outputs.
    pub outputs: Vec<Output>,
    /// The providers it names.
    pub required_providers: Vec<ProviderRequirement>,
    /// The constraint on the version of Terraform, if any; several are joined by commas.
    pub required_version: Option<String>,
    /// The modules it calls.
    pub module_calls: Vec<ModuleCall>,
    /// How many `resource` blocks it has of each type.
    pub resources: BTreeMap<String, u32>,
    /// How many `data` blocks it has of each type.
    pub data_sources: BTreeMap<String, u32>,
    /// What its metadata variables say.
    pub metadata: Metadata,
    /// What was not understood but breaks nothing, such as unknown UI hints.
    pub warnings: Vec<Warning>,
}

/// An output of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Output {
    /// The name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether its value must not be shown.
    pub sensitive: bool,
}

/// A provider that a module names in `required_providers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProviderRequirement {
    /// The name it has inside of the module.
    pub name: String,
    /// Its address in a registry, such as `hashicorp/google`.
    pub source: Option<String>,
    /// The constraint on its version, such as `~> 5.0`.
    pub constraint: Option<String>,
}

/// A call of another module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModuleCall {
    /// The name of the call.
    pub name: String,
    /// Where the called module is, such as `./network` or a registry address.
    pub source: String,
    /// The constraint on its version, if any.
    pub version: Option<String>,
}

/// Something in the sources that was not understood but breaks nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Warning {
    /// The file, relative to the tree that was searched.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What was not understood.
    pub message: String,
}

/// One page of the form a deployer fills in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Page<'a> {
    /// The group of its fields; `None` for the last page, with those that have none.
    pub group: Option<u32>,
    /// The fields, in the order they are asked.
    pub fields: Vec<&'a Variable>,
}

impl Manifest {
    /// Reads the module in a directory; `tree` holds what is below it, with paths relative to it.
    ///
    /// # Errors
    /// Everything that keeps Terraform from reading the directory, with file, line and column.
    pub fn read(name: &str, tree: &SourceTree) -> Result<Self, Vec<SourceError>> {
        let (files, mut errors) = files::read(name, tree);
        let mut declarations = Vec::with_capacity(files.len());
        for file in &files {
            declarations.push(match file.syntax {
                files::Syntax::Native => native::read(file, &mut errors),
                files::Syntax::Json => json::read(file, &mut errors),
            });
        }
        let mut manifest = merge::merge(declarations, &mut errors);
        if !errors.is_empty() {
            errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            errors.dedup();
            return Err(errors);
        }
        manifest.name = name.to_owned();
        manifest.readme = readme(tree);
        manifest.documentation.clone_from(&manifest.metadata.documentation);
        manifest.description = match &manifest.metadata.description {
            Some(description) => description.clone(),
            None => manifest.readme.as_deref().map(first_paragraph).unwrap_or_default(),
        };
        Ok(manifest)
    }

    /// What no run may have, whether or not the rest can be read: `encryption` of the state, whose programs OpenTofu would
    /// start before anything is planned, and files that only OpenTofu reads.
    pub fn forbidden(tree: &SourceTree) -> Option<SourceError> {
        let errors = Self::read("", tree).err()?;
        errors.into_iter().find(|error| [ENCRYPTION, ONLY_TOFU].contains(&error.message.as_str()))
    }

    /// The variable of a name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// The pages of the deployer's form: by group, fields by order and then as declared.
    ///
    /// Metadata variables and group 0 are not asked of the deployer; fields without a group come last.
    pub fn pages(&self) -> Vec<Page<'_>> {
        let asked = |variable: &&Variable| self.is_asked(variable);
        let groups: BTreeSet<(bool, Option<u32>)> =
            self.variables.iter().filter(asked).map(|v| (v.hints.group.is_none(), v.hints.group)).collect();
        groups
            .into_iter()
            .map(|(_, group)| {
                let of_group = |variable: &&Variable| variable.hints.group == group;
                Page { group, fields: ordered(self.variables.iter().filter(asked).filter(of_group)) }
            })
            .collect()
    }

    /// What is asked of the publisher: the variables of group 0, but for those the platform sets itself.
    pub fn publish_fields(&self) -> Vec<&Variable> {
        ordered(self.variables.iter().filter(|v| v.hints.group == Some(0) && v.name != "deployment_id"))
    }

    /// The metadata with the values a publisher gave for group 0.
    ///
    /// # Errors
    /// One problem for each value that its metadata variable cannot take, such as a negative cost.
    pub fn metadata_with(&self, published: &Values) -> Result<Metadata, Vec<ValueProblem>> {
        let mut metadata = self.metadata.clone();
        let mut problems = Vec::new();
        for variable in self.publish_fields().into_iter().filter(|variable| is_metadata(&variable.name)) {
            let Some(value) = published.get(&variable.name).filter(|value| !super::check::is_empty(value))
            else {
                continue;
            };
            if let Err(message) = metadata.set(&variable.name, value) {
                problems.push(ValueProblem::new(&variable.name, "", message));
            }
        }
        if problems.is_empty() { Ok(metadata) } else { Err(problems) }
    }

    /// Whether the deployer is asked for a variable.
    pub fn is_asked(&self, variable: &Variable) -> bool {
        variable.hints.group != Some(0) && !is_metadata(&variable.name)
    }
}

fn ordered<'a>(fields: impl Iterator<Item = &'a Variable>) -> Vec<&'a Variable> {
    let mut fields: Vec<&Variable> = fields.collect();
    fields.sort_by_key(|variable| (variable.hints.order.is_none(), variable.hints.order));
    fields
}

fn readme(tree: &SourceTree) -> Option<String> {
    let name = tree.iter().map(|(path, _)| path).find(|path| path.eq_ignore_ascii_case("readme.md"))?;
    let bytes = tree.file(name)?;
    let kept = bytes.get(..MAX_README).unwrap_or(bytes);
    Some(String::from_utf8_lossy(kept).trim_start_matches('\u{feff}').to_owned())
}

/// The first lines of prose, without headings, badges, lists, tables and code.
fn first_paragraph(readme: &str) -> String {
    let prose = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with(['#', '!', '[', '<', '|', '`', '-', '*', '=', '>', ':'])
    };
    let paragraph: Vec<&str> = readme.lines().skip_while(|line| !prose(line)).take_while(prose).collect();
    paragraph.join(" ").chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paragraph_is_prose() {
        assert_eq!(first_paragraph("# Title\n\n![badge](x)\nOne\ntwo.\n\nThree."), "One two.");
        assert_eq!(first_paragraph("# Title only\n- a\n"), "");
    }
}
