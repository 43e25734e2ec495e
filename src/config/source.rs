//! Where a value came from.

use std::fmt;
use std::path::PathBuf;

/// The layer that set a value: the last one in this order wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// `config/default.toml`, which is built in.
    #[default]
    Default,
    /// The operator's file, at a line and a column that both start at 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Line.
        line: usize,
        /// Column, in characters.
        column: usize,
    },
    /// The environment variable of this name.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { path, line, column } => write!(out, "{}:{line}:{column}", path.display()),
            Self::Environment(name) => out.write_str(name),
            Self::Flag => out.write_str("command line"),
        }
    }
}

/// What every environment variable of Starling starts with.
const PREFIX: &str = "STARLING_";

/// The key that an environment variable sets: `client.tls.key` for `STARLING_CLIENT__TLS__KEY`. Two underscores
/// part a section from a key; a name without them, such as `STARLING_URL`, is not configuration.
pub(super) fn key_of(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(PREFIX)?;
    name.contains("__").then(|| name.to_lowercase().replace("__", "."))
}

/// The environment variable that sets a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_with_two_underscores_names_a_key() {
        for (variable, key) in [
            ("STARLING_CLIENT__TLS__KEY", Some("client.tls.key")),
            ("STARLING_NODE__DATA_DIR", Some("node.data_dir")),
            ("STARLING_URL", None),
            ("STARLING_TOKEN", None),
            ("OTHER_NODE__NAME", None),
        ] {
            assert_eq!(key_of(variable).as_deref(), key, "{variable}");
            if let Some(key) = key {
                assert_eq!(variable_of(key), variable);
            }
        }
    }
}
