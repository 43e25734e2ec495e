//! `starling doc stats`: how large a document is.

use clap::builder::NonEmptyStringValueParser;
use serde::Deserialize;

use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::path;
use super::web::Web;

/// Prints how large a document is, in the memory of its owner and in the store.
#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
pub(super) struct Show {
    /// Document, such as doc:plan
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    document: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    web: Web,
}

/// As the node tells it.
#[derive(Debug, Deserialize)]
struct Stats {
    document: String,
    memory: Memory,
    stored: Option<Stored>,
}

#[derive(Debug, Deserialize)]
struct Memory {
    clients: u64,
    bytes: u64,
    pending: u64,
    unsaved_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Stored {
    edits: u64,
    snapshot: Snapshot,
    rows: Counted,
    versions: Counted,
    trash: Counted,
}

#[derive(Debug, Deserialize)]
struct Snapshot {
    through: u64,
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Counted {
    count: u64,
    bytes: u64,
}

impl Show {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let answer = self.web.get(&format!("{}/stats", path(&self.document)))?;
        let mut output = Output::stdout();
        match self.json {
            true => output.line(&answer)?,
            false => {
                let lines = lines(&Web::read(&answer)?);
                lines.iter().try_for_each(|line| output.line(line.as_bytes()))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn lines(stats: &Stats) -> Vec<String> {
    let Memory {
        clients,
        bytes,
        pending,
        unsaved_bytes,
    } = stats.memory;
    let mut lines = vec![
        format!("document {}", stats.document),
        format!("memory {bytes} bytes, {clients} clients, {pending} pending, {unsaved_bytes} bytes unsaved"),
    ];
    let Some(stored) = &stats.stored else {
        lines.push("stored nothing".to_owned());
        return lines;
    };
    let counted =
        |name: &str, of: &str, Counted { count, bytes }: &Counted| format!("{name} {count} {of}, {bytes} bytes");
    let Snapshot { through, bytes } = stored.snapshot;
    lines.extend([
        format!("stored {} edits", stored.edits),
        format!("snapshot through edit {through}, {bytes} bytes"),
        counted("rows", "after it", &stored.rows),
        counted("versions", "kept", &stored.versions),
        counted("trash", "replaced", &stored.trash),
    ]);
    lines
}
