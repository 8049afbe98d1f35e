//! JSON merge patches (RFC 7396) of resources whose changes have a type of their own: `null` is the default.

use super::plain_at;
use crate::outside::Fields;
use crate::resource::Failure;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The change that these fields are; `defaults` is the resource as it is made.
pub(crate) fn merged<T: DeserializeOwned>(fields: Fields, defaults: &Fields) -> Result<T, Failure> {
    let mut change = Fields::new();
    for (name, value) in fields {
        let default = || defaults.get(&name).cloned().unwrap_or_default();
        let value = if value.is_null() { default() } else { value };
        // By itself, so that the one that does not fit can be named.
        let one = Fields::from_iter([(name.clone(), value.clone())]);
        read::<T>(&name, one).map_err(|failure| failure.at(&name))?;
        change.insert(name, value);
    }
    read("", change)
}

fn read<T: DeserializeOwned>(name: &str, fields: Fields) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| Failure::new(422, "invalid", plain_at(name, &error.to_string())))
}
