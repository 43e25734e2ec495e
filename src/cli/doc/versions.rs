//! `starling doc versions`, `keep`, `restore`, `forget` and `compact`: what a document was, and how it is kept.

use bytes::Bytes;
use clap::builder::NonEmptyStringValueParser;
use serde::{Deserialize, Serialize};

use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::super::shape::json;
use super::path;
use super::web::Web;

/// Prints the versions of a document, the latest first.
///
/// Each is one line: its number, when it was made in milliseconds since 1970, how many edits are in it, its bytes, who made it or
/// "-", and its name, or nothing for one that was made by itself; parted by tabs.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct List {
    /// Document, such as doc:plan
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    document: String,
    /// Print one JSON object for each version
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    web: Web,
}

/// Keeps a version of a document under a name, and prints its number.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Keep {
    /// Document, such as doc:plan
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    document: String,
    /// What the version is called
    name: String,
    #[command(flatten)]
    web: Web,
}

/// One version of a document.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct One {
    /// Document, such as doc:plan
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    document: String,
    /// Number of the version, as `starling doc versions` prints it
    version: u64,
    #[command(flatten)]
    web: Web,
}

/// Puts a snapshot in place of the rows of a document.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Compact {
    /// Document, such as doc:plan
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    document: String,
    #[command(flatten)]
    web: Web,
}

/// A page, as the node tells it.
#[derive(Debug, Deserialize)]
struct Page {
    versions: Vec<Version>,
    next: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Version {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    made_ms: u64,
    edits: u64,
    bytes: u64,
}

impl Version {
    fn line(&self) -> String {
        let Self {
            version,
            name,
            author,
            made_ms,
            edits,
            bytes,
        } = self;
        // A terminal is not theirs to write to.
        let author = author.as_deref().unwrap_or("-").escape_debug();
        let name = name.as_deref().unwrap_or_default().escape_debug();
        format!("{version}\t{made_ms}\t{edits}\t{bytes}\t{author}\t{name}")
    }
}

impl List {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let path = format!("{}/versions", path(&self.document));
        let mut output = Output::stdout();
        let mut from = String::new();
        loop {
            let page: Page = Web::read(&self.web.get(&format!("{path}{from}"))?)?;
            for version in &page.versions {
                match self.json {
                    true => output.line(&json(version))?,
                    false => output.line(version.line().as_bytes())?,
                }
            }
            match page.next {
                Some(next) => from = format!("?before={next}"),
                None => return Ok(Exit::Done),
            }
        }
    }
}

impl Keep {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        #[derive(Serialize)]
        struct Named<'a> {
            name: &'a str,
        }

        #[derive(Deserialize)]
        struct Kept {
            version: u64,
        }

        let named = Bytes::from(json(&Named { name: &self.name }));
        let path = format!("{}/versions", path(&self.document));
        let kept: Kept = Web::read(&self.web.post(&path, "application/json", named)?)?;
        Output::stdout().line(kept.version.to_string().as_bytes())?;
        Ok(Exit::Done)
    }
}

impl One {
    pub(super) fn restore(self) -> Result<Exit, Failure> {
        self.web.order(&format!("{}/restore", self.path()))?;
        Ok(Exit::Done)
    }

    pub(super) fn export(self) -> Result<Exit, Failure> {
        let update = self.web.get(&self.path())?;
        Output::stdout().bytes(&update)?;
        Ok(Exit::Done)
    }

    pub(super) fn forget(self) -> Result<Exit, Failure> {
        self.web.delete(&self.path())?;
        Ok(Exit::Done)
    }

    fn path(&self) -> String {
        format!("{}/versions/{}", path(&self.document), self.version)
    }
}

impl Compact {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        self.web.order(&format!("{}/compact", path(&self.document)))?;
        Ok(Exit::Done)
    }
}
