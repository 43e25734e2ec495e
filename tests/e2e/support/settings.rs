//! How a node under test is configured: an operator's file, and keys set on the command line.

use std::fmt::Write as _;

/// Every address is chosen by the system: tests run side by side.
const BASE: &str = r#"
[client]
listen = ["127.0.0.1:0"]

[admin]
listen = "127.0.0.1:0"

[auth]
anonymous = true

[log]
format = "json"

[[namespaces]]
match = "demo"
publish_rate = 0
publish_bytes = "0B"

[[namespaces]]
match = "live"
durability = "ephemeral"
publish_rate = 0
publish_bytes = "0B"
"#;

/// What a node is started with. The namespaces `demo` (two minutes of history) and `live` (none) are always there.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    file: String,
    flags: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            file: BASE.to_owned(),
            flags: Vec::new(),
        }
    }
}

impl Settings {
    /// Sets a key, as `--set` does.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.flags.push(format!("--set={key}={value}"));
        self
    }

    /// Adds a namespace with these keys.
    pub(crate) fn namespace(mut self, name: &str, keys: &str) -> Self {
        write!(self.file, "\n[[namespaces]]\nmatch = \"{name}\"\n{keys}\n").expect("text grows");
        self
    }

    /// Adds a key for tokens, with these keys of its entry beside its name and HS256.
    pub(crate) fn key(mut self, id: &str, keys: &str) -> Self {
        write!(
            self.file,
            "\n[[auth.keys]]\nid = \"{id}\"\nalgorithm = \"HS256\"\n{keys}\n"
        )
        .expect("text grows");
        self
    }

    /// Adds an API key that may publish to these channels.
    pub(crate) fn api_key(mut self, id: &str, sha256: &str, channels: &str) -> Self {
        write!(
            self.file,
            "\n[[auth.api_keys]]\nid = \"{id}\"\nsha256 = \"{sha256}\"\n\
             capabilities = [{{ channels = \"{channels}\", operations = [\"publish\"] }}]\n"
        )
        .expect("text grows");
        self
    }

    /// The text of the file.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// What stands on the command line.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }
}
