//! For tests: whether a value is as a schema of the document says. It knows the words that these schemas use.

use serde_json::Value;

/// Says the first place where the value is otherwise.
pub(super) fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {schema} does not take {value}"));
    if let Some(to) = schema["$ref"].as_str() {
        let named = document.pointer(to.trim_start_matches('#'));
        return fits(document, named.ok_or_else(|| format!("no {to}"))?, value);
    }
    let is_of = |it: &Value| it.as_str().is_some_and(|name| is_of(name, value));
    match &schema["type"] {
        Value::Null => {}
        Value::Array(names) if names.iter().any(is_of) => {}
        name if is_of(name) => {}
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            return wrong("type");
        }
    }
    let fitting = |schemas: &Vec<Value>| {
        schemas.iter().filter(|it| fits(document, it, value).is_ok()).count()
    };
    if schema["anyOf"].as_array().is_some_and(|it| fitting(it) == 0) {
        return wrong("anyOf");
    }
    if schema["oneOf"].as_array().is_some_and(|it| fitting(it) != 1) {
        return wrong("oneOf");
    }
    if schema["enum"].as_array().is_some_and(|it| !it.contains(value)) {
        return wrong("enum");
    }
    if schema.get("const").is_some_and(|it| it != value) {
        return wrong("const");
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return wrong(name),
            (Value::Null, Value::Null | Value::Bool(true)) => {}
            (Value::Null, other) => fits(document, other, value)?,
            (known, _) => fits(document, known, value)?,
        }
    }
    let required = schema["required"].as_array().filter(|_| value.is_object());
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    if let Some(name) = required.find(|it| value.get(it).is_none()) {
        return wrong(name);
    }
    let items = value.as_array().filter(|_| schema["items"].is_object());
    items.into_iter().flatten().try_for_each(|it| fits(document, &schema["items"], it))
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
