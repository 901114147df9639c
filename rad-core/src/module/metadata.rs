//! Metadata variables: the listing of a module, carried in the defaults of variables with certain names.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::convert::convert;
use super::types::Type;
use crate::money::Credits;

/// What a module's metadata variables say. None of them is asked of the deployer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Metadata {
    /// `module_description`: one sentence for the card.
    pub description: Option<String>,
    /// `module_documentation`: where the module is documented.
    pub documentation: Option<String>,
    /// `module_dependency`: modules that must be deployed first.
    pub dependencies: Vec<String>,
    /// `module_services`: what the module sets up.
    pub services: Vec<String>,
    /// `credit_cost`: what one deployment costs, not negative.
    pub credit_cost: Credits,
    /// `require_credit_purchases`: awarded credits may not pay.
    pub require_credit_purchases: bool,
    /// `enable_purge`: stuck deployments may be purged.
    pub enable_purge: bool,
    /// `public_access`: everybody signed in may deploy the module.
    pub public_access: bool,
    /// `trusted_users`: e-mails of people who may deploy it although it is private.
    pub trusted_users: Vec<String>,
    /// `trusted_groups`: e-mails of groups that may.
    pub trusted_groups: Vec<String>,
    /// `shared_users`: e-mails of people the deployments are shared with.
    pub shared_users: Vec<String>,
}

/// The variables that describe a module and what it costs.
const DESCRIBING: [&str; 11] = [
    "credit_cost",
    "enable_purge",
    "module_dependency",
    "module_description",
    "module_documentation",
    "module_services",
    "public_access",
    "require_credit_purchases",
    "shared_users",
    "trusted_groups",
    "trusted_users",
];

/// The variables that the platform sets itself.
const SET_BY_PLATFORM: [&str; 2] = ["deployment_id", "resource_creator_identity"];

/// Whether a variable of this name describes the module: its value is on the listing, and nobody types one to deploy it.
pub fn describes_module(name: &str) -> bool {
    DESCRIBING.contains(&name)
}

/// Whether a variable of this name is no question to anybody.
pub(super) fn is_metadata(name: &str) -> bool {
    describes_module(name) || SET_BY_PLATFORM.contains(&name)
}

impl Metadata {
    /// Takes over the value of one metadata variable; null changes nothing.
    ///
    /// # Errors
    /// What the variable's value must be instead.
    pub(super) fn set(&mut self, name: &str, value: &Json) -> Result<(), String> {
        if value.is_null() {
            return Ok(());
        }
        match name {
            "module_description" => self.description = text(name, value)?,
            "module_documentation" => self.documentation = text(name, value)?,
            "module_dependency" => self.dependencies = list(name, value)?,
            "module_services" => self.services = list(name, value)?,
            "credit_cost" => self.credit_cost = credits(value)?,
            "require_credit_purchases" => self.require_credit_purchases = flag(name, value)?,
            "enable_purge" => self.enable_purge = flag(name, value)?,
            "public_access" => self.public_access = flag(name, value)?,
            "trusted_users" => self.trusted_users = list(name, value)?,
            "trusted_groups" => self.trusted_groups = list(name, value)?,
            "shared_users" => self.shared_users = list(name, value)?,
            _ => {}
        }
        Ok(())
    }
}

fn converted(name: &str, value: &Json, ty: &Type, kind: &str) -> Result<Json, String> {
    convert(value, ty).map_err(|e| format!("{name} must be {kind}: {e}"))
}

fn text(name: &str, value: &Json) -> Result<Option<String>, String> {
    let value = converted(name, value, &Type::String, "a text")?;
    Ok(value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned))
}

fn flag(name: &str, value: &Json) -> Result<bool, String> {
    let value = converted(name, value, &Type::Bool, "true or false")?;
    Ok(value == Json::Bool(true))
}

fn list(name: &str, value: &Json) -> Result<Vec<String>, String> {
    let value = converted(name, value, &Type::List(Box::new(Type::String)), "a list of texts")?;
    let items = value.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::trim);
    Ok(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

fn credits(value: &Json) -> Result<Credits, String> {
    let value = converted("credit_cost", value, &Type::Number, "a number")?;
    let number = super::value::parse_number(&value.to_string());
    let credits = number.and_then(|number| Credits::try_from(number).ok());
    match credits {
        Some(credits) if credits < Credits::ZERO => {
            Err(format!("credit_cost must not be negative, but is {credits}"))
        }
        Some(credits) => Ok(credits),
        None => Err(format!("credit_cost must be a number with at most 6 decimals, but is {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cost_is_a_number_of_credits() {
        let mut metadata = Metadata::default();
        for (value, cost) in
            [(json!(12.5), "12.5"), (json!("100"), "100"), (json!(0), "0"), (json!(null), "0")]
        {
            metadata.set("credit_cost", &value).unwrap();
            assert_eq!(metadata.credit_cost, cost.parse().unwrap());
        }
        for value in [json!(-1), json!("free"), json!([1]), json!(1e30)] {
            assert!(metadata.set("credit_cost", &value).unwrap_err().starts_with("credit_cost"), "{value}");
        }
    }

    #[test]
    fn lists_are_trimmed() {
        let mut metadata = Metadata::default();
        metadata.set("trusted_users", &json!([" partner@example.com ", ""])).unwrap();
        assert_eq!(metadata.trusted_users, ["partner@example.com"]);
        assert!(metadata.set("trusted_users", &json!("partner@example.com")).is_err());
        assert!(metadata.set("public_access", &json!("yes")).is_err());
    }
}
