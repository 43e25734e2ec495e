//! What the verbs about a node's configuration take from the command line: a file and single keys.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::{self, Loaded};

use super::exit::Failure;

/// A configuration file, and keys that win over it.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Settings {
    /// Configuration file; what it leaves out is at its default
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// Keys set on the command line.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Flags {
    /// Sets one key of the configuration, as in --set session.heartbeat=15s; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

impl Settings {
    /// Whether a configuration file is named.
    pub(super) const fn names_a_file(&self) -> bool {
        self.config.is_some()
    }

    /// Reads the file and lays the environment and the flags over it.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        let text = match &self.config {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|cause| {
                Failure::Usage(format!(
                    "the configuration file {} cannot be read: {cause}; check its name and who may read it",
                    path.display()
                ))
            })?),
            None => None,
        };
        let file = self.config.as_deref().zip(text.as_deref());
        Ok(config::load(file, environment(std::env::vars_os()), &self.flags.set)?)
    }
}

impl Flags {
    /// The flags, behind others that they win over.
    pub(super) fn after(&self, mut before: Vec<(String, String)>) -> Vec<(String, String)> {
        before.extend_from_slice(&self.set);
        before
    }
}

/// The environment as text. What is no UTF-8 cannot be a value of ours, and another program's must not stop us.
pub(super) fn environment(all: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (String, String)> {
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write a key and its value, such as session.heartbeat=15s")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_parted_at_its_first_equals_sign() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(
            key_and_value("log.filter=starling_mesh=debug"),
            pair("log.filter", "starling_mesh=debug")
        );
        assert_eq!(key_and_value("node.name="), pair("node.name", ""));
        assert!(key_and_value("node.name").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn an_environment_that_is_no_text_stops_nothing() {
        use std::os::unix::ffi::OsStringExt as _;
        let odd = (OsString::from("ODD"), OsString::from_vec(vec![0xff]));
        let ours = (OsString::from("STARLING_NODE__NAME"), OsString::from("a"));
        let read: Vec<_> = environment([odd, ours].into_iter()).collect();
        assert_eq!(read, [("STARLING_NODE__NAME".to_owned(), "a".to_owned())]);
    }
}
