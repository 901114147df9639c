//! Puts the files of a module together: duplicates, overriding files, defaults, hints and metadata.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::convert::convert;
use super::declarations::{
    Declarations, Declared, DefaultDraft, ModuleDraft, OutputDraft, ResourceKey, ResourceKind, VariableDraft,
    count,
};
use super::hints::{Described, describe};
use super::manifest::{Manifest, ProviderRequirement, Warning};
use super::metadata::is_metadata;
use super::source_error::{Place, SourceError};
use super::variable::Variable;

/// The manifest that the files declare together; what is wrong is added to `errors`.
///
/// Files come in the order of [`files::read`](super::files::read): overriding ones last.
pub(super) fn merge(files: Vec<Declarations>, errors: &mut Vec<SourceError>) -> Manifest {
    let mut variables = Named::new("variable");
    let mut outputs = Named::new("output");
    let mut modules = Named::new("module");
    let mut resources = Named::new("resource");
    let mut manifest = Manifest::default();
    let mut versions = Vec::new();
    for file in files {
        let origin = Origin { file: file.file, overriding: file.overriding };
        variables.add_all(&origin, file.variables, override_variable, errors);
        outputs.add_all(&origin, file.outputs, override_output, errors);
        modules.add_all(&origin, file.modules, override_module, errors);
        resources.add_all(&origin, file.resources, |_, _| (), errors);
        if origin.overriding && !file.required_versions.is_empty() {
            versions.clear();
        }
        versions.extend(file.required_versions);
        file.providers.into_iter().for_each(|provider| add_provider(&mut manifest, provider));
        manifest.warnings.extend(file.warnings);
    }
    manifest.required_version = (!versions.is_empty()).then(|| versions.join(", "));
    manifest.outputs = outputs.items.into_iter().map(|(_, _, draft)| draft.finish()).collect();
    manifest.module_calls = modules.items.into_iter().map(|(_, _, draft)| draft.finish()).collect();
    let keys = || resources.items.iter().map(|(_, _, key)| key);
    manifest.resources = count(keys(), ResourceKind::Resource);
    manifest.data_sources = count(keys(), ResourceKind::Data);
    for (file, place, draft) in variables.items {
        add_variable(&mut manifest, file, place, draft, errors);
    }
    check_depends_on(&mut manifest);
    manifest
}

/// The calls of modules that the files declare together: file, place and source of each.
pub(super) fn module_calls(files: Vec<Declarations>) -> Vec<(String, Place, Option<String>)> {
    let mut modules = Named::new("module");
    for file in files {
        let origin = Origin { file: file.file, overriding: file.overriding };
        modules.add_all(&origin, file.modules, override_module, &mut Vec::new());
    }
    modules.items.into_iter().map(|(file, place, draft)| (file, place, draft.source)).collect()
}

struct Origin {
    file: String,
    overriding: bool,
}

/// Declarations of one kind in the order they are found, each name once.
struct Named<T> {
    kind: &'static str,
    index: HashMap<String, usize>,
    items: Vec<(String, Place, T)>,
}

/// Under which name a declaration may exist only once.
trait Name {
    fn name(&self) -> String;
}

