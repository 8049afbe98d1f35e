//! JSON Schemas of what the API reads and writes, made from the Rust types: a field that may be left out of a request
//! is always there in an answer, so that one type has two schemas where these differ.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Where schemas of answers stand in the document, and for a while those of requests.
const SCHEMAS: &str = "#/components/schemas/";
const INPUTS: &str = "#/components/inputs/";
/// Ends the name of what is read where the same type is written otherwise.
const INPUT: &str = "Input";

pub(super) struct Schemas {
    reading: SchemaGenerator,
    writing: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let at = |path: &'static str| {
            SchemaSettings::draft2020_12().with(|it| {
                it.definitions_path = path.trim_start_matches('#').trim_end_matches('/').into();
                it.meta_schema = None;
            })
        };
        Self {
            reading: at(INPUTS).for_deserialize().into_generator(),
            writing: at(SCHEMAS).for_serialize().into_generator(),
        }
    }

    /// Of what is read.
    pub(super) fn read<T: JsonSchema>(&mut self) -> Value {
        self.reading.subschema_for::<T>().to_value()
    }

    /// The same without a name.
    pub(super) fn inline<T: JsonSchema>(&mut self) -> Value {
        T::json_schema(&mut self.reading).to_value()
    }

    /// Of what is written.
    pub(super) fn written<T: JsonSchema>(&mut self) -> Value {
        self.writing.subschema_for::<T>().to_value()
    }

    /// All that have a name, and the document with references to them in it.
    pub(super) fn finish(mut self, document: &mut Value) -> Map<String, Value> {
        let mut schemas = self.writing.take_definitions(true);
        let inputs = self.reading.take_definitions(true);
        let differing = differing(&inputs, &schemas);
        for (name, schema) in inputs {
            if differing.contains(&name) {
                schemas.insert(name + INPUT, schema);
            } else {
                schemas.entry(name).or_insert(schema);
            }
        }
        settle(document, &differing);
        schemas.values_mut().for_each(|it| settle(it, &differing));
        schemas
    }
}

/// Inputs that cannot stand under their own name: something else is written under it, or they name one of these.
fn differing(inputs: &Map<String, Value>, written: &Map<String, Value>) -> BTreeSet<String> {
    let differs = |(name, schema): &(&String, &Value)| {
        let plain = schema.to_string().replace(INPUTS, SCHEMAS);
        written.get(*name).map(Value::to_string).is_some_and(|it| it != plain)
    };
    let mut found: BTreeSet<String> =
        inputs.iter().filter(differs).map(|(name, _)| name.clone()).collect();
    loop {
        let names = |schema: &Value| {
            let text = schema.to_string();
            found.iter().any(|it| text.contains(&format!("\"{INPUTS}{it}\"")))
        };
        let shared = |name: &String| written.contains_key(name) && !found.contains(name);
        let more: Vec<String> = inputs
            .iter()
            .filter(|(name, schema)| shared(name) && names(schema))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// References lead to where the schemas stand, numbers end where their types end, and links of Rust's documentation
/// are plain words.
fn settle(schema: &mut Value, differing: &BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get_mut("$ref")
                && let Some(name) = to.strip_prefix(INPUTS)
            {
                let end = if differing.contains(name) { INPUT } else { "" };
                *to = format!("{SCHEMAS}{name}{end}");
            }
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`");
            }
            let most = match object.get("format").and_then(Value::as_str) {
                Some("uint32") => Some(u64::from(u32::MAX)),
                Some("uint64" | "uint") => Some(u64::MAX),
                Some(_) | None => None,
            };
            if let Some(most) = most {
                object.entry("maximum").or_insert(most.into());
            }
            object.values_mut().for_each(|it| settle(it, differing));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| settle(it, differing)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(dead_code)]
    use super::*;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Same {
        name: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    #[derive(Default)]
    struct Defaulted {
        calls: u32,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Holder {
        same: Same,
        defaulted: Defaulted,
    }

    #[test]
    fn a_type_that_is_read_otherwise_than_written_has_two_schemas() {
        let mut schemas = Schemas::new();
        let mut document = json!([schemas.read::<Holder>(), schemas.written::<Holder>()]);
        let named = schemas.finish(&mut document);
        let names: Vec<&str> = named.keys().map(String::as_str).collect();
        assert_eq!(names, ["Defaulted", "DefaultedInput", "Holder", "HolderInput", "Same"]);
        assert_eq!(document[0]["$ref"], "#/components/schemas/HolderInput");
        let inner = &named["HolderInput"]["properties"]["defaulted"]["$ref"];
        assert_eq!(inner, "#/components/schemas/DefaultedInput");
        assert_eq!(named["Defaulted"]["required"], json!(["calls"]));
        assert_eq!(named["DefaultedInput"]["required"], Value::Null);
        assert_eq!(named["Defaulted"]["properties"]["calls"]["maximum"], u32::MAX);
    }
}
