//! What a node says about itself, and the keys of gossip it is said with: the only place that knows both.
//!
//! A key that this version does not know is passed over, so that a newer node can say more. What it knows is read
//! strictly: a node whose facts cannot be read is no member.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;

use thiserror::Error;

/// Bytes that all facts of a node may take, keys included. With a certificate and a signature they become some 1,200 bytes on
/// the way to whoever joins: fifty nodes in a datagram.
pub const FACTS_BYTES_MAX: usize = 640;

/// URLs that a node may say clients reach it under: one for each address family, and a public one.
pub const URLS_MAX: usize = 4;

/// Longest of them.
pub const URL_BYTES_MAX: usize = 128;

/// Longest zone and version.
pub const WORD_BYTES_MAX: usize = 64;

/// Certificates that clients may pin: the one that serves, and the next.
pub const PINS_MAX: usize = 2;

/// Digits of a SHA-256 hash.
const PIN_DIGITS: usize = 64;

/// What a node says about itself. Hints: who decides asks the node, or the slot table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// HTTP bases under which clients reach it.
    pub client_urls: Vec<String>,
    /// Versions of the client protocol that it speaks, the least and the most.
    pub protocol: (u32, u32),
    /// How clients reach it over WebTransport; none when it offers none.
    pub webtransport: Option<Pins>,
    /// Where it takes links.
    pub link: SocketAddr,
    /// Its client port, over TCP: refused there means that the process is gone. None when it has none that peers reach.
    pub probe: Option<SocketAddr>,
    /// Failure zone it stands in; empty for none.
    pub zone: String,
    /// Version of the software.
    pub version: String,
    /// Versions of the links' wire that it speaks, the least and the most.
    pub wire: (u16, u16),
    /// How busy it is: sessions it serves.
    pub load: u32,
    /// What it is about to do.
    pub phase: Phase,
    /// Hash of its namespaces' settings: nodes that differ are configured differently.
    pub settings: u64,
    /// Version of its copy of the slot table.
    pub table: u64,
}

/// The certificates of a client port that a client may pin, by their SHA-256 in hexadecimal. None are named when a public authority
/// vouches.
pub type Pins = Vec<String>;

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Serving,
    /// It hands over what it has, and takes nothing new.
    Draining,
    /// It is about to end: it need not be missed.
    Left,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Serving, Self::Draining, Self::Left];

    const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Left => "left",
        }
    }
}

/// Why keys are not facts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FactsError {
    /// A key is not there.
    #[error("the key \"{0}\" is missing")]
    Missing(&'static str),
    /// A value cannot be what its key says.
    #[error("the value of \"{0}\" cannot be read")]
    Malformed(&'static str),
    /// They are too long.
    #[error("they take {0} bytes, and may take {FACTS_BYTES_MAX}: use fewer or shorter URLs, and a shorter zone")]
    TooLong(usize),
}

impl NodeFacts {
    /// The keys and values that say them.
    ///
    /// # Errors
    /// When no node could read them.
    pub fn to_keys(&self) -> Result<Vec<(String, String)>, FactsError> {
        let mut keys = vec![
            ("urls", self.client_urls.join(" ")),
            ("protocol", format!("{}-{}", self.protocol.0, self.protocol.1)),
            ("webtransport", said_webtransport(self.webtransport.as_ref())),
            ("link", self.link.to_string()),
            ("zone", self.zone.clone()),
            ("version", self.version.clone()),
            ("wire", format!("{}-{}", self.wire.0, self.wire.1)),
            ("load", self.load.to_string()),
            ("phase", self.phase.name().to_owned()),
            ("settings", format!("{:016x}", self.settings)),
            ("table", self.table.to_string()),
        ];
        // Always said, so that a node which loses its port can take it back.
        let probe = self.probe.as_ref().map(ToString::to_string);
        keys.push(("probe", probe.unwrap_or_default()));
        let keys: Vec<_> = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let read = Self::from_keys(keys.iter().map(|(key, value)| (key.as_str(), value.as_str())))?;
        if read != *self {
            // A URL with a space in it would be read as two.
            return Err(FactsError::Malformed("urls"));
        }
        Ok(keys)
    }

    /// Reads what keys and values say.
    ///
    /// # Errors
    /// [`FactsError`] says which key is not there or cannot be read.
    pub fn from_keys<'a>(keys: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, FactsError> {
        let mut said = Said::default();
        let mut bytes = 0;
        for (key, value) in keys {
            bytes += key.len() + value.len();
            said.take(key, value);
        }
        if bytes > FACTS_BYTES_MAX {
            return Err(FactsError::TooLong(bytes));
        }
        Ok(Self {
            client_urls: urls(need("urls", said.urls)?)?,
            protocol: versions("protocol", need("protocol", said.protocol)?)?,
            webtransport: webtransport(need("webtransport", said.webtransport)?)?,
            link: read("link", need("link", said.link)?)?,
            probe: match need("probe", said.probe)? {
                "" => None,
                address => Some(read("probe", address)?),
            },
            zone: word("zone", need("zone", said.zone)?)?,
            version: word("version", need("version", said.version)?)?,
            wire: versions("wire", need("wire", said.wire)?)?,
            load: read("load", need("load", said.load)?)?,
            phase: phase(need("phase", said.phase)?)?,
            settings: hexadecimal(need("settings", said.settings)?)?,
            table: read("table", need("table", said.table)?)?,
        })
    }
}

