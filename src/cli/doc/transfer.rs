//! `starling doc export` and `import`: updates as Yjs writes them.

use std::io::Read as _;
use std::path::PathBuf;

use bytes::Bytes;
use clap::builder::NonEmptyStringValueParser;
use starling_core::document::scan::Limits;

use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::path;
use super::web::Web;

/// Writes all of a document to standard output, as an update.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Export {
    /// Document, such as doc:plan
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    document: String,
    #[command(flatten)]
    web: Web,
}

/// Applies an update to a document. One that was applied before changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Import {
    /// Document, such as doc:plan
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    document: String,
    /// File that holds the update; "-" reads standard input
    file: PathBuf,
    #[command(flatten)]
    web: Web,
}

impl Export {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let update = self.web.get(&format!("{}/update", path(&self.document)))?;
        Output::stdout().bytes(&update)?;
        Ok(Exit::Done)
    }
}

impl Import {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let update = match self.file.to_str() {
            Some("-") => stdin()?,
            _ => std::fs::read(&self.file).map_err(|cause| {
                let file = self.file.display();
                Failure::Usage(format!(
                    "{file} cannot be read: {cause}; check its name and who may read it"
                ))
            })?,
        };
        let path = format!("{}/update", path(&self.document));
        self.web.post(&path, "application/octet-stream", Bytes::from(update))?;
        Ok(Exit::Done)
    }
}

/// All of standard input, but no more than makes sense to send: the node says what is too much.
fn stdin() -> Result<Vec<u8>, Failure> {
    let mut update = Vec::new();
    let most = Limits::STORED.bytes as u64;
    let read = std::io::stdin().lock().take(most).read_to_end(&mut update);
    read.map_err(|cause| Failure::Io {
        what: "standard input cannot be read",
        cause,
    })?;
    Ok(update)
}