impl Name for VariableDraft {
    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Name for OutputDraft {
    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Name for ModuleDraft {
    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Name for ResourceKey {
    fn name(&self) -> String {
        let prefix = if self.kind == ResourceKind::Data { "data." } else { "" };
        format!("{prefix}{}.{}", self.ty, self.name)
    }
}

impl<T: Name> Named<T> {
    fn new(kind: &'static str) -> Self {
        Self { kind, index: HashMap::new(), items: Vec::new() }
    }

    fn add_all(
        &mut self,
        origin: &Origin,
        found: Vec<Declared<T>>,
        overrule: impl Fn(&mut T, T),
        errors: &mut Vec<SourceError>,
    ) {
        for Declared { place, what } in found {
            let name = what.name();
            match (entry(&mut self.index, name), origin.overriding) {
                (Entry::Vacant(free), false) => {
                    free.insert(self.items.len());
                    self.items.push((origin.file.clone(), place, what));
                }
                (Entry::Occupied(taken), true) => {
                    if let Some((_, _, base)) = self.items.get_mut(*taken.get()) {
                        overrule(base, what);
                    }
                }
                (Entry::Occupied(taken), false) => {
                    let first = self.items.get(*taken.get());
                    let first = first.map(|(file, place, _)| format!("{file}:{place}")).unwrap_or_default();
                    let message =
                        format!("the {} {:?} is declared twice: first at {first}", self.kind, taken.key());
                    errors.push(SourceError::new(&origin.file, place, message));
                }
                (Entry::Vacant(free), true) => {
                    let message = format!("there is no {} {:?} to override", self.kind, free.key());
                    errors.push(SourceError::new(&origin.file, place, message));
                }
            }
        }
    }
}

fn entry<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K) -> Entry<'_, K, V> {
    map.entry(key)
}

fn override_variable(base: &mut VariableDraft, over: VariableDraft) {
    // Terraform keeps the validations of the overridden block.
    base.ty = over.ty.or(base.ty.take());
    base.default = over.default.or(base.default.take());
    base.description = over.description.or(base.description.take());
    base.sensitive = over.sensitive.or(base.sensitive);
    base.nullable = over.nullable.or(base.nullable);
    base.ephemeral = over.ephemeral.or(base.ephemeral);
}

fn override_output(base: &mut OutputDraft, over: OutputDraft) {
    base.description = over.description.or(base.description.take());
    base.sensitive = over.sensitive.or(base.sensitive);
}

fn override_module(base: &mut ModuleDraft, over: ModuleDraft) {
    base.source = over.source.or(base.source.take());
    base.version = over.version.or(base.version.take());
}

/// A provider named again takes the place of the first.
fn add_provider(manifest: &mut Manifest, provider: ProviderRequirement) {
    match manifest.required_providers.iter_mut().find(|known| known.name == provider.name) {
        Some(known) => *known = provider,
        None => manifest.required_providers.push(provider),
    }
}

fn add_variable(
    manifest: &mut Manifest,
    file: String,
    place: Place,
    draft: VariableDraft,
    errors: &mut Vec<SourceError>,
) {
    let mut fail = |message: String| errors.push(SourceError::new(&file, place, message));
    let ty = draft.ty.unwrap_or_default();
    let nullable = draft.nullable.unwrap_or(true);
    let default_in_source = matches!(draft.default, Some(DefaultDraft::InSource));
    let default = match draft.default {
        Some(DefaultDraft::Value(default)) => Some(default),
        _ => None,
    };
    let default = default.map(|default| match convert(&default, &ty) {
        Ok(default) => {
            if default.is_null() && !nullable {
                fail(format!(
                    "the default of variable {:?} is null, but the variable is not nullable",
                    draft.name
                ));
            }
            default
        }
        Err(e) => {
            fail(format!("the default of variable {:?} does not suit its type {ty}: {e}", draft.name));
            default
        }
    });
    if is_metadata(&draft.name)
        && let Some(default) = &default
        && let Err(message) = manifest.metadata.set(&draft.name, default)
    {
        fail(message);
    }
    if is_metadata(&draft.name) && default_in_source {
        fail(format!("the default of {:?} has a number with more digits than are kept", draft.name));
    }
    let Described { text, hints, warnings } = describe(draft.description.as_deref().unwrap_or(""));
    manifest.warnings.extend(warnings.into_iter().map(|message| Warning {
        file: file.clone(),
        line: place.line,
        message: format!("variable {:?}: {message}", draft.name),
    }));
    manifest.variables.push(Variable {
        name: draft.name,
        ty,
        default,
        default_in_source,
        description: text,
        sensitive: draft.sensitive.unwrap_or(false),
        nullable,
        ephemeral: draft.ephemeral.unwrap_or(false),
        validations: draft.validations,
        hints,
        file,
        line: place.line,
    });
}

/// Warns of expressions over variables that do not exist; such a field is always shown.
fn check_depends_on(manifest: &mut Manifest) {
    let names: std::collections::HashSet<&str> = manifest.variables.iter().map(|v| v.name.as_str()).collect();
    let unknown = |variable: &Variable| {
        let depends_on = variable.hints.depends_on.as_ref()?;
        let name = depends_on.subjects().into_iter().find(|name| !names.contains(name))?;
        let message = format!("variable {:?}: dependson names {name:?}, which is no variable", variable.name);
        Some(Warning { file: variable.file.clone(), line: variable.line, message })
    };
    let found: Vec<(usize, Warning)> =
        manifest.variables.iter().enumerate().filter_map(|(i, v)| unknown(v).map(|w| (i, w))).collect();
    for (index, warning) in found {
        if let Some(variable) = manifest.variables.get_mut(index) {
            variable.hints.depends_on = None;
        }
        manifest.warnings.push(warning);
    }
}