/// The values that were found.
#[derive(Default)]
struct Said<'a> {
    urls: Option<&'a str>,
    protocol: Option<&'a str>,
    webtransport: Option<&'a str>,
    link: Option<&'a str>,
    probe: Option<&'a str>,
    zone: Option<&'a str>,
    version: Option<&'a str>,
    wire: Option<&'a str>,
    load: Option<&'a str>,
    phase: Option<&'a str>,
    settings: Option<&'a str>,
    table: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn take(&mut self, key: &str, value: &'a str) {
        let place = match key {
            "urls" => &mut self.urls,
            "protocol" => &mut self.protocol,
            "webtransport" => &mut self.webtransport,
            "link" => &mut self.link,
            "probe" => &mut self.probe,
            "zone" => &mut self.zone,
            "version" => &mut self.version,
            "wire" => &mut self.wire,
            "load" => &mut self.load,
            "phase" => &mut self.phase,
            "settings" => &mut self.settings,
            "table" => &mut self.table,
            _ => return,
        };
        *place = Some(value);
    }
}

fn need<'a>(key: &'static str, value: Option<&'a str>) -> Result<&'a str, FactsError> {
    value.ok_or(FactsError::Missing(key))
}

/// Reads a value that is written one way only: what reads the same but looks different was not written by us.
fn read<T: FromStr + Display>(key: &'static str, value: &str) -> Result<T, FactsError> {
    let read = value.parse::<T>().ok().filter(|read| read.to_string() == value);
    read.ok_or(FactsError::Malformed(key))
}

/// A text for logs, metrics and pages: printable and short.
fn word(key: &'static str, value: &str) -> Result<String, FactsError> {
    let holds = value.len() <= WORD_BYTES_MAX && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    holds.then(|| value.to_owned()).ok_or(FactsError::Malformed(key))
}

fn urls(value: &str) -> Result<Vec<String>, FactsError> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let urls: Vec<_> = value.split(' ').map(str::to_owned).collect();
    let holds = |url: &String| {
        let is_http = url.starts_with("https://") || url.starts_with("http://");
        is_http && url.len() <= URL_BYTES_MAX && url.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let holds = urls.len() <= URLS_MAX && urls.iter().all(holds);
    holds.then_some(urls).ok_or(FactsError::Malformed("urls"))
}

fn versions<T: FromStr + Display + PartialOrd>(key: &'static str, value: &str) -> Result<(T, T), FactsError> {
    let (least, most) = value.split_once('-').ok_or(FactsError::Malformed(key))?;
    let (least, most) = (read(key, least)?, read(key, most)?);
    (least <= most)
        .then_some((least, most))
        .ok_or(FactsError::Malformed(key))
}

/// What stands for a certificate that a public authority vouches for.
const PUBLIC: &str = "public";

fn said_webtransport(offered: Option<&Pins>) -> String {
    match offered {
        None => String::new(),
        Some(pins) if pins.is_empty() => PUBLIC.to_owned(),
        Some(pins) => pins.join(" "),
    }
}

