//! What a form draws: pages of fields, each with what was typed and what is wrong with it.

use std::collections::HashSet;

use askama::Template;
use rad_core::module::{Manifest, Type, ValueProblem, Values, Variable};
use serde_json::Value;

use super::value::{node_of, text_of};
use super::{Node, PREFIX, path_below};
use crate::show;

/// The pages of a form.
#[derive(Debug, Clone)]
pub(crate) struct FormView {
    /// The pages, in order.
    pub(crate) pages: Vec<PageView>,
}

/// A page of a form.
#[derive(Debug, Clone)]
pub(crate) struct PageView {
    /// Counted from 1.
    pub(crate) number: usize,
    /// What stands above it.
    pub(crate) title: String,
    /// The fields.
    pub(crate) fields: Vec<FieldView>,
    /// Whether something on it is wrong.
    pub(crate) has_problems: bool,
}

/// An input, or a group of inputs.
#[derive(Debug, Clone, Template)]
#[template(path = "field.html")]
pub(crate) struct FieldView {
    /// The name of the form field.
    pub(crate) name: String,
    /// What people read.
    pub(crate) label: String,
    /// What it is for.
    pub(crate) help: String,
    /// The type, in Terraform's words; only on the fields of variables.
    pub(crate) ty: String,
    /// Whether it must be filled in.
    pub(crate) required: bool,
    /// Whether it is not asked at the moment, because of what other fields hold.
    pub(crate) hidden: bool,
    /// Whether other fields come and go with it.
    pub(crate) refreshes: bool,
    /// Whether what is typed must not be seen.
    pub(crate) secret: bool,
    /// What is wrong with it.
    pub(crate) problems: Vec<String>,
    /// How it is drawn.
    pub(crate) kind: Kind,
}

/// How a field is drawn.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// One line.
    Line {
        /// What was typed.
        text: String,
        /// Whether it takes numbers.
        number: bool,
    },
    /// Several lines.
    Lines {
        /// What was typed.
        text: String,
    },
    /// A box to tick.
    Tick {
        /// Whether it is ticked.
        on: bool,
    },
    /// A closed choice: value, label, whether it is chosen.
    Choice {
        /// What there is to choose.
        options: Vec<(String, String, bool)>,
    },
    /// Rows that can be added and removed: a list, set or map.
    Rows {
        /// The rows, each with its path and its fields.
        rows: Vec<(String, Vec<FieldView>)>,
    },
    /// Fields that belong together: an object or tuple.
    Group {
        /// The fields.
        fields: Vec<FieldView>,
    },
}

impl FormView {
    /// The form for the deployer of a module: `typed` is what was typed so far, `published` what the publisher set.
    pub(crate) fn for_deployer(
        manifest: &Manifest,
        published: &Values,
        typed: &Node,
        problems: &[ValueProblem],
        hidden: &HashSet<&str>,
    ) -> Self {
        let pages = manifest.pages();
        let titled = pages.len() > 1;
        let pages = pages.into_iter().enumerate().map(|(index, page)| {
            let title = match page.group {
                Some(_) if titled => format!("Step {}", index + 1),
                None if titled => "More options".to_owned(),
                _ => "Values".to_owned(),
            };
            let draw = Draw { manifest, published, typed, problems, hidden, prefix: PREFIX.to_owned() };
            PageView::new(index + 1, title, page.fields.into_iter().map(|variable| draw.variable(variable)))
        });
        Self { pages: pages.collect() }
    }

    /// The form with fields that may stay blank: they keep what is set.
    pub(crate) fn keeping(mut self, kept: &[String]) -> Self {
        for field in self.pages.iter_mut().flat_map(|page| &mut page.fields) {
            if path_below(&field.name, PREFIX).is_some_and(|name| kept.iter().any(|kept| kept == name)) {
                field.required = false;
                let help = field.help.trim_end();
                field.help = format!("{help} It is set: leave it empty to keep it.").trim_start().to_owned();
            }
        }
        self
    }

    /// The number of the first page with something wrong on it.
    pub(crate) fn first_wrong(&self) -> Option<usize> {
        self.pages.iter().find(|page| page.has_problems).map(|page| page.number)
    }

    /// The form for the publisher of a module: its variables of group 0, under `prefix`.
    pub(crate) fn for_publisher(
        manifest: &Manifest,
        published: &Values,
        typed: &Node,
        problems: &[ValueProblem],
        prefix: String,
    ) -> Self {
        let hidden = HashSet::new();
        let draw = Draw { manifest, published, typed, problems, hidden: &hidden, prefix };
        let fields = manifest.publish_fields().into_iter().map(|variable| draw.variable(variable));
        Self { pages: vec![PageView::new(1, "Publish-time values".to_owned(), fields)] }
    }
}

