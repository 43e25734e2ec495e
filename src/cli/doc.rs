//! `starling doc`: documents, as a script reads and writes them.
//!
//! | file | holds |
//! | --- | --- |
//! | `web.rs` | the node, asked over HTTP |
//! | `transfer.rs` | updates, to and from files |
//! | `stats.rs` | how large a document is |
//! | `versions.rs` | what it was |

mod stats;
mod transfer;
mod versions;
mod web;

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use serde::{Deserialize, Serialize};
use url::form_urlencoded::byte_serialize;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::shape::json;
use web::Web;

/// Reads documents, and writes in them.
///
/// A document is named as a channel is; a name without a namespace is in the one that the node has for those.
#[derive(Debug, clap::Args)]
pub(super) struct Doc {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Prints a part of a document, or the names of its parts
    Get(Get),
    /// Writes all of a document to standard output, as an update
    Export(transfer::Export),
    /// Applies an update to a document
    Import(transfer::Import),
    /// Prints how large a document is, in memory and in the store
    Stats(stats::Show),
    /// Prints the versions of a document, the latest first
    Versions(versions::List),
    /// Keeps a version of a document under a name
    Keep(versions::Keep),
    /// Writes a version of a document to standard output, as an update
    ExportVersion(versions::One),
    /// Makes a document what it was, by an edit that undoes what came since
    Restore(versions::One),
    /// Deletes a version of a document for good
    Forget(versions::One),
    /// Puts a snapshot in place of the rows of a document, at once
    Compact(versions::Compact),
}

impl Doc {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Get(verb) => verb.run(),
            Verb::Export(verb) => verb.run(),
            Verb::Import(verb) => verb.run(),
            Verb::Stats(verb) => verb.run(),
            Verb::Versions(verb) => verb.run(),
            Verb::Keep(verb) => verb.run(),
            Verb::ExportVersion(verb) => verb.export(),
            Verb::Restore(verb) => verb.restore(),
            Verb::Forget(verb) => verb.forget(),
            Verb::Compact(verb) => verb.run(),
        }
    }
}

/// Prints a part of a document as it is, or the names of its parts.
#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
struct Get {
    /// Document, such as doc:plan
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    document: String,
    /// Part, such as default; without one the names of all are printed, one a line
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    part: Option<String>,
    /// As what the part was written
    #[arg(long = "as", value_enum, default_value_t = As::Text, requires = "part")]
    shape: As,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    web: Web,
}

/// What a part may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum As {
    /// A text, without its formatting
    Text,
    /// XML, as rich-text editors keep it
    Xml,
    /// A JSON array
    Array,
    /// A JSON object
    Map,
}

impl As {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Xml => "xml",
            Self::Array => "array",
            Self::Map => "map",
        }
    }
}

/// Names of parts, as the node tells them.
#[derive(Debug, Serialize, Deserialize)]
struct Parts {
    document: String,
    parts: Vec<String>,
}

impl Get {
    fn run(self) -> Result<Exit, Failure> {
        let path = path(&self.document);
        let mut output = Output::stdout();
        let Some(part) = self.part else {
            let parts: Parts = Web::read(&self.web.get(&path)?)?;
            match self.json {
                true => output.line(&json(&parts))?,
                // A terminal is not theirs to write to, nor is a line.
                false => parts
                    .parts
                    .iter()
                    .try_for_each(|part| output.line(part.escape_debug().to_string().as_bytes()))?,
            }
            return Ok(Exit::Done);
        };
        let shape = self.shape.name();
        let value = self.web.get(&format!("{path}/parts/{}?as={shape}", in_path(&part)))?;
        match self.json {
            true => output.line(&whole(&part, self.shape, &value)?)?,
            false => output.line(&value)?,
        }
        Ok(Exit::Done)
    }
}

/// A part and what it holds, as one object.
fn whole(part: &str, shape: As, value: &[u8]) -> Result<Vec<u8>, Failure> {
    #[derive(Serialize)]
    struct Read<'a, T> {
        part: &'a str,
        r#as: &'a str,
        value: T,
    }

    let name = shape.name();
    Ok(match shape {
        As::Text | As::Xml => json(&Read {
            part,
            r#as: name,
            value: String::from_utf8_lossy(value),
        }),
        As::Array | As::Map => {
            let value: serde_json::Value = Web::read(value)?;
            json(&Read {
                part,
                r#as: name,
                value,
            })
        }
    })
}

/// The path of a document.
fn path(document: &str) -> String {
    format!("/v1/documents/{}", in_path(document))
}

/// A name as one segment of a path.
fn in_path(name: &str) -> String {
    // A form writes a space as a plus, which means itself in a path.
    byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}
