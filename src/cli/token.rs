//! `starling token mint` and `starling token check`.

use std::io::{Read as _, stdin};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use starling_core::access::{Capability as Granted, Grant, Operation as Granting};
use starling_core::time::WallTime;

use crate::auth::keys::{self, Key, Keys};
use crate::auth::token::{self, Minted};
use crate::auth::{Denied, KeyError};
use crate::config::{self, Algorithm, Capability, Operation, parse_duration};
use crate::node::Clock;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::server::Token as Presented;
use super::settings::Settings;
use super::shape::json;

/// Makes tokens, and says what they are worth.
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes a token and prints it
    Mint(Mint),
    /// Says whether a token is valid, until when, and what it permits
    Check(Check),
}

/// Which key: one of a node's configuration, or a file.
#[derive(Debug, clap::Args)]
struct KeyChoice {
    #[command(flatten)]
    settings: Settings,
    /// Name of the key; not needed where the configuration has one
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// File with the key instead: the secret of HS256; otherwise, in PEM, the private key to mint with and the public
    /// key to check with
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// What the key of --key-file is for: HS256, ES256, EdDSA or RS256
    #[arg(long, value_name = "NAME", default_value = "HS256", value_parser = algorithm)]
    algorithm: Algorithm,
}

#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
struct Mint {
    /// Whom the token names: your own identifier of the user or service
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// What it permits, as operations and a pattern of channels: publish,subscribe:chat:* or all:orders:7; may be repeated
    #[arg(long, value_name = "OPERATIONS:CHANNELS", value_parser = allowed, required = true)]
    allow: Vec<Capability>,
    /// How long it holds from now on
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    expires: Duration,
    /// Whom it is for, instead of what the configuration says
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// Who issues it, instead of what the configuration says
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    #[command(flatten)]
    key: KeyChoice,
}

#[derive(Debug, clap::Args)]
#[command(after_help = super::exit::HELP)]
struct Check {
    /// The token; "-" reads it from standard input
    #[arg(env = "STARLING_TOKEN", hide_env_values = true)]
    token: Presented,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: KeyChoice,
}

impl Token {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Mint(mint) => mint.run(),
            Verb::Check(check) => check.run(),
        }
    }
}

impl Mint {
    fn run(self) -> Result<Exit, Failure> {
        let Self {
            subject,
            allow,
            expires,
            audience,
            issuer,
            key,
        } = self;
        let auth = key.auth()?;
        let (id, algorithm, bytes) = key.signing(&auth)?;
        let signing = keys::signing(id.as_deref().unwrap_or_default(), algorithm, &bytes).map_err(unusable)?;
        if expires > auth.lifetime_max {
            let (asked, taken) = (expires.as_secs(), auth.lifetime_max.as_secs());
            super::note(&format!(
                "a node takes tokens that hold for {taken} s at most, and this one holds for {asked}; see auth.lifetime_max"
            ));
        }
        let now = Clock.now().wall;
        let token = token::mint(
            Minted {
                key: id.as_deref(),
                algorithm,
                subject: &subject,
                capabilities: allow,
                now,
                expires: WallTime(
                    now.0
                        .saturating_add(u64::try_from(expires.as_millis()).unwrap_or(u64::MAX)),
                ),
                audience: audience.as_deref().unwrap_or(&auth.audience),
                issuer: issuer.as_deref().unwrap_or(&auth.issuer),
            },
            &signing,
        );
        let token = token.map_err(unusable)?;
        if let Err(denied) = token::fits(&token) {
            return Err(Failure::Usage(denied.to_string()));
        }
        Output::stdout().line(token.as_bytes())?;
        Ok(Exit::Done)
    }
}

