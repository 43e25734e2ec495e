//! A second reader of the schema, by reflection: what golden vectors say in JSON is checked without generated code.
//!
//! The JSON is protobuf's own (lowerCamelCase names, 64-bit numbers as strings, enum values by name, defaults left out)
//! except that bytes are hexadecimal, and both bytes and text may be shortened (see `notation.rs`).

use std::sync::LazyLock;

use prost::Message as _;
use protox::prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Parsed;

use crate::json::Json;
use crate::notation;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let files = protox::compile(["starling/v1/frame.proto"], [proto]).unwrap();
    DescriptorPool::from_file_descriptor_set(files).unwrap()
});

/// A message of the schema by its short name.
pub(crate) fn message(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(&format!("starling.v1.{name}")).unwrap()
}

/// The names of an enum's values and their numbers.
pub(crate) fn enum_values(name: &str) -> Vec<(String, i32)> {
    let values = POOL.get_enum_by_name(&format!("starling.v1.{name}")).unwrap();
    values
        .values()
        .map(|value| (value.name().to_owned(), value.number()))
        .collect()
}

/// The bytes of a message in JSON.
pub(crate) fn to_json(message: MessageDescriptor, bytes: &[u8]) -> Json {
    object(&DynamicMessage::decode(message, bytes).unwrap())
}

/// The bytes of a message from its JSON.
pub(crate) fn to_bytes(message: MessageDescriptor, json: &Parsed) -> Vec<u8> {
    from_object(message, json).encode_to_vec()
}

fn object(message: &DynamicMessage) -> Json {
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(|(field, _)| field.number());
    let member =
        |(field, value): (FieldDescriptor, &Value)| (field.json_name().to_owned(), value_to_json(&field, value));
    Json::Object(fields.into_iter().map(member).collect())
}

fn value_to_json(field: &FieldDescriptor, value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::U32(value) => Json::Number((*value).into()),
        Value::U64(value) => Json::Text(value.to_string()),
        Value::String(value) => notation::text(value),
        Value::Bytes(value) => notation::hex(value),
        Value::Message(value) => object(value),
        Value::List(values) => Json::List(values.iter().map(|value| value_to_json(field, value)).collect()),
        Value::EnumNumber(number) => {
            let Kind::Enum(kind) = field.kind() else {
                panic!("{} is no enum", field.full_name())
            };
            Json::text(kind.get_value(*number).unwrap().name())
        }
        other => panic!("the schema has a new kind of value, {other:?}: say here how it is written"),
    }
}

fn from_object(message: MessageDescriptor, json: &Parsed) -> DynamicMessage {
    let mut built = DynamicMessage::new(message.clone());
    for (name, value) in json.as_object().unwrap() {
        let field = message
            .get_field_by_json_name(name)
            .unwrap_or_else(|| panic!("no field {name}"));
        let value = if field.is_list() {
            Value::List(
                value
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| value_from_json(&field, item))
                    .collect(),
            )
        } else {
            value_from_json(&field, value)
        };
        built.set_field(&field, value);
    }
    built
}

fn value_from_json(field: &FieldDescriptor, json: &Parsed) -> Value {
    match field.kind() {
        Kind::Bool => Value::Bool(json.as_bool().unwrap()),
        Kind::Uint32 => Value::U32(json.as_u64().unwrap().try_into().unwrap()),
        Kind::Uint64 => Value::U64(json.as_str().unwrap().parse().unwrap()),
        Kind::String => Value::String(notation::untext(json)),
        Kind::Bytes => Value::Bytes(notation::unhex(json).into()),
        Kind::Message(message) => Value::Message(from_object(message, json)),
        Kind::Enum(kind) => Value::EnumNumber(kind.get_value_by_name(json.as_str().unwrap()).unwrap().number()),
        other => panic!("the schema has a new kind of value, {other:?}: say here how it is read"),
    }
}
