//! A variable of a module.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::hints::UiHints;
use super::types::Type;

/// A variable of a module, as its sources declare it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Variable {
    /// The name.
    pub name: String,
    /// What values it takes.
    #[serde(rename = "type")]
    pub ty: Type,
    /// The value it has when none is given, converted to its type; `None` means that one must be given, unless
    /// [`default_in_source`](Self::default_in_source).
    ///
    /// `Some(Json::Null)` is a default of null.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// Whether it has a default that [`default`](Self::default) does not hold: one with a number that has more digits than
    /// are kept here. It is left to Terraform, which keeps it exactly, and what depends on it is deferred.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default_in_source: bool,
    /// What it is for, without the UI hints.
    #[serde(default)]
    pub description: String,
    /// Whether its value must not be shown.
    #[serde(default)]
    pub sensitive: bool,
    /// Whether it may be null. If not, null stands for the default.
    pub nullable: bool,
    /// Whether its value is left out of plan and state.
    #[serde(default)]
    pub ephemeral: bool,
    /// The conditions a value must fulfil.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validations: Vec<Validation>,
    /// How the form shows it.
    #[serde(default)]
    pub hints: UiHints,
    /// The file it is declared in, relative to the tree that was searched.
    pub file: String,
    /// The line it is declared in, from 1.
    pub line: u32,
}

impl Variable {
    /// Whether a value must be given: there is no default, or the UI hints insist on one.
    pub const fn required(&self) -> bool {
        (self.default.is_none() && !self.default_in_source) || self.hints.required
    }
}

/// A `validation` block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Validation {
    /// The source text of the condition, which is a valid expression.
    pub condition: String,
    /// What its author tells people whose value does not fulfil it; source text of a template if it is `computed`.
    pub error_message: String,
    /// Whether the message is an expression, such as one that quotes the value.
    #[serde(default)]
    pub computed: bool,
}

/// Keeps `null` apart from an absent field, which serde takes for the same.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}
