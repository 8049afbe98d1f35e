//! Where one goes on from what was made: to the operations on that one (OpenAPI 3.1, Link Object).

use super::operations::{OPERATIONS, Operation};
use super::{id, names};
use serde_json::{Map, Value, json};

/// What the path of the one is filled with, in the answer to the POST that makes it.
const MADE: [(&str, &str); 9] = [
    ("/extensions", "/0/number"),
    ("/external-lines", "/account"),
    ("/sip-trunks", "/id"),
    ("/users", "/name"),
    ("/api-keys", "/id"),
    ("/webhooks", "/id"),
    ("/captures", "/id"),
    ("/calls", "/id"),
    ("/backups", "/name"),
];

/// Of the answer to this operation, by the ids of those it leads to.
pub(super) fn of(operation: &Operation) -> Option<Map<String, Value>> {
    let made = MADE.iter().find(|it| operation.method == "POST" && it.0 == operation.path);
    let (path, pointer) = made?;
    let below = format!("{path}/{{");
    let is_one = |it: &&Operation| it.path.starts_with(&below) && names(it.path).count() == 1;
    let link = |it: &Operation| {
        let name = names(it.path).next().unwrap_or_default();
        let parameters = json!({ name: format!("$response.body#{pointer}") });
        (id(it), json!({ "operationId": id(it), "parameters": parameters }))
    };
    Some(OPERATIONS.iter().filter(is_one).map(link).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_made_leads_to_all_that_can_be_done_with_it() {
        let links = |path: &str| {
            let made = OPERATIONS.iter().find(|it| it.method == "POST" && it.path == path);
            of(made.unwrap()).unwrap()
        };
        let of_extension = links("/extensions");
        let ids: Vec<&str> = of_extension.keys().map(String::as_str).collect();
        let expected = [
            "delete_extensions_number",
            "get_extensions_number",
            "patch_extensions_number",
            "post_extensions_number_passwd",
        ];
        assert!(expected.iter().all(|it| ids.contains(it)), "{ids:?}");
        let parameters = &of_extension["get_extensions_number"]["parameters"];
        assert_eq!(parameters, &json!({ "number": "$response.body#/0/number" }));
        for (path, _) in MADE {
            assert!(links(path).len() >= 2, "{path}");
        }
        assert!(of(&OPERATIONS[0]).is_none());
    }
}
