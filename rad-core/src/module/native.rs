//! Declarations of a file in Terraform's native syntax.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Attribute, Block, Body, Structure};
use hcl_edit::template::Element;
use serde_json::Value as Json;

use super::convert::convert;
use super::declarations::{
    ARGUMENTS, BLOCKS, Declarations, Declared, DefaultDraft, ENCRYPTION, ModuleDraft, OutputDraft,
    ResourceKey, ResourceKind, VariableDraft, validation,
};
use super::eval::{NoConstant, constant};
use super::files::SourceFile;
use super::manifest::ProviderRequirement;
use super::parse::parse;
use super::source_error::{LineIndex, Place, SourceError};
use super::types::Type;

/// Reads a file; what is wrong with it is added to `errors`.
pub(super) fn read(file: &SourceFile<'_>, errors: &mut Vec<SourceError>) -> Declarations {
    let empty =
        Declarations { file: file.path.clone(), overriding: file.overriding, ..Declarations::default() };
    let body = match parse(file.text) {
        Ok(body) => body,
        Err(e) => {
            let at = LineIndex::new(file.text).place(file.text, e.location().offset());
            errors.push(SourceError::new(&file.path, at, e.message()));
            return empty;
        }
    };
    let mut reader = Reader { text: file.text, lines: LineIndex::new(file.text), found: empty, errors };
    reader.body(&body);
    reader.found
}

struct Reader<'a> {
    text: &'a str,
    lines: LineIndex,
    found: Declarations,
    errors: &'a mut Vec<SourceError>,
}

