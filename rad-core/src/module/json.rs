//! Declarations of a file in Terraform's JSON syntax.
//!
//! See <https://developer.hashicorp.com/terraform/language/syntax/json>: blocks are properties by kind and label, a
//! block that may repeat may be a list, expressions are strings, `//` is a comment.

use std::fmt;

use hcl_edit::parser::{parse_expr, parse_template};
use hcl_edit::template::Element;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::convert::convert;
use super::declarations::{
    ARGUMENTS, BLOCKS, Declarations, Declared, DefaultDraft, ENCRYPTION, ModuleDraft, OutputDraft,
    ResourceKey, ResourceKind, VariableDraft, validation,
};
use super::files::SourceFile;
use super::manifest::ProviderRequirement;
use super::source_error::{LineIndex, Place, SourceError, saturate};
use super::types::Type;
use super::value::parse_number;

/// Reads a file; what is wrong with it is added to `errors`.
pub(super) fn read(file: &SourceFile<'_>, errors: &mut Vec<SourceError>) -> Declarations {
    let empty =
        Declarations { file: file.path.clone(), overriding: file.overriding, ..Declarations::default() };
    let root = match serde_json::from_str::<Tree>(file.text) {
        Ok(mut root) => {
            root.hold_to(&mut numbers(file.text));
            root
        }
        Err(e) => {
            let at = Place { line: saturate(e.line().max(1)), column: saturate(e.column().max(1)) };
            let message = e.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            errors.push(SourceError::new(&file.path, at, format!("not JSON: {message}")));
            return empty;
        }
    };
    let mut reader = Reader { text: file.text, lines: LineIndex::new(file.text), found: empty, errors };
    reader.root(&root);
    reader.found
}

/// The numbers of a JSON text as they are written, in their order.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let at = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit())?;
            let (_, found) = rest.split_at(at);
            if let Some(string) = found.strip_prefix('"') {
                rest = after_string(string);
                continue;
            }
            let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
            let (number, after) = found.split_at(found.find(|c| !is_part(c)).unwrap_or(found.len()));
            rest = after;
            return Some(number);
        }
    })
}

/// What follows the quotation mark that ends a string.
fn after_string(string: &str) -> &str {
    let mut escaped = false;
    let end = string.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.and_then(|end| string.get(end + 1..)).unwrap_or_default()
}