fn webtransport(value: &str) -> Result<Option<Pins>, FactsError> {
    match value {
        "" => return Ok(None),
        PUBLIC => return Ok(Some(Pins::new())),
        _ => {}
    }
    let pins: Pins = value.split(' ').map(str::to_owned).collect();
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let holds = |pin: &String| pin.len() == PIN_DIGITS && pin.bytes().all(digit);
    let holds = pins.len() <= PINS_MAX && pins.iter().all(holds);
    holds.then_some(Some(pins)).ok_or(FactsError::Malformed("webtransport"))
}

fn phase(value: &str) -> Result<Phase, FactsError> {
    let named = Phase::ALL.into_iter().find(|phase| phase.name() == value);
    named.ok_or(FactsError::Malformed("phase"))
}

fn hexadecimal(value: &str) -> Result<u64, FactsError> {
    let read = u64::from_str_radix(value, 16)
        .ok()
        .filter(|read| format!("{read:016x}") == value);
    read.ok_or(FactsError::Malformed("settings"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn facts() -> NodeFacts {
        NodeFacts {
            client_urls: vec!["https://a.example:4433".to_owned(), "https://[::1]:4433".to_owned()],
            protocol: (1, 3),
            webtransport: Some(vec!["0a".repeat(32), "f9".repeat(32)]),
            link: "10.0.0.1:4435".parse().expect("an address"),
            probe: Some("[fd00::1]:4433".parse().expect("an address")),
            zone: "rack 7".to_owned(),
            version: "0.1.0".to_owned(),
            wire: (1, 2),
            load: 17,
            phase: Phase::Draining,
            settings: 0xab,
            table: u64::MAX,
        }
    }

    fn with(key: &str, value: &str) -> Result<NodeFacts, FactsError> {
        let mut keys = facts().to_keys().expect("they hold");
        keys.retain(|(one, _)| one != key);
        keys.push((key.to_owned(), value.to_owned()));
        NodeFacts::from_keys(keys.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    #[test]
    fn facts_read_back_as_they_were_said() {
        let bare = NodeFacts {
            client_urls: Vec::new(),
            probe: None,
            zone: String::new(),
            ..facts()
        };
        let public = NodeFacts {
            webtransport: Some(Pins::new()),
            ..facts()
        };
        let none = NodeFacts {
            webtransport: None,
            ..facts()
        };
        for said in [facts(), bare, public, none] {
            let keys = said.to_keys().expect("they hold");
            let read = NodeFacts::from_keys(keys.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            assert_eq!(read, Ok(said));
        }
        assert_eq!(with("of the next version", "anything"), Ok(facts()));
    }

    #[test]
    fn what_is_missing_is_named() {
        let keys = facts().to_keys().expect("they hold");
        for (gone, _) in &keys {
            let rest = keys.iter().filter(|(key, _)| key != gone);
            let read = NodeFacts::from_keys(rest.map(|(key, value)| (key.as_str(), value.as_str())));
            assert!(
                matches!(&read, Err(FactsError::Missing(key)) if key == gone),
                "{gone}: {read:?}"
            );
        }
    }

    #[test]
    fn what_no_node_would_write_is_refused() {
        for (key, value) in [
            ("urls", "ftp://a"),
            ("urls", "https://a  https://b"),
            ("urls", "http://1 http://2 http://3 http://4 http://5"),
            ("urls", "http://a\n"),
            ("protocol", "1"),
            ("webtransport", "pinned"),
            ("webtransport", &"0A".repeat(32)),
            ("webtransport", &[&*"0a".repeat(32); 3].join(" ")),
            ("link", "nowhere"),
            ("link", "10.0.0.1"),
            ("probe", "10.0.0.1:99999"),
            ("zone", "a\u{1b}[2J"),
            ("version", &"9".repeat(65)),
            ("wire", "2-1"),
            ("wire", "1"),
            ("load", "-1"),
            ("load", "+1"),
            ("load", "4294967296"),
            ("phase", "DRAINING"),
            ("settings", "ab"),
            ("table", "01"),
        ] {
            let refused = with(key, value).err();
            assert!(
                matches!(refused, Some(FactsError::Malformed(at)) if at == key),
                "{key} = {value:?}"
            );
        }
        assert!(matches!(
            with("more", &"x".repeat(FACTS_BYTES_MAX)),
            Err(FactsError::TooLong(_))
        ));
        let two = NodeFacts {
            client_urls: vec!["http://a http://b".to_owned()],
            ..facts()
        };
        assert_eq!(two.to_keys().err(), Some(FactsError::Malformed("urls")));
    }
}
