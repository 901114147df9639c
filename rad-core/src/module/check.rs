//! The values of a deployment: layered, converted and checked.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::convert::{convert_value, typed};
use super::declarations::refers_to;
use super::eval::{Verdict, judge, render};
use super::manifest::Manifest;
use super::types::Type;
use super::value::Value;
use super::variable::{Validation, Variable};

/// The values of variables by name, as JSON.
pub type Values = IndexMap<String, Json>;

/// The values of all variables, as they go to Terraform.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckedValues {
    /// By variable, converted to its type, in the order of declaration; none for a variable whose default only
    /// [its source](Variable::default_in_source) has, where nobody chose another.
    pub values: Values,
    /// The variables among them whose values must not be shown.
    pub sensitive: BTreeSet<String>,
    /// Validations that only a plan can decide.
    pub deferred: Vec<DeferredCheck>,
}

/// A validation that cannot be decided before a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeferredCheck {
    /// The variable.
    pub variable: String,
    /// What keeps it from being decided.
    pub reason: String,
}

/// Why a value cannot be taken, to be shown beside its field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{variable}{path}: {message}")]
#[non_exhaustive]
pub struct ValueProblem {
    /// The variable.
    pub variable: String,
    /// Which part of its value, such as `.backup.keep_days` or `[2]`; empty for the whole.
    pub path: String,
    /// What is wrong: for a failed validation the words of the module's author.
    pub message: String,
}

impl ValueProblem {
    /// A problem with a variable; `path` says with which part of its value, empty for the whole.
    pub fn new(variable: &str, path: &str, message: impl Into<String>) -> Self {
        Self { variable: variable.to_owned(), path: path.to_owned(), message: message.into() }
    }
}

/// Whether a value gives way to a lower layer.
pub(super) fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

impl Manifest {
    /// Checks what a deployer typed and puts all layers together, from the lowest to the highest.
    ///
    /// `platform` is what the platform sets for every module, such as `deployment_id`; names no variable has are
    /// passed over. `published` is what the publisher typed for group 0. They are merged as platform settings <
    /// the module's defaults and publish-time values < typed; an empty string or list, or null, never overwrites a
    /// lower layer.
    ///
    /// A field whose `dependson` does not hold is neither required nor taken.
    ///
    /// # Errors
    /// Every problem there is: unknown variables, missing or wrong values, failed validations.
    pub fn check(
        &self,
        platform: &Values,
        published: &Values,
        typed: &Values,
    ) -> Result<CheckedValues, Vec<ValueProblem>> {
        let layers = Layers { platform, published, typed };
        let mut problems = self.unexpected(typed, |variable| self.is_asked(variable));
        let hidden = self.hidden_from(&layers);
        let values = self.convert_all(&layers, &hidden, &mut problems);
        self.finish(values, problems)
    }