impl Check {
    fn run(self) -> Result<Exit, Failure> {
        let token = match self.token.0.as_str() {
            "-" => {
                let mut text = String::new();
                stdin().read_to_string(&mut text).map_err(|cause| Failure::Io {
                    what: "standard input cannot be read",
                    cause,
                })?;
                text.trim().to_owned()
            }
            token => token.to_owned(),
        };
        let auth = self.key.auth()?;
        let keys = self.key.checking(&auth, &token)?;
        let now = Clock.now().wall;
        let verdict = token::check(&token, &keys, &auth, now);
        let mut output = Output::stdout();
        if self.json {
            output.line(&json(&explained(&verdict)))?;
        } else {
            told(&verdict, now)
                .iter()
                .try_for_each(|line| output.line(line.as_bytes()))?;
        }
        Ok(if verdict.is_ok() { Exit::Done } else { Exit::Invalid })
    }
}

impl KeyChoice {
    /// What tokens must say: what the configuration asks for, or its defaults where only a key is given.
    fn auth(&self) -> Result<config::Auth, Failure> {
        if self.key_file.is_some() && !self.settings.names_a_file() {
            return Ok(config::Config::default().auth);
        }
        Ok(self.settings.load()?.config.auth)
    }

    /// The key to sign with: its name, what it is for, and its bytes.
    fn signing(&self, auth: &config::Auth) -> Result<(Option<String>, Algorithm, Vec<u8>), Failure> {
        if let Some(path) = &self.key_file {
            let bytes = keys::file("--key-file", path).map_err(unusable)?;
            return Ok((self.key.clone(), self.algorithm, bytes));
        }
        let entry = self.entry(auth)?;
        if !entry.algorithm.is_symmetric() {
            return Err(Failure::Usage(format!(
                "the configuration has the public key of \"{}\" only, which signs nothing; give its private key with --key-file, --key {} and --algorithm {}",
                entry.id,
                entry.id,
                entry.algorithm.name()
            )));
        }
        let bytes = keys::bytes(entry).map_err(unusable)?;
        Ok((Some(entry.id.clone()), entry.algorithm, bytes))
    }

    /// The keys to check a token with. A file has no name, so it is the one that the token names.
    fn checking(&self, auth: &config::Auth, token: &str) -> Result<Keys, Failure> {
        let Some(path) = &self.key_file else {
            return Keys::read(&auth.keys).map_err(unusable);
        };
        let bytes = keys::file("--key-file", path).map_err(unusable)?;
        let id = self.key.clone().or_else(|| token::key_name(token)).unwrap_or_default();
        Ok(Keys::one(Key::new(&id, self.algorithm, &bytes).map_err(unusable)?))
    }

    fn entry<'a>(&self, auth: &'a config::Auth) -> Result<&'a config::Key, Failure> {
        let names = || {
            auth.keys
                .iter()
                .map(|key| key.id.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match (&self.key, &auth.keys[..]) {
            (None, [only]) => Ok(only),
            (_, []) => Err(Failure::Usage(
                "the configuration has no key for tokens; add [[auth.keys]], or give a file with --key-file".to_owned(),
            )),
            (None, _) => Err(Failure::Usage(format!(
                "the configuration has several keys; choose with --key: {}",
                names()
            ))),
            (Some(id), keys) => keys
                .iter()
                .find(|key| key.id == *id)
                .ok_or_else(|| Failure::Usage(format!("the configuration has no key \"{id}\"; it has: {}", names()))),
        }
    }
}

/// What a token is worth, for machines.
#[derive(Serialize)]
struct Explained {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<Permitted>,
}

#[derive(Serialize)]
struct Permitted {
    channels: String,
    operations: Vec<&'static str>,
}

fn explained(verdict: &Result<Grant, Denied>) -> Explained {
    let (grant, denied) = (verdict.as_ref().ok(), verdict.as_ref().err());
    Explained {
        valid: grant.is_some(),
        code: denied.map(Denied::name),
        reason: denied.map(ToString::to_string),
        subject: grant.map(|grant| grant.subject.as_str().to_owned()),
        expires_ms: grant.and_then(|grant| grant.expires).map(|at| at.0),
        capabilities: grant.map_or_else(Vec::new, |grant| grant.capabilities.iter().map(permitted).collect()),
    }
}

