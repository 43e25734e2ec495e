//! Which web pages may connect.
//!
//! A browser says on every WebSocket and WebTransport which page opened it. An origin is compared whole, never by
//! suffix: `https://app.example.org.evil.io` ends in nothing that counts. Clients that are no browser send none.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One entry of `client.origins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This origin and no other, as browsers write it: scheme, host, and the port unless it is the scheme's own.
    Exact(String),
    /// Any page served from this machine, on any port: the word `loopback`. For development.
    Loopback,
}

impl Origin {
    /// Whether a page of this origin is meant. `origin` is the header as the browser sent it.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == origin,
            Self::Loopback => is_loopback(origin),
        }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text == LOOPBACK {
            return Ok(Self::Loopback);
        }
        let refused = || OriginError { text: text.to_owned() };
        let parsed = url::Url::parse(text).map_err(|_| refused())?;
        let is_web = matches!(parsed.scheme(), "http" | "https");
        // What a browser sends is the serialized origin: compared byte by byte, so it must be written that way here.
        // A star would be compared too, and allow nobody: there are no patterns.
        if is_web && parsed.origin().ascii_serialization() == text && !text.contains('*') {
            Ok(Self::Exact(text.to_owned()))
        } else {
            Err(refused())
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Exact(origin) => origin,
            Self::Loopback => LOOPBACK,
        })
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Whether a page of `origin` is the node's own: under its public URL, or under the IP address it was reached by.
/// A name in `host` proves nothing: the owner of any name can point it at this machine (DNS rebinding).
pub(super) fn is_own(origin: &str, host: &str, public_url: &str) -> bool {
    let serialized = |text: &str| url::Url::parse(text).ok().map(|url| url.origin().ascii_serialization());
    if !public_url.is_empty() && serialized(public_url).as_deref() == Some(origin) {
        return true;
    }
    let Ok(url) = url::Url::parse(origin) else {
        return false;
    };
    let is_address =
        matches!(url.host(), Some(url::Host::Ipv4(_) | url::Host::Ipv6(_))) || url.host_str() == Some("localhost");
    let same_host = origin
        .strip_prefix(url.scheme())
        .and_then(|rest| rest.strip_prefix("://"))
        == Some(host);
    is_address && matches!(url.scheme(), "http" | "https") && same_host
}

/// Why a text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" is not an origin; write scheme, host and port as browsers send them, in lower case, without a path \
     and without the scheme's own port, such as \"https://app.example.org\" or \"http://localhost:5173\"; or the \
     word \"loopback\" for every page of this machine"
)]
pub struct OriginError {
    text: String,
}

const LOOPBACK: &str = "loopback";

fn is_loopback(origin: &str) -> bool {
    let Ok(url) = url::Url::parse(origin) else {
        return false;
    };
    if !matches!(url.scheme(), "http" | "https") || url.origin().ascii_serialization() != origin {
        return false;
    }
    match url.host() {
        // `localhost` and what is below it never leave the machine in any browser (RFC 6761, section 6.3).
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_origin_allows_itself_only() {
        let origin: Origin = "https://app.example.org".parse().expect("an origin");
        assert!(origin.allows("https://app.example.org"));
        for other in [
            "https://app.example.org.evil.io",
            "https://evil-app.example.org",
            "https://example.org",
            "http://app.example.org",
            "https://app.example.org:8443",
            "https://app.example.org/",
            "null",
            "",
        ] {
            assert!(!origin.allows(other), "{other}");
        }
    }

    #[test]
    fn loopback_is_this_machine_on_any_port() {
        let origin: Origin = "loopback".parse().expect("the word for it");
        for page in [
            "http://localhost:5173",
            "http://127.0.0.1:4433",
            "https://[::1]:8080",
            "http://app.localhost",
        ] {
            assert!(origin.allows(page), "{page}");
        }
        for page in [
            "http://localhost.evil.io",
            "http://127.0.0.1.evil.io",
            "http://evil.io",
            "http://192.168.0.1",
            "http://evil@localhost",
            "http://localhost/path",
            "file://localhost",
            "null",
        ] {
            assert!(!origin.allows(page), "{page}");
        }
    }

    #[test]
    fn what_no_browser_would_send_is_refused() {
        for text in [
            "*",
            "app.example.org",
            "https://app.example.org/",
            "https://App.Example.org",
            "https://a.org:443",
            "https://*.a.org",
            "ws://a.org",
            "null",
            "",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