/// JSON with the order and the repetitions of its properties.
#[derive(Debug)]
enum Tree {
    Simple(Json),
    /// A number that is not kept exactly.
    Inexact,
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn as_str(&self) -> Option<&str> {
        match self {
            Self::Simple(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The last property of a name.
    fn property(&self, name: &str) -> Option<&Tree> {
        match self {
            Self::Object(properties) => properties.iter().rev().find(|(key, _)| key == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The properties of an object, or of every object in a list, without comments.
    fn properties(&self) -> Vec<(&str, &Tree)> {
        match self {
            Self::Simple(_) | Self::Inexact => Vec::new(),
            Self::Array(items) => items.iter().flat_map(Self::properties).collect(),
            Self::Object(properties) => properties
                .iter()
                .filter(|(key, _)| key != "//")
                .map(|(key, value)| (key.as_str(), value))
                .collect(),
        }
    }

    /// Whether blocks can stand here: an object or a list of objects.
    fn is_objects(&self) -> bool {
        match self {
            Self::Simple(_) | Self::Inexact => false,
            Self::Array(items) => items.iter().all(|item| matches!(item, Self::Object(_))),
            Self::Object(_) => true,
        }
    }

    /// The blocks that one object or a list of objects stands for.
    fn blocks(&self) -> Vec<&Tree> {
        match self {
            Self::Array(items) => items.iter().collect(),
            single => vec![single],
        }
    }

    /// The value; `None` if a number in it is not kept exactly.
    fn to_json(&self) -> Option<Json> {
        match self {
            Self::Simple(value) => Some(value.clone()),
            Self::Inexact => None,
            Self::Array(items) => items.iter().map(Self::to_json).collect::<Option<_>>().map(Json::Array),
            Self::Object(properties) => properties
                .iter()
                .map(|(key, value)| Some((key.clone(), value.to_json()?)))
                .collect::<Option<_>>()
                .map(Json::Object),
        }
    }

    /// Holds each number against how it is written, of which `written` has one after the other.
    fn hold_to<'a>(&mut self, written: &mut impl Iterator<Item = &'a str>) {
        match self {
            Self::Simple(Json::Number(number)) => {
                let exact = written.next().and_then(parse_number);
                if exact.is_none() || exact != parse_number(&number.to_string()) {
                    *self = Self::Inexact;
                }
            }
            Self::Simple(_) | Self::Inexact => {}
            Self::Array(items) => items.iter_mut().for_each(|item| item.hold_to(written)),
            Self::Object(properties) => properties.iter_mut().for_each(|(_, value)| value.hold_to(written)),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    lines: LineIndex,
    found: Declarations,
    errors: &'a mut Vec<SourceError>,
}

impl Reader<'_> {
    /// Where the property of the last name stands, found by looking for the names one after the other.
    fn place(&self, names: &[&str]) -> Place {
        let mut offset = 0;
        for name in names {
            let quoted = Json::from(*name).to_string();
            let Some(found) = self.text.get(offset..).and_then(|rest| rest.find(&quoted)) else { break };
            offset += found;
        }
        self.lines.place(self.text, offset)
    }

    fn error(&mut self, names: &[&str], message: impl Into<String>) {
        let place = self.place(names);
        self.errors.push(SourceError::new(&self.found.file, place, message));
    }

    fn root(&mut self, root: &Tree) {
        if !root.is_objects() {
            return self.error(&[], "the file must be a JSON object, or a list of them");
        }
        for (kind, blocks) in root.properties() {
            if !BLOCKS.iter().any(|(name, _)| *name == kind) {
                self.error(&[kind], format!("Terraform knows no block {kind:?} here"));
                continue;
            }
            if !blocks.is_objects() {
                self.error(&[kind], format!("{kind:?} must be a JSON object, or a list of them"));
                continue;
            }
            match kind {
                "variable" => self.labelled(kind, blocks, Self::variable),
                "output" => self.labelled(kind, blocks, Self::output),
                "module" => self.labelled(kind, blocks, Self::module),
                "resource" => self.resources(kind, ResourceKind::Resource, blocks),
                "data" => self.resources(kind, ResourceKind::Data, blocks),
                "terraform" => blocks.blocks().into_iter().for_each(|block| self.terraform(block)),
                _ => {}
            }
        }
    }

    fn labelled(&mut self, kind: &str, blocks: &Tree, read: fn(&mut Self, &str, &Tree, Place)) {
        for (name, bodies) in blocks.properties() {
            let place = self.place(&[kind, name]);
            self.found.check_name(kind, name, place, self.errors);
            for body in bodies.blocks() {
                match body {
                    Tree::Object(_) => read(self, name, body, place),
                    _ => self.error(&[kind, name], format!("the {kind} {name:?} must be an object")),
                }
            }
        }
    }

    fn variable(&mut self, name: &str, body: &Tree, place: Place) {
        let mut draft = VariableDraft { name: name.to_owned(), ..VariableDraft::default() };
        let path = ["variable", name];
        for (key, value) in body.properties() {
            match key {
                "type" => match value.as_str().map(str::parse::<Type>) {
                    Some(Ok(ty)) => draft.ty = Some(ty),
                    Some(Err(e)) => self.error(&path, format!("the type of variable {name:?}: {e}")),
                    None => self.error(&path, format!("the type of variable {name:?} must be a string")),
                },
                "default" => {
                    draft.default = Some(match value.to_json() {
                        Some(default) => DefaultDraft::Value(default),
                        None => DefaultDraft::InSource,
                    });
                }
                "description" => draft.description = value.as_str().map(str::to_owned),
                "sensitive" => draft.sensitive = self.flag(&path, key, value),
                "nullable" => draft.nullable = self.flag(&path, key, value),
                "ephemeral" => draft.ephemeral = self.flag(&path, key, value),
                "validation" => {
                    for block in value.blocks() {
                        self.validation(&path, block, &mut draft);
                    }
                }
                known if ARGUMENTS.contains(&known) => {}
                unknown => {
                    let message =
                        format!("a variable has no argument {unknown:?}: it takes {}", ARGUMENTS.join(", "));
                    self.error(&path, message);
                }
            }
        }
        self.found.variables.push(Declared { place, what: draft });
    }

    fn flag(&mut self, path: &[&str], key: &str, value: &Tree) -> Option<bool> {
        match convert(&value.to_json().unwrap_or_default(), &Type::Bool) {
            Ok(Json::Bool(value)) => Some(value),
            _ => {
                self.error(path, format!("{key} must be true or false"));
                None
            }
        }
    }

    fn validation(&mut self, path: &[&str], block: &Tree, draft: &mut VariableDraft) {
        let condition = block.property("condition").and_then(Tree::as_str).map(expression_source);
        if let Some(condition) = &condition
            && let Err(e) = parse_expr(condition)
        {
            let message = format!("the condition of variable {:?}: {}", draft.name, e.message());
            return self.error(path, message);
        }
        let message = block.property("error_message").and_then(Tree::as_str).map(|text| {
            let computed =
                parse_template(text).is_ok_and(|t| t.iter().any(|part| !matches!(part, Element::Literal(_))));
            if computed {
                (format!("\"{}\"", text.replace('"', "\\\"")), true)
            } else {
                (text.to_owned(), false)
            }
        });
        match validation(&draft.name, condition, message) {
            Ok(validation) => draft.validations.push(validation),
            Err(message) => self.error(path, message),
        }
    }

    fn output(&mut self, name: &str, body: &Tree, place: Place) {
        if !self.found.overriding && body.property("value").is_none() {
            self.error(&["output", name], format!("the output {name:?} has no value"));
        }
        let sensitive = body.property("sensitive").and_then(|v| self.flag(&["output", name], "sensitive", v));
        let description = body.property("description").and_then(Tree::as_str).map(str::to_owned);
        let what = OutputDraft { name: name.to_owned(), description, sensitive };
        self.found.outputs.push(Declared { place, what });
    }

    fn module(&mut self, name: &str, body: &Tree, place: Place) {
        let text = |key| body.property(key).and_then(Tree::as_str).map(str::to_owned);
        if !self.found.overriding && text("source").is_none() {
            self.error(&["module", name], format!("the call of module {name:?} has no source"));
        }
        let what = ModuleDraft { name: name.to_owned(), source: text("source"), version: text("version") };
        self.found.modules.push(Declared { place, what });
    }

    fn resources(&mut self, block: &str, kind: ResourceKind, types: &Tree) {
        for (ty, names) in types.properties() {
            for (name, bodies) in names.properties() {
                let place = self.place(&[block, ty, name]);
                self.found.check_name("resource", name, place, self.errors);
                for _ in bodies.blocks() {
                    let what = ResourceKey { kind, ty: ty.to_owned(), name: name.to_owned() };
                    self.found.resources.push(Declared { place, what });
                }
            }
        }
    }

    fn terraform(&mut self, block: &Tree) {
        let version = block.property("required_version").and_then(Tree::as_str);
        self.found.required_versions.extend(version.map(str::to_owned));
        if block.property("encryption").is_some() {
            self.error(&["terraform", "encryption"], ENCRYPTION);
        }
        for (name, value) in block.property("required_providers").map(Tree::properties).unwrap_or_default() {
            let text = |key| value.property(key).and_then(Tree::as_str).map(str::to_owned);
            self.found.providers.push(ProviderRequirement {
                name: name.to_owned(),
                source: text("source"),
                constraint: value.as_str().map(str::to_owned).or_else(|| text("version")),
            });
        }
    }
}

/// The expression inside of `"${…}"`; any other string is a template.
fn expression_source(text: &str) -> String {
    let text = text.trim();
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match inner {
        Some(inner) if parse_expr(inner.trim()).is_ok() => inner.trim().to_owned(),
        _ => format!("\"{}\"", text.replace('"', "\\\"")),
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Simple(Json::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Simple(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Simple(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Simple(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Simple(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Simple(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut properties = Vec::new();
        while let Some(property) = access.next_entry()? {
            properties.push(property);
        }
        Ok(Tree::Object(properties))
    }
}
