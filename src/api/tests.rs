//! What is served as the description of this API describes it: each route, each code, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn document() -> Value {
    serde_json::from_str(document::DOCUMENT).expect("the document is JSON")
}

/// The keys of an object that are methods of a path.
fn methods(path: &Value) -> impl Iterator<Item = &str> {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let keys = path.as_object().expect("a path is an object").keys();
    keys.map(String::as_str).filter(|key| METHODS.contains(key))
}

#[test]
fn every_route_is_in_the_document_and_the_reverse() {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, item)| methods(item).map(move |method| (path.as_str(), method)))
        .collect();
    let routes = routes();
    let served: BTreeSet<_> = routes
        .iter()
        .flat_map(|route| route.methods.iter().map(move |method| (route.path, *method)))
        .collect();
    assert_eq!(described, served);
}

#[test]
fn the_document_is_of_this_version() {
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_operation_says_what_it_does_and_answers_with_an_example() {
    for (path, item) in document()["paths"].as_object().expect("paths") {
        for method in methods(item) {
            let operation = &item[method];
            let is_text = |field: &str| operation[field].as_str().is_some_and(|text| text.len() > 8);
            assert!(is_text("summary"), "{method} {path}");
            assert!(operation["operationId"].is_string(), "{method} {path}");
            let body = &operation["requestBody"]["content"]["application/json"];
            assert!(
                body.is_null() || body["examples"].is_object(),
                "{method} {path} shows no body"
            );
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn follow(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a reference into the document");
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                fields.values().for_each(|field| follow(field, document));
            }
            Value::Array(items) => items.iter().for_each(|item| follow(item, document)),
            _ => {}
        }
    }
    let document = document();
    follow(&document, &document);
}
