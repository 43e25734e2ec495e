//! Loading: a pure function of a file's text, the environment and the command line.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{Error, Problem};
use super::layer::Layers;
use super::source::{self, Source};
use super::{Config, DEFAULT};

/// A configuration that holds, and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The effective configuration.
    pub config: Config,
    /// Who set which key; what is missing is at its default. Keys are written `client.tls.key`, and
    /// `namespaces[0].match` inside the list.
    pub sources: BTreeMap<String, Source>,
}

/// Lays the operator's file (its name and its text), the environment and the command line over the defaults, and
/// checks what comes out. Of the environment only names that start with `STARLING_` and part a section from a key
/// with two underscores count. Flags are keys with their values, the last of a key wins.
///
/// # Errors
///
/// Every problem at once: what is no TOML, what is no key, what is no value of its key; and if there is none of
/// these, what does not go together.
pub fn load(
    file: Option<(&Path, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(String, String)],
) -> Result<Loaded, Error> {
    let mut layers = Layers::new(DEFAULT);
    if let Some((path, text)) = file {
        layers.file(path, text);
    }
    for (variable, text) in environment {
        if let Some(key) = source::key_of(&variable) {
            layers.set(Source::Environment(variable), &key, &text);
        }
    }
    for (key, text) in flags {
        layers.set(Source::Flag, key, text);
    }
    Error::unless_empty(std::mem::take(&mut layers.problems))?;

    let config = match serde_path_to_error::deserialize::<_, Config>(layers.values.clone()) {
        Ok(config) => config,
        Err(error) => {
            let key = error.path().to_string();
            let message = error.into_inner().message().to_owned();
            let problem = Problem::Value {
                source: layers.source(&key),
                key,
                message,
            };
            return Err(Error::one(problem));
        }
    };
    let conflicts = config.check().into_iter().map(|conflict| {
        let sources = conflict
            .keys
            .iter()
            .map(|key| layers.source(key))
            .filter(|source| *source != Source::Default);
        Problem::Conflict {
            sources: sources.collect(),
            conflict,
        }
    });
    Error::unless_empty(conflicts.collect())?;
    Ok(Loaded {
        config,
        sources: layers.sources,
    })
}

impl Loaded {
    /// Who set a key.
    #[must_use]
    pub fn source(&self, key: &str) -> &Source {
        self.sources.get(key).unwrap_or(&Source::Default)
    }
}
