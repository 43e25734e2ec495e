//! JSON Schema, as far as the API's document uses it for answers. Stricter in one thing: a field that the document does
//! not name is a mistake, although clients have to expect new ones.

use serde_json::Value;

/// Keywords that say nothing about what is valid, or that the fuzzer of `make test` holds answers to: patterns.
const NOTES: &[&str] = &[
    "description",
    "format",
    "default",
    "examples",
    "contentEncoding",
    "pattern",
    "uniqueItems",
];

/// Whether `value` is what `schema` describes, or else what is wrong with it.
pub(crate) fn check(schema: &Value, value: &Value, document: &Value) -> Result<(), String> {
    let keywords = schema.as_object().expect("a schema is an object");
    for (keyword, rule) in keywords {
        let holds = match keyword.as_str() {
            "$ref" => {
                let pointer = rule
                    .as_str()
                    .and_then(|rule| rule.strip_prefix('#'))
                    .expect("a reference");
                check(document.pointer(pointer).expect("it leads somewhere"), value, document)?;
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_of(one, value)),
                one => is_of(one, value),
            },
            "properties" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    let rule = rule.get(name).ok_or_else(|| format!("{name} is not in the document"))?;
                    check(rule, field, document).map_err(|what| format!("{name}: {what}"))?;
                }
                true
            }
            "required" => list(rule)
                .iter()
                .all(|name| value.get(name.as_str().expect("a name")).is_some()),
            "items" => {
                for item in list(value) {
                    check(rule, item, document)?;
                }
                true
            }
            "enum" => list(rule).contains(value),
            "const" => rule == value,
            "minimum" => value.as_f64() >= rule.as_f64(),
            "minItems" => list(value).len() as u64 >= number(rule),
            "maxItems" => list(value).len() as u64 <= number(rule),
            "minLength" => length(value) >= number(rule),
            "maxLength" => length(value) <= number(rule),
            "allOf" => {
                for rule in list(rule) {
                    check(rule, value, document)?;
                }
                true
            }
            "oneOf" => {
                list(rule)
                    .iter()
                    .filter(|rule| check(rule, value, document).is_ok())
                    .count()
                    == 1
            }
            note if NOTES.contains(&note) => true,
            other => panic!("this test does not know what {other} means"),
        };
        if !holds {
            return Err(format!("{value} breaks {keyword}: {rule}"));
        }
    }
    Ok(())
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("the name of a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        other => panic!("this test does not know the type {other}"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn length(value: &Value) -> u64 {
    value.as_str().map_or(0, |text| text.chars().count() as u64)
}

#[test]
fn what_is_wrong_is_found() {
    use serde_json::json;

    let document = json!({ "seq": { "type": "integer", "minimum": 1 } });
    let schema = json!({
        "type": "object", "required": ["seq"],
        "properties": { "seq": { "$ref": "#/seq" }, "data": { "type": ["string", "null"] } },
        "oneOf": [{ "required": ["data"] }, { "required": ["none"] }],
    });
    assert_eq!(check(&schema, &json!({ "seq": 1, "data": null }), &document), Ok(()));
    for wrong in [
        json!([]),
        json!({ "data": "x" }),
        json!({ "seq": 0, "data": "x" }),
        json!({ "seq": "1", "data": "x" }),
        json!({ "seq": 1, "data": 2 }),
        json!({ "seq": 1 }),
        json!({ "seq": 1, "data": "x", "more": true }),
    ] {
        assert!(check(&schema, &wrong, &document).is_err(), "{wrong}");
    }
}
