//! JSON that is pleasant to review: members in the order given, and on one line what fits on one.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// Longest line of a vector file, in characters.
const WIDTH_MAX: usize = 120;

/// A value to write.
pub(crate) enum Json {
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    fn compact(&self) -> String {
        let join = |parts: Vec<String>| parts.join(", ");
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => quoted(value),
            Self::List(values) => format!("[{}]", join(values.iter().map(Self::compact).collect())),
            Self::Object(members) if members.is_empty() => "{}".to_owned(),
            Self::Object(members) => {
                let member = |(name, value): &(String, Self)| format!("{}: {}", quoted(name), value.compact());
                format!("{{ {} }}", join(members.iter().map(member).collect()))
            }
        }
    }

    fn write(&self, lead: usize, indent: usize, out: &mut String) {
        let compact = self.compact();
        let fits = lead + compact.chars().count() <= WIDTH_MAX;
        let (inner, pad) = (indent + 2, " ".repeat(indent + 2));
        match self {
            Self::List(values) if !fits => {
                out.push_str("[\n");
                for (at, value) in values.iter().enumerate() {
                    out.push_str(&pad);
                    value.write(inner, inner, out);
                    out.push_str(if at + 1 < values.len() { ",\n" } else { "\n" });
                }
                let _ = write!(out, "{}]", " ".repeat(indent));
            }
            Self::Object(members) if !fits => {
                out.push_str("{\n");
                for (at, (name, value)) in members.iter().enumerate() {
                    let name = quoted(name);
                    let _ = write!(out, "{pad}{name}: ");
                    value.write(inner + name.len() + 2, inner, out);
                    out.push_str(if at + 1 < members.len() { ",\n" } else { "\n" });
                }
                let _ = write!(out, "{}}}", " ".repeat(indent));
            }
            Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => out.push_str(&compact),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Holds the file `vectors/{name}` to `value`, or writes it if `UPDATE_VECTORS` is set; then reads it back.
pub(crate) fn golden(name: &str, value: &Json) -> serde_json::Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    let mut expected = String::new();
    value.write(0, 0, &mut expected);
    expected.push('\n');
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let line = found
        .lines()
        .zip(expected.lines())
        .position(|(a, b)| a != b)
        .map(|at| at + 1);
    assert!(
        found == expected,
        "{} is not what this version of the protocol says (first at line {line:?}); if the change is meant, \
         run the tests with UPDATE_VECTORS=1 and review the difference",
        path.display()
    );
    serde_json::from_str(&found).unwrap()
}