impl Reader<'_> {
    fn place(&self, span: Option<Range<usize>>) -> Place {
        span.map_or(Place::START, |span| self.lines.place(self.text, span.start))
    }

    fn error(&mut self, span: Option<Range<usize>>, message: impl Into<String>) {
        let place = self.place(span);
        self.errors.push(SourceError::new(&self.found.file, place, message));
    }

    fn body(&mut self, body: &Body) {
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    let message = format!("{} = … stands outside of any block", attribute.key.as_str());
                    self.error(attribute.span(), message);
                }
                Structure::Block(block) => self.block(block),
            }
        }
    }

    fn block(&mut self, block: &Block) {
        let kind = block.ident.as_str();
        let Some((_, labels)) = BLOCKS.iter().find(|(name, _)| *name == kind) else {
            return self.error(block.span(), format!("Terraform knows no block {kind:?} here"));
        };
        if block.labels.len() != *labels {
            let message = format!("a block {kind:?} has {labels} labels, not {}", block.labels.len());
            return self.error(block.span(), message);
        }
        let label =
            |index: usize| block.labels.get(index).map(|label| label.as_str().to_owned()).unwrap_or_default();
        let place = self.place(block.span());
        match kind {
            "variable" => self.variable(block, label(0), place),
            "output" => self.output(block, label(0), place),
            "module" => self.module(block, label(0), place),
            "resource" | "data" => {
                let kind = if kind == "data" { ResourceKind::Data } else { ResourceKind::Resource };
                self.found.check_name("resource", &label(1), place, self.errors);
                let what = ResourceKey { kind, ty: label(0), name: label(1) };
                self.found.resources.push(Declared { place, what });
            }
            "terraform" => self.terraform(block),
            _ => {}
        }
    }

    fn variable(&mut self, block: &Block, name: String, place: Place) {
        self.found.check_name("variable", &name, place, self.errors);
        let mut draft = VariableDraft { name, ..VariableDraft::default() };
        for structure in &block.body {
            match structure {
                Structure::Attribute(attribute) => self.argument(attribute, &mut draft),
                Structure::Block(inner) if inner.has_ident("validation") => {
                    self.validation(inner, &mut draft)
                }
                Structure::Block(inner) => {
                    let message = format!("a variable has no block {:?}", inner.ident.as_str());
                    self.error(inner.span(), message);
                }
            }
        }
        self.found.variables.push(Declared { place, what: draft });
    }

    fn argument(&mut self, attribute: &Attribute, draft: &mut VariableDraft) {
        let value = &attribute.value;
        match attribute.key.as_str() {
            "type" => match Type::from_expression(value) {
                Ok(ty) => draft.ty = Some(ty),
                Err(e) => self.error(value.span(), format!("the type of variable {:?}: {e}", draft.name)),
            },
            "default" => match constant(value) {
                Ok(default) => draft.default = Some(DefaultDraft::Value(default)),
                Err(NoConstant::Inexact(_)) => draft.default = Some(DefaultDraft::InSource),
                Err(e) => self.error(value.span(), format!("the default of variable {:?}: {e}", draft.name)),
            },
            "description" => draft.description = self.literal(attribute),
            "sensitive" => draft.sensitive = self.flag(attribute),
            "nullable" => draft.nullable = self.flag(attribute),
            "ephemeral" => draft.ephemeral = self.flag(attribute),
            known if ARGUMENTS.contains(&known) => {}
            unknown => {
                let message =
                    format!("a variable has no argument {unknown:?}: it takes {}", ARGUMENTS.join(", "));
                self.error(attribute.span(), message);
            }
        }
    }

    fn validation(&mut self, block: &Block, draft: &mut VariableDraft) {
        let condition = block.body.get_attribute("condition").map(|attribute| self.source(&attribute.value));
        let message =
            block.body.get_attribute("error_message").map(|attribute| match literal(&attribute.value) {
                Some(text) => (text, false),
                None => (self.source(&attribute.value), true),
            });
        let known = |structure: &&Structure| {
            structure.as_attribute().is_some_and(|a| a.has_key("condition") || a.has_key("error_message"))
        };
        if let Some(unknown) = block.body.iter().find(|structure| !known(structure)) {
            self.error(unknown.span(), "a validation has only a condition and an error_message");
        }
        match validation(&draft.name, condition, message) {
            Ok(validation) => draft.validations.push(validation),
            Err(message) => self.error(block.span(), message),
        }
    }

    /// The source text of an expression.
    fn source(&self, expression: &Expression) -> String {
        let text = expression.span().and_then(|span| self.text.get(span));
        text.map_or_else(|| expression.to_string(), str::to_owned).trim().to_owned()
    }

    fn output(&mut self, block: &Block, name: String, place: Place) {
        self.found.check_name("output", &name, place, self.errors);
        if !self.found.overriding && block.body.get_attribute("value").is_none() {
            self.error(block.span(), format!("the output {name:?} has no value"));
        }
        let description =
            block.body.get_attribute("description").and_then(|attribute| self.literal(attribute));
        let sensitive = block.body.get_attribute("sensitive").and_then(|attribute| self.flag(attribute));
        self.found.outputs.push(Declared { place, what: OutputDraft { name, description, sensitive } });
    }

    fn module(&mut self, block: &Block, name: String, place: Place) {
        self.found.check_name("module", &name, place, self.errors);
        let source = block.body.get_attribute("source").and_then(|attribute| literal(&attribute.value));
        let version = block.body.get_attribute("version").and_then(|attribute| literal(&attribute.value));
        if !self.found.overriding && block.body.get_attribute("source").is_none() {
            self.error(block.span(), format!("the call of module {name:?} has no source"));
        }
        self.found.modules.push(Declared { place, what: ModuleDraft { name, source, version } });
    }

    fn terraform(&mut self, block: &Block) {
        for structure in &block.body {
            match structure {
                Structure::Attribute(attribute) if attribute.has_key("required_version") => {
                    let version = self.literal(attribute);
                    self.found.required_versions.extend(version);
                }
                Structure::Block(inner) if inner.has_ident("encryption") => {
                    self.error(inner.span(), ENCRYPTION);
                }
                Structure::Block(inner) if inner.has_ident("required_providers") => {
                    for attribute in inner.body.attributes() {
                        let provider = provider(attribute);
                        self.found.providers.push(provider);
                    }
                }
                _ => {}
            }
        }
    }

    /// A text that must be a literal.
    fn literal(&mut self, attribute: &Attribute) -> Option<String> {
        let text = literal(&attribute.value);
        if text.is_none() {
            self.error(attribute.value.span(), format!("{} must be a plain text", attribute.key.as_str()));
        }
        text
    }

    fn flag(&mut self, attribute: &Attribute) -> Option<bool> {
        let value = constant(&attribute.value).ok().and_then(|value| convert(&value, &Type::Bool).ok());
        match value {
            Some(Json::Bool(value)) => Some(value),
            _ => {
                let message = format!("{} must be true or false", attribute.key.as_str());
                self.error(attribute.value.span(), message);
                None
            }
        }
    }
}

/// The text of a string or heredoc without interpolations.
fn literal(expression: &Expression) -> Option<String> {
    match expression {
        Expression::String(text) => Some(text.value().clone()),
        Expression::HeredocTemplate(heredoc) => {
            let mut text = String::new();
            for element in heredoc.template.iter() {
                let Element::Literal(part) = element else { return None };
                text.push_str(part);
            }
            Some(text)
        }
        Expression::Parenthesis(inner) => literal(inner.inner()),
        _ => match constant(expression) {
            Ok(Json::String(text)) => Some(text),
            _ => None,
        },
    }
}

/// `name = { source = …, version = … }` or, as before Terraform 0.13, `name = "constraint"`.
fn provider(attribute: &Attribute) -> ProviderRequirement {
    let mut provider =
        ProviderRequirement { name: attribute.key.as_str().to_owned(), source: None, constraint: None };
    match &attribute.value {
        Expression::Object(entries) => {
            for (key, value) in entries.iter() {
                let key = match key {
                    ObjectKey::Ident(name) => name.as_str(),
                    ObjectKey::Expression(Expression::Variable(name)) => name.as_str(),
                    ObjectKey::Expression(key) => key.as_str().unwrap_or(""),
                };
                match key {
                    "source" => provider.source = literal(value.expr()),
                    "version" => provider.constraint = literal(value.expr()),
                    _ => {}
                }
            }
        }
        constraint => provider.constraint = literal(constraint),
    }
    provider
}
