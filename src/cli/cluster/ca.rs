//! `starling cluster ca init` and `starling cluster ca issue`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use starling_cluster::ca::{self, CaError, Directory, Issued};
use starling_core::id::NodeName;

use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::super::shape::json;

/// Days a node's certificate is good for.
const DAYS: u32 = 365;

/// Makes the cluster's authority, and certificates for its nodes.
#[derive(Debug, clap::Args)]
pub(super) struct Ca {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes an authority: DIR/ca.pem, which every node gets, and DIR/ca.key, which none does
    Init(Init),
    /// Makes a node's certificate and key: DIR/NODE.pem and DIR/NODE.key
    Issue(Issue),
}

#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
struct Init {
    /// Directory of the authority; made if need be, and nothing in it is overwritten
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = super::super::exit::HELP)]
struct Issue {
    /// The node, as node.name says it
    node: NodeName,
    /// Directory of the authority
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Name or IP address to put into the certificate besides, for tools that look at it; may be repeated
    #[arg(long, value_name = "NAME")]
    san: Vec<String>,
    /// Days it is good for
    #[arg(long, value_name = "DAYS", default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Ca {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let (issued, as_json) = match self.verb {
            Verb::Init(Init { dir, json }) => (Directory::new(&dir).init(), json),
            Verb::Issue(issue) => {
                let valid = Duration::from_secs(24 * 3600) * issue.days;
                let issued = Directory::new(&issue.dir).issue(&issue.node, &issue.san, valid);
                (issued, issue.json)
            }
        };
        tell(&issued.map_err(failed)?, as_json)
    }
}

/// What was asked for cannot be, or could not be done.
fn failed(error: CaError) -> Failure {
    match error {
        CaError::Exists(_) | CaError::Outlives | CaError::AlternativeName(_) => Failure::Usage(error.to_string()),
        CaError::File { .. } | CaError::Authority(_) | CaError::Made(_) => Failure::Certificate(error.to_string()),
    }
}

/// What was made, for machines.
#[derive(Serialize)]
struct Made<'a> {
    certificate: &'a std::path::Path,
    key: &'a std::path::Path,
    expires_ms: i64,
}

fn tell(issued: &Issued, as_json: bool) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    let Issued {
        certificate,
        key,
        expires,
    } = issued;
    if as_json {
        output.line(&json(&Made {
            certificate,
            key,
            expires_ms: expires.saturating_mul(1_000),
        }))?;
    } else {
        output.line(format!("certificate {}", certificate.display()).as_bytes())?;
        output.line(format!("key {}", key.display()).as_bytes())?;
        output.line(format!("expires {}", ca::day(*expires)).as_bytes())?;
    }
    Ok(Exit::Done)
}
