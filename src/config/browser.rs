//! Which browsers are told to use WebSocket although they have WebTransport.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One entry of `client.websocket_browsers`: `safari`, or `firefox<153`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browser {
    /// Its name, as clients know it.
    pub name: String,
    /// Versions below this one; all of them when absent.
    pub below: Option<u32>,
}

impl FromStr for Browser {
    type Err = BrowserError;

    fn from_str(text: &str) -> Result<Self, BrowserError> {
        let refused = || BrowserError { text: text.to_owned() };
        let (name, below) = match text.split_once('<') {
            None => (text, None),
            Some((name, version)) => (name, Some(version.parse().map_err(|_| refused())?)),
        };
        // A name that no client knows would look like a rule and be none.
        if !KNOWN.contains(&name) {
            return Err(refused());
        }
        Ok(Self {
            name: name.to_owned(),
            below,
        })
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        self.below.map_or(Ok(()), |version| write!(out, "<{version}"))
    }
}

impl Serialize for Browser {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Browser {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Why a text names no browser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" is not a rule for a browser; write chrome, firefox or safari, or firefox<153 for versions below that"
)]
pub struct BrowserError {
    text: String,
}

/// The names that clients tell browsers apart by. Every browser on iOS is `safari`, as its engine is.
const KNOWN: [&str; 3] = ["chrome", "firefox", "safari"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        for text in ["safari", "firefox<153", "chrome<97"] {
            assert_eq!(
                text.parse::<Browser>().map(|rule| rule.to_string()).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn what_names_no_browser_is_refused() {
        for text in [
            "",
            "Safari",
            "netscape",
            "firefox<",
            "firefox<new",
            "firefox>153",
            "<153",
        ] {
            let refused = text.parse::<Browser>().expect_err(text);
            assert!(refused.to_string().contains("firefox<153"), "{refused}");
        }
    }
}
