//! Manifests as JSON Schema, so that any front end can draw the form and check what is typed before it asks us.
//!
//! The dialect is that of <https://json-schema.org/draft/2020-12/schema>. What JSON Schema has no word for stands under the
//! keyword `x-rad`, which validators pass over.

use serde_json::{Map, Value as Json, json};

use super::convert::convert;
use super::manifest::Manifest;
use super::types::{Attribute, Type};
use super::variable::{Validation, Variable};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The keyword for what JSON Schema has no word for.
const HINTS: &str = "x-rad";

impl Manifest {
    /// The form of a deployer as a JSON Schema: an object with a property for every variable that is asked.
    ///
    /// It takes values as Terraform keeps them. Terraform converts others, such as `"443"` for a number, and so does
    /// [`check`](Self::check), which has the last word: conditions of `validation` blocks, and fields that are only asked
    /// while others have certain values, are told under `x-rad` and not by the schema.
    ///
    /// `x-rad` of the object has `module`, `creditCost` (credits, as text), `requireCreditPurchases` and `pages`: the
    /// names of the fields of each page, with its `group`. `x-rad` of a property has `type` (the type constraint) and,
    /// where there is something to say, `group`, `order`, `updateSafe`, `dependsOn`, `ephemeral` and `validations` with
    /// `condition`, `errorMessage` and `computed`.
    ///
    /// ```
    /// use rad_core::module::Manifest;
    /// use rad_core::source::SourceTree;
    ///
    /// let mut tree = SourceTree::default();
    /// tree.insert_file("main.tf", "variable \"zone\" {\n  type = string\n}\n")?;
    /// let schema = Manifest::read("network", &tree).unwrap().deploy_schema();
    /// assert_eq!(schema["properties"]["zone"]["type"], "string");
    /// assert_eq!(schema["required"], serde_json::json!(["zone"]));
    /// # Ok::<(), rad_core::source::PathError>(())
    /// ```
    pub fn deploy_schema(&self) -> Json {
        let pages = self.pages();
        let names = |fields: &[&Variable]| Json::from_iter(fields.iter().map(|field| field.name.as_str()));
        let hints = json!({
            "module": self.name,
            "creditCost": self.metadata.credit_cost.to_string(),
            "requireCreditPurchases": self.metadata.require_credit_purchases,
            "pages": Json::from_iter(
                pages.iter().map(|page| json!({ "group": page.group, "fields": names(&page.fields) }))
            ),
        });
        self.form(pages.iter().flat_map(|page| &page.fields).copied(), hints)
    }

    /// The form of a publisher as a JSON Schema, in the same terms: the variables of group 0.
    pub fn publish_schema(&self) -> Json {
        self.form(self.publish_fields().into_iter(), json!({ "module": self.name }))
    }

    fn form<'a>(&self, fields: impl Iterator<Item = &'a Variable>, hints: Json) -> Json {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in fields {
            // A field that is hidden is not required.
            if field.required() && field.hints.depends_on.is_none() {
                required.push(field.name.as_str());
            }
            properties.insert(field.name.clone(), property(field));
        }
        let mut schema = object(properties, required);
        schema.insert("$schema".to_owned(), DIALECT.into());
        schema.insert("title".to_owned(), self.name.as_str().into());
        if !self.description.is_empty() {
            schema.insert("description".to_owned(), self.description.as_str().into());
        }
        schema.insert(HINTS.to_owned(), hints);
        Json::Object(schema)
    }
}

impl Type {
    /// The JSON Schema of values of this type, as [`convert`] gives them: numbers as numbers, sets as arrays without
    /// repetitions, objects with their attributes and no others. Null is a value of every type.
    ///
    /// That all elements of a collection of `any` have one type is more than a schema can say.
    pub fn json_schema(&self) -> Json {
        match self {
            Self::Any => Json::Bool(true),
            _ => {
                let mut schema = self.without_null();
                if let Some(ty) = schema.get_mut("type") {
                    *ty = json!([ty.take(), "null"]);
                }
                Json::Object(schema)
            }
        }
    }

