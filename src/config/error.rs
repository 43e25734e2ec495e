//! What an operator is told about a configuration that does not hold: everything at once, each line with its place,
//! what is wrong, and what to do.

use std::fmt;

use super::check::Conflict;
use super::source::{Source, variable_of};

/// Why a configuration was refused. Shown as one line for each problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct Error {
    problems: Vec<Problem>,
}

impl Error {
    /// Fails if there are problems.
    pub(super) fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// Fails for one problem.
    pub(super) fn one(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }

    /// What is wrong: at least one thing.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file is not TOML.
    Syntax {
        /// Where reading ended.
        source: Source,
        /// What the parser says.
        message: String,
    },
    /// No such key.
    UnknownKey {
        /// Who set it.
        source: Source,
        /// The key as it was written.
        key: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A value that its key does not take.
    Value {
        /// Who set it.
        source: Source,
        /// The key.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// Values that do not go together.
    Conflict {
        /// What does not.
        conflict: Conflict,
        /// Who set the keys it names; those at their default are left out.
        sources: Vec<Source>,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { source, message } => write!(out, "{source}: not valid TOML: {message}"),
            Self::UnknownKey { source, key, nearest } => {
                write!(out, "{source}: there is no key `{key}`")?;
                match (nearest, source) {
                    (Some(nearest), Source::Environment(_)) => write!(out, "; did you mean {}?", variable_of(nearest)),
                    (Some(nearest), _) => write!(out, "; did you mean `{nearest}`?"),
                    (None, _) => out.write_str("; every key is listed in docs/configuration.md"),
                }
            }
            Self::Value { source, key, message } => write!(out, "{source}: {key}: {message}"),
            Self::Conflict { conflict, sources } => {
                write!(out, "{}: {}", conflict.keys.join(", "), conflict.message)?;
                if !sources.is_empty() {
                    let sources: Vec<_> = sources.iter().map(Source::to_string).collect();
                    write!(out, " (set in {})", sources.join(", "))?;
                }
                Ok(())
            }
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