    /// Checks what a publisher typed for group 0, apart from the deployers' values.
    ///
    /// # Errors
    /// Unknown variables, wrong or sensitive values, and metadata that a module cannot have.
    pub fn check_publish_values(&self, published: &Values) -> Result<Values, Vec<ValueProblem>> {
        let fields = self.publish_fields();
        let is_field = |variable: &Variable| fields.iter().any(|field| field.name == variable.name);
        let mut problems = self.unexpected(published, is_field);
        let mut values = Values::new();
        for variable in &fields {
            match published.get(&variable.name).filter(|value| !is_empty(value)) {
                Some(_) if variable.sensitive => problems.push(ValueProblem::new(
                    &variable.name,
                    "",
                    "a sensitive value cannot be given when publishing, since a listing is not secret: take \
                     group=0 off its description, and each deployer is asked for it",
                )),
                None if variable.required() && variable.default.as_ref().is_none_or(is_empty) => {
                    problems.push(missing(variable));
                }
                None => {}
                Some(value) => {
                    match accept(variable, value, true).and_then(|value| json(&variable.name, &value)) {
                        Ok(value) => drop(values.insert(variable.name.clone(), value)),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
        }
        problems.extend(self.metadata_with(published).err().into_iter().flatten());
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }

    /// The names of the variables the deployer is not shown for these values, since their `dependson` does not hold.
    pub fn hidden(&self, platform: &Values, published: &Values, typed: &Values) -> HashSet<&str> {
        self.hidden_from(&Layers { platform, published, typed })
    }

    fn hidden_from(&self, layers: &Layers<'_>) -> HashSet<&str> {
        let mut hidden: HashSet<&str> = HashSet::new();
        // What one field hides may hide another: settle, within a bound for expressions that run in a circle.
        for _ in 0..16 {
            let value = |name: &str| {
                let variable = self.variable(name)?;
                let (value, _) =
                    layers.winner(variable, !hidden.contains(name)).unwrap_or((&Json::Null, false));
                // A typed "443" and a default of 443 are the same to the expression.
                Some(super::convert::convert(value, &variable.ty).unwrap_or_else(|_| value.clone()))
            };
            let conditional = self.variables.iter().filter_map(|v| Some((v, v.hints.depends_on.as_ref()?)));
            let next: HashSet<&str> = conditional
                .filter(|(variable, depends_on)| self.is_asked(variable) && !depends_on.holds(value))
                .map(|(variable, _)| variable.name.as_str())
                .collect();
            if next == hidden {
                break;
            }
            hidden = next;
        }
        hidden
    }

    /// One problem for each value of a variable that does not exist or is not asked here.
    fn unexpected(&self, values: &Values, asked: impl Fn(&Variable) -> bool) -> Vec<ValueProblem> {
        let problem = |name: &String| match self.variable(name) {
            None => Some(ValueProblem::new(name, "", "the module has no such variable")),
            Some(variable) if !asked(variable) => Some(ValueProblem::new(name, "", "this is not asked here")),
            Some(_) => None,
        };
        values.keys().filter_map(problem).collect()
    }

    fn convert_all(
        &self,
        layers: &Layers<'_>,
        hidden: &HashSet<&str>,
        problems: &mut Vec<ValueProblem>,
    ) -> BTreeMap<String, Value> {
        let mut values = BTreeMap::new();
        for variable in &self.variables {
            let asked = self.is_asked(variable) && !hidden.contains(variable.name.as_str());
            match settle(variable, layers.winner(variable, asked), asked) {
                Ok(Some(value)) => drop(values.insert(variable.name.clone(), value)),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        values
    }

    fn finish(
        &self,
        values: BTreeMap<String, Value>,
        mut problems: Vec<ValueProblem>,
    ) -> Result<CheckedValues, Vec<ValueProblem>> {
        let mut checked = CheckedValues::default();
        for variable in self.variables.iter().filter(|variable| !values.contains_key(&variable.name)) {
            // Terraform's own default holds.
            checked.deferred.extend(variable.validations.iter().map(|_| DeferredCheck {
                variable: variable.name.clone(),
                reason: format!("the default of var.{} is left to Terraform", variable.name),
            }));
        }
        for variable in self.variables.iter().filter(|variable| values.contains_key(&variable.name)) {
            for validation in &variable.validations {
                match judge(&validation.condition, &values) {
                    Verdict::Accepted => {}
                    Verdict::Refused => {
                        let message = self.message(validation, &values);
                        problems.push(ValueProblem::new(&variable.name, "", message));
                    }
                    Verdict::Failed(reason) => {
                        let message = format!("{} ({reason})", self.message(validation, &values));
                        problems.push(ValueProblem::new(&variable.name, "", message));
                    }
                    Verdict::Deferred(reason) => {
                        checked.deferred.push(DeferredCheck { variable: variable.name.clone(), reason });
                    }
                }
            }
        }
        for variable in &self.variables {
            if let Some(value) = values.get(&variable.name) {
                if variable.sensitive || variable.ephemeral {
                    checked.sensitive.insert(variable.name.clone());
                }
                match json(&variable.name, value) {
                    Ok(value) => drop(checked.values.insert(variable.name.clone(), value)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if problems.is_empty() { Ok(checked) } else { Err(problems) }
    }

    /// The author's words. A message that quotes a sensitive value is not rendered, as in Terraform.
    fn message(&self, validation: &Validation, values: &BTreeMap<String, Value>) -> String {
        if !validation.computed {
            return validation.error_message.trim().to_owned();
        }
        let secret = |variable: &Variable| {
            (variable.sensitive || variable.ephemeral) && refers_to(&validation.error_message, &variable.name)
        };
        if self.variables.iter().any(secret) {
            return "the value is not valid; the reason is not shown because it quotes a sensitive value"
                .to_owned();
        }
        render(&validation.error_message, values).unwrap_or_else(|| "the value is not valid".to_owned())
    }
}

/// Where values come from, from the lowest to the highest; the module's defaults stand between the first two.
#[derive(Clone, Copy)]
struct Layers<'a> {
    platform: &'a Values,
    published: &'a Values,
    typed: &'a Values,
}

impl<'a> Layers<'a> {
    /// The value that wins, and whether somebody chose it: it is not the module's own default.
    fn winner(&self, variable: &'a Variable, asked: bool) -> Option<(&'a Json, bool)> {
        let candidates = [
            (self.platform.get(&variable.name), true),
            (variable.default.as_ref(), false),
            (self.published.get(&variable.name), true),
            (self.typed.get(&variable.name).filter(|_| asked), true),
        ];
        let present = candidates.into_iter().filter_map(|(value, chosen)| Some((value?, chosen)));
        present.reduce(|lower, upper| if is_empty(upper.0) { lower } else { upper })
    }
}

/// The converted value of a variable; `None` if it has none and needs none.
fn settle(
    variable: &Variable,
    value: Option<(&Json, bool)>,
    insists: bool,
) -> Result<Option<Value>, ValueProblem> {
    let value = value.filter(|(value, _)| match value {
        Json::Null => variable.default.is_some(),
        Json::String(text) => !(text.is_empty() && (variable.required() || variable.default_in_source)),
        _ => true,
    });
    match value {
        Some((value, _)) if insists && variable.hints.required && is_empty(value) => Err(missing(variable)),
        Some((value, chosen)) => accept(variable, value, chosen).map(Some),
        None if variable.default_in_source && !(insists && variable.hints.required) => Ok(None),
        None if insists => Err(missing(variable)),
        // Nobody is asked, but Terraform needs a value: null where the variable takes it.
        None if variable.nullable => Ok(Some(Value::Null)),
        None => Err(ValueProblem::new(
            &variable.name,
            "",
            "the module needs a value here but does not ask for it",
        )),
    }
}

fn missing(variable: &Variable) -> ValueProblem {
    ValueProblem::new(&variable.name, "", "a value is required")
}

/// Converts a value and holds it against the options.
fn accept(variable: &Variable, value: &Json, chosen: bool) -> Result<Value, ValueProblem> {
    let value = match value {
        Json::Null if !variable.nullable => variable.default.as_ref().unwrap_or(value),
        value => value,
    };
    let value =
        typed(value, &variable.ty).map_err(|e| ValueProblem::new(&variable.name, &e.path, e.message))?;
    if value == Value::Null && !variable.nullable {
        return Err(missing(variable));
    }
    if chosen && !variable.hints.options.is_empty() {
        options(variable, &value)?;
    }
    Ok(value)
}

fn options(variable: &Variable, value: &Value) -> Result<(), ValueProblem> {
    let options = &variable.hints.options;
    let offered = |value: &Value| match convert_value(value.clone(), &Type::String) {
        Ok(Value::String(text)) => options.contains(&text),
        Ok(_) => true,
        Err(_) => false,
    };
    let fine = match value.items() {
        Some(items) => items.iter().all(offered),
        None => offered(value),
    };
    if fine {
        return Ok(());
    }
    Err(ValueProblem::new(&variable.name, "", format!("choose one of {}", options.join(", "))))
}

fn json(name: &str, value: &Value) -> Result<Json, ValueProblem> {
    value.to_json().map_err(|e| ValueProblem::new(name, "", e.to_string()))
}