    /// The schema of its values but null.
    fn without_null(&self) -> Map<String, Json> {
        let schema = match self {
            Self::Any => json!({ "not": { "type": "null" } }),
            Self::Bool => json!({ "type": "boolean" }),
            Self::Number => json!({ "type": "number" }),
            Self::String => json!({ "type": "string" }),
            Self::List(element) => json!({ "type": "array", "items": element.json_schema() }),
            Self::Set(element) => {
                json!({ "type": "array", "items": element.json_schema(), "uniqueItems": true })
            }
            Self::Map(element) => json!({ "type": "object", "additionalProperties": element.json_schema() }),
            Self::Object(attributes) => {
                let required = attributes.iter().filter(|(_, attribute)| !attribute.optional);
                let required = required.map(|(name, _)| name.as_str()).collect();
                let properties =
                    attributes.iter().map(|(name, attribute)| (name.clone(), attribute.json_schema()));
                Json::Object(object(properties.collect(), required))
            }
            Self::Tuple(elements) => {
                let schemas: Vec<Json> = elements.iter().map(Self::json_schema).collect();
                match schemas.len() {
                    // An empty list of schemas is not allowed.
                    0 => json!({ "type": "array", "maxItems": 0 }),
                    count => {
                        json!({ "type": "array", "prefixItems": schemas, "items": false, "minItems": count })
                    }
                }
            }
        };
        match schema {
            Json::Object(schema) => schema,
            _ => Map::new(),
        }
    }
}

impl Attribute {
    fn json_schema(&self) -> Json {
        match (self.ty.json_schema(), &self.default) {
            (schema, None) => schema,
            (Json::Object(mut schema), Some(default)) => {
                schema.insert("default".to_owned(), default.clone());
                Json::Object(schema)
            }
            (_, Some(default)) => json!({ "default": default }),
        }
    }
}

fn object(properties: Map<String, Json>, required: Vec<&str>) -> Map<String, Json> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

/// The schema of one field.
fn property(field: &Variable) -> Json {
    // An empty value yields to the default; where one is required there is none.
    let mut schema = match field.required() {
        true => field.ty.without_null(),
        false => field.ty.json_schema().as_object().cloned().unwrap_or_default(),
    };
    if field.required() && field.ty == Type::String {
        schema.insert("minLength".to_owned(), 1.into());
    }
    if field.hints.required && matches!(field.ty, Type::List(_) | Type::Set(_)) {
        schema.insert("minItems".to_owned(), 1.into());
    }
    if !field.hints.options.is_empty() {
        offer(field, &mut schema);
    }
    if !field.description.is_empty() {
        schema.insert("description".to_owned(), field.description.as_str().into());
    }
    if field.sensitive || field.ephemeral {
        schema.insert("writeOnly".to_owned(), true.into());
    } else if let Some(default) = &field.default {
        schema.insert("default".to_owned(), default.clone());
    }
    schema.insert(HINTS.to_owned(), hints(field));
    Json::Object(schema)
}

/// Restricts a field, or each of its elements, to its options.
fn offer(field: &Variable, schema: &mut Map<String, Json>) {
    let choices = |ty: &Type, may_be_null: bool| -> Json {
        let options = field.hints.options.iter().map(|option| convert(&Json::from(option.as_str()), ty));
        options.filter_map(Result::ok).chain(may_be_null.then_some(Json::Null)).collect()
    };
    match &field.ty {
        Type::List(element) | Type::Set(element) => {
            schema.insert("items".to_owned(), json!({ "enum": choices(element, false) }));
        }
        Type::Tuple(_) | Type::Map(_) | Type::Object(_) => {}
        simple => drop(schema.insert("enum".to_owned(), choices(simple, !field.required()))),
    }
}

fn hints(field: &Variable) -> Json {
    let mut hints = Map::new();
    let mut say = |name: &str, value: Json| drop(hints.insert(name.to_owned(), value));
    say("type", field.ty.to_string().into());
    if let Some(group) = field.hints.group {
        say("group", group.into());
    }
    if let Some(order) = field.hints.order {
        say("order", order.into());
    }
    if field.hints.update_safe {
        say("updateSafe", true.into());
    }
    if let Some(expression) = &field.hints.depends_on {
        say("dependsOn", expression.to_string().into());
    }
    if field.ephemeral {
        say("ephemeral", true.into());
    }
    if !field.validations.is_empty() {
        say("validations", field.validations.iter().map(validation).collect());
    }
    Json::Object(hints)
}

fn validation(validation: &Validation) -> Json {
    let Validation { condition, error_message, computed } = validation;
    json!({ "condition": condition, "errorMessage": error_message, "computed": computed })
}
