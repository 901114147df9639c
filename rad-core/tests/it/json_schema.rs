//! Judging JSON by JSON Schema, with a validator that is not ours.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// A schema that the validator has read, and found to suit the schema of its own dialect.
pub(crate) struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    pub(crate) fn new(schema: &Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let name = "judged.schema.json";
        compiler.add_resource(name, schema.clone()).unwrap();
        let index = compiler.compile(name, &mut schemas).unwrap_or_else(|e| panic!("{e:#}: {schema}"));
        Self { schemas, index }
    }

    /// What is wrong with a value; `None` if nothing is.
    pub(crate) fn refusal(&self, value: &Value) -> Option<String> {
        self.schemas.validate(value, self.index).err().map(|error| error.to_string())
    }

    /// Whether nothing is wrong with a value.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        self.refusal(value).is_none()
    }
}