impl PageView {
    fn new(number: usize, title: String, fields: impl Iterator<Item = FieldView>) -> Self {
        let fields: Vec<_> = fields.collect();
        let has_problems = fields.iter().any(FieldView::has_problems);
        Self { number, title, fields, has_problems }
    }
}

impl FieldView {
    /// An id for labels and messages to refer to.
    pub(crate) fn id(&self) -> String {
        self.name.replace('/', "-")
    }

    fn has_problems(&self) -> bool {
        let below = match &self.kind {
            Kind::Rows { rows } => rows.iter().flat_map(|(_, fields)| fields).any(Self::has_problems),
            Kind::Group { fields } => fields.iter().any(Self::has_problems),
            _ => false,
        };
        !self.problems.is_empty() || below
    }
}

struct Draw<'a> {
    manifest: &'a Manifest,
    published: &'a Values,
    typed: &'a Node,
    problems: &'a [ValueProblem],
    hidden: &'a HashSet<&'a str>,
    prefix: String,
}

impl Draw<'_> {
    fn variable(&self, variable: &Variable) -> FieldView {
        let default = self.published.get(&variable.name).or(variable.default.as_ref());
        let default = default.filter(|value| !value.is_null());
        let mut problems: Vec<_> =
            self.problems.iter().filter(|problem| problem.variable == variable.name).collect();
        let shown_default = default.filter(|_| !variable.sensitive);
        let required = variable.required() || variable.hints.required;
        let slot = Slot {
            name: format!("{}/{}", self.prefix, variable.name),
            path: String::new(),
            label: show::humanised(&variable.name),
            options: &variable.hints.options,
            required,
            secret: variable.sensitive,
        };
        let mut field =
            draw(slot, self.typed.child(&variable.name), &variable.ty, shown_default, &mut problems);
        field.problems.extend(problems.into_iter().map(|problem| match problem.path.as_str() {
            "" => problem.message.clone(),
            path => format!("{}: {}", path.trim_start_matches('.'), problem.message),
        }));
        if variable.sensitive && default.is_some() {
            field.required = false;
        }
        FieldView {
            help: variable.description.clone(),
            ty: short_type(&variable.ty),
            hidden: self.hidden.contains(variable.name.as_str()),
            refreshes: self.manifest.variables.iter().any(|other| {
                other.hints.depends_on.as_ref().is_some_and(|on| on.names().contains(variable.name.as_str()))
            }),
            ..field
        }
    }
}

/// Where a field stands in its variable.
struct Slot<'a> {
    name: String,
    path: String,
    label: String,
    options: &'a [String],
    required: bool,
    secret: bool,
}

impl<'a> Slot<'a> {
    fn below(&self, name: &str, step: &str, label: String, required: bool) -> Slot<'a> {
        Slot {
            name: format!("{}/{name}", self.name),
            path: format!("{}{step}", self.path),
            label,
            options: self.options,
            required,
            secret: self.secret,
        }
    }
}

/// Draws a field; problems of exactly its path are taken out of `problems`.
fn draw(
    slot: Slot<'_>,
    typed: Option<&Node>,
    ty: &Type,
    default: Option<&Value>,
    problems: &mut Vec<&ValueProblem>,
) -> FieldView {
    let standing;
    let node = match typed {
        Some(node) => node,
        None => {
            standing = default.map_or(Node::Text(String::new()), |value| node_of(value, ty));
            &standing
        }
    };
    let kind = match ty {
        Type::Object(attributes) => Kind::Group {
            fields: attributes
                .iter()
                .map(|(name, attribute)| {
                    let required = !attribute.optional && slot.required;
                    let below = slot.below(name, &format!(".{name}"), show::humanised(name), required);
                    draw(below, node.child(name), &attribute.ty, attribute.default.as_ref(), problems)
                })
                .collect(),
        },
        Type::Tuple(types) => Kind::Group {
            fields: (0..)
                .zip(types)
                .map(|(index, ty)| {
                    let label = format!("Element {}", index + 1);
                    let below = slot.below(&index.to_string(), &format!("[{index}]"), label, slot.required);
                    draw(below, node.child(&index.to_string()), ty, None, problems)
                })
                .collect(),
        },
        Type::List(inner) | Type::Set(inner) => Kind::Rows { rows: rows(&slot, node, inner, problems) },
        Type::Map(inner) => Kind::Rows { rows: entries(&slot, node, inner, problems) },
        Type::Any => Kind::Lines { text: node.text().unwrap_or_default().to_owned() },
        _ => single(&slot, node.text().unwrap_or_default(), ty, default),
    };
    let (own, rest) = problems.iter().partition(|problem| problem.path == slot.path && !slot.path.is_empty());
    *problems = rest;
    let own: Vec<&ValueProblem> = own;
    FieldView {
        name: slot.name,
        label: slot.label,
        help: String::new(),
        ty: String::new(),
        required: slot.required,
        hidden: false,
        refreshes: false,
        secret: slot.secret,
        problems: own.into_iter().map(|problem| problem.message.clone()).collect(),
        kind,
    }
}