/// The same for a person.
fn told(verdict: &Result<Grant, Denied>, now: WallTime) -> Vec<String> {
    match verdict {
        Err(denied) => vec![format!("not valid: {denied} ({})", denied.name())],
        Ok(grant) => {
            let left = grant.expires.map_or(0, |at| at.0.saturating_sub(now.0) / 1_000);
            let mut lines = vec![
                format!("valid for {left} s more"),
                format!("subject: {}", grant.subject),
            ];
            for capability in grant.capabilities.iter() {
                let Permitted { channels, operations } = permitted(capability);
                lines.push(format!("may {} {channels}", operations.join(", ")));
            }
            if grant.capabilities.is_empty() {
                lines.push("may do nothing".to_owned());
            }
            lines
        }
    }
}

fn permitted(capability: &Granted) -> Permitted {
    let all = [
        (Granting::Publish, "publish"),
        (Granting::Subscribe, "subscribe"),
        (Granting::History, "history"),
        (Granting::Presence, "presence"),
        (Granting::DocRead, "doc-read"),
        (Granting::DocWrite, "doc-write"),
        (Granting::Awareness, "awareness"),
        (Granting::Admin, "admin"),
    ];
    let operations = all.into_iter().filter(|(one, _)| capability.operations.contains(*one));
    Permitted {
        channels: capability.pattern.to_string(),
        operations: operations.map(|(_, name)| name).collect(),
    }
}

/// Reads `operations:channels`; the channels are a pattern, which has colons of its own.
fn allowed(text: &str) -> Result<Capability, String> {
    let usage = "write operations and channels, such as publish,subscribe:chat:*";
    let (operations, channels) = text.split_once(':').ok_or(usage)?;
    starling_core::access::Pattern::parse(channels).map_err(|error| error.to_string())?;
    let read = |name: &str| match name.trim() {
        "publish" => Ok(vec![Operation::Publish]),
        "subscribe" => Ok(vec![Operation::Subscribe]),
        "history" => Ok(vec![Operation::History]),
        "presence" => Ok(vec![Operation::Presence]),
        "doc-read" => Ok(vec![Operation::DocRead]),
        "doc-write" => Ok(vec![Operation::DocWrite]),
        "awareness" => Ok(vec![Operation::Awareness]),
        "admin" => Ok(vec![Operation::Admin]),
        "all" => Ok(vec![
            Operation::Publish,
            Operation::Subscribe,
            Operation::History,
            Operation::Presence,
            Operation::DocRead,
            Operation::DocWrite,
            Operation::Awareness,
        ]),
        other => Err(format!(
            "\"{other}\" is no operation; name publish, subscribe, history, presence, doc-read, doc-write, awareness, admin, or all for all but the last"
        )),
    };
    let operations = operations.split(',').map(read).collect::<Result<Vec<_>, _>>()?.concat();
    Ok(Capability {
        channels: channels.to_owned(),
        operations,
    })
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    let all = [Algorithm::HS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];
    let found = all.into_iter().find(|one| one.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| "name HS256, ES256, EdDSA or RS256".to_owned())
}

fn unusable(error: KeyError) -> Failure {
    Failure::Usage(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_permits_is_parted_at_the_first_colon() {
        let capability = allowed("publish,history:chat:*:log").expect("valid");
        assert_eq!(capability.channels, "chat:*:log");
        assert_eq!(capability.operations, [Operation::Publish, Operation::History]);
        assert_eq!(allowed("all:*").expect("valid").operations.len(), 7);
        for bad in [
            "chat",
            "publish",
            "shout:chat:*",
            "publish:chat:a*",
            "publish:",
            ":chat:a",
        ] {
            assert!(allowed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn algorithms_have_the_names_that_tokens_use() {
        assert_eq!(algorithm("eddsa"), Ok(Algorithm::EdDSA));
        assert!(algorithm("none").is_err() && algorithm("HS512").is_err());
    }
}
