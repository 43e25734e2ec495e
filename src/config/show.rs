//! The effective configuration, each value with its source.

use serde::Serialize;
use toml::{Table, Value};

use super::load::Loaded;

/// One effective value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The key: `client.tls.key`, `namespaces[0].match`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Who set it.
    pub source: String,
}

/// Every effective value, in the order of the keys.
#[must_use]
pub fn settings(loaded: &Loaded) -> Vec<Setting> {
    let mut found = Vec::new();
    flatten(loaded, String::new(), &Value::Table(table(loaded)), &mut found);
    found
}

/// The effective configuration as a file that could be loaded again, each value followed by its source.
#[must_use]
pub fn show(loaded: &Loaded) -> String {
    let mut text = String::new();
    write(loaded, "", "", &table(loaded), &mut text);
    text.trim_start().to_owned()
}

fn table(loaded: &Loaded) -> Table {
    Table::try_from(&loaded.config).expect("a configuration is strings, numbers, lists and tables")
}

fn flatten(loaded: &Loaded, key: String, value: &Value, found: &mut Vec<Setting>) {
    match value {
        Value::Table(inner) => {
            for (name, value) in inner {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                flatten(loaded, key, value, found);
            }
        }
        Value::Array(items) if is_tables(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(loaded, format!("{key}[{index}]"), item, found);
            }
        }
        value => {
            let source = loaded.source(&key).to_string();
            found.push(Setting {
                key,
                value: value.clone(),
                source,
            });
        }
    }
}

/// Writes a table: its values first, because in TOML everything after a header belongs to that header. `header` is
/// the path as TOML writes it, `key` the path as sources are known by.
fn write(loaded: &Loaded, header: &str, key: &str, table: &Table, text: &mut String) {
    let join = |at: &str, name: &str| {
        if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}.{name}")
        }
    };
    for (name, value) in table {
        if !matches!(value, Value::Table(_)) && !matches!(value, Value::Array(items) if is_tables(items)) {
            let source = loaded.source(&join(key, name));
            text.push_str(&format!("{name} = {value} # {source}\n"));
        }
    }
    for (name, value) in table {
        let (header, key) = (join(header, name), join(key, name));
        match value {
            Value::Table(inner) => {
                text.push_str(&format!("\n[{header}]\n"));
                write(loaded, &header, &key, inner, text);
            }
            Value::Array(items) if is_tables(items) => {
                for (index, inner) in items.iter().filter_map(Value::as_table).enumerate() {
                    text.push_str(&format!("\n[[{header}]]\n"));
                    write(loaded, &header, &format!("{key}[{index}]"), inner, text);
                }
            }
            _ => {}
        }
    }
}

fn is_tables(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(Value::is_table)
}