fn single(slot: &Slot<'_>, text: &str, ty: &Type, default: Option<&Value>) -> Kind {
    if !slot.options.is_empty() {
        let mut options: Vec<_> =
            slot.options.iter().map(|value| (value.clone(), value.clone(), value == text)).collect();
        if default.is_none() || !options.iter().any(|(.., chosen)| *chosen) {
            options.insert(0, (String::new(), "Choose…".to_owned(), text.is_empty()));
        }
        // What was typed and is no option is kept, to be seen beside its problem.
        if !text.is_empty() && !options.iter().any(|(.., chosen)| *chosen) {
            options.push((text.to_owned(), text.to_owned(), true));
        }
        return Kind::Choice { options };
    }
    match ty {
        Type::Bool if default.is_none() || !matches!(text, "true" | "false") => Kind::Choice {
            options: [("", "Choose…"), ("true", "Yes"), ("false", "No")]
                .map(|(value, label)| (value.to_owned(), label.to_owned(), value == text))
                .into(),
        },
        Type::Bool => Kind::Tick { on: text == "true" },
        Type::String if text.contains('\n') && !slot.secret => Kind::Lines { text: text.to_owned() },
        _ => Kind::Line { text: text.to_owned(), number: *ty == Type::Number },
    }
}

fn rows(
    slot: &Slot<'_>,
    node: &Node,
    inner: &Type,
    problems: &mut Vec<&ValueProblem>,
) -> Vec<(String, Vec<FieldView>)> {
    let rows = node.rows().into_iter().enumerate().map(|(index, (number, row))| {
        let label = format!("Row {}", index + 1);
        let below = slot.below(&number.to_string(), &format!("[{index}]"), label, inner_required(inner));
        let path = below.name.clone();
        (path, vec![draw(below, typed(row), inner, None, problems)])
    });
    rows.collect()
}

fn entries(
    slot: &Slot<'_>,
    node: &Node,
    inner: &Type,
    problems: &mut Vec<&ValueProblem>,
) -> Vec<(String, Vec<FieldView>)> {
    let rows = node.rows().into_iter().map(|(number, row)| {
        let key = row.child("key").and_then(Node::text).unwrap_or_default();
        let here = slot.below(&number.to_string(), &format!("[{key:?}]"), String::new(), false);
        let mut key_slot = here.below("key", "#key", "Key".to_owned(), false);
        (key_slot.options, key_slot.secret) = (&[], false);
        let key = draw(key_slot, row.child("key"), &Type::String, None, problems);
        let value_slot = here.below("value", "", "Value".to_owned(), inner_required(inner));
        (here.name.clone(), vec![key, draw(value_slot, row.child("value"), inner, None, problems)])
    });
    rows.collect()
}

/// A row that was just added holds nothing typed yet: its defaults stand in it.
fn typed(row: &Node) -> Option<&Node> {
    match row {
        Node::Group(group) if group.is_empty() => None,
        row => Some(row),
    }
}

/// Attributes of an object in a row are asked for; a single blank row is simply left out.
fn inner_required(inner: &Type) -> bool {
    matches!(inner, Type::Object(_))
}

/// A type as long as it says something at a glance: the kind of nested ones only, since their fields show the rest.
fn short_type(ty: &Type) -> String {
    let whole = ty.to_string();
    match whole.split_once('(') {
        Some((kind, _)) if whole.len() > 24 => kind.to_owned(),
        _ => whole,
    }
}

/// A value for tables: on one line if it is short.
pub(crate) fn short_text(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) if value.to_string().len() <= 40 => value.to_string(),
        other => text_of(other),
    }
}
