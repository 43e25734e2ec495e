//! `starling version`.

use serde::Serialize;
use starling_protocol::version::{VERSION_MAX, VERSION_MIN};

use super::exit::{Exit, Failure};
use super::output::Output;
use super::shape::json;

/// Prints the version.
#[derive(Debug, clap::Args)]
pub(super) struct Version {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    name: &'static str,
    version: &'static str,
    /// Versions of the client protocol that this node speaks.
    protocol: Range,
}

#[derive(Serialize)]
struct Range {
    min: u32,
    max: u32,
}

impl Version {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let line = if self.json {
            json(&SHOWN)
        } else {
            format!("{} {}", SHOWN.name, SHOWN.version).into_bytes()
        };
        Output::stdout().line(&line)?;
        Ok(Exit::Done)
    }
}

const SHOWN: Shown = Shown {
    name: "starling",
    version: env!("CARGO_PKG_VERSION"),
    protocol: Range {
        min: VERSION_MIN,
        max: VERSION_MAX,
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_names_program_version_and_protocol() {
        let shown: serde_json::Value = serde_json::from_slice(&json(&SHOWN)).expect("it is JSON");
        let expected = serde_json::json!({
            "name": "starling",
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": { "min": VERSION_MIN, "max": VERSION_MAX },
        });
        assert_eq!(shown, expected);
    }
}
