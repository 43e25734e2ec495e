//! Durations and sizes as an operator writes them: a whole number and its unit, `"250ms"`, `"64KiB"`.
//!
//! A bare number is refused: `timeout = 30` has been read as seconds by one half of all operators and as
//! milliseconds by the other.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes: `"0B"`, `"512B"`, `"64KiB"`, `"8MiB"`, `"1GiB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// In bytes, as lengths in memory are counted. What this machine cannot address counts as the most it can.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_in_largest(self.0, &SIZES, out)
    }
}

/// Reads a duration: `"5ms"`, `"15s"`, `"2m"`, `"24h"`, `"7d"`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    parse(text, &DURATIONS, "15s").map(Duration::from_millis)
}

/// Reads a size: `"512B"`, `"64KiB"`, `"8MiB"`, `"1GiB"`.
pub fn parse_size(text: &str) -> Result<Size, UnitError> {
    parse(text, &SIZES, "64KiB").map(Size)
}

/// Why a text is not a duration or not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No number in front.
    #[error("\"{text}\" does not start with a whole number; write a number and a unit, such as \"{example}\"")]
    Number {
        /// What was written.
        text: String,
        /// A value that would have been taken.
        example: &'static str,
    },
    /// A number alone.
    #[error("{text} has no unit; write a number and a unit, such as \"{example}\" (units: {units})")]
    Bare {
        /// What was written.
        text: String,
        /// A value that would have been taken.
        example: &'static str,
        /// Every unit there is.
        units: String,
    },
    /// A unit that is not one of ours.
    #[error("\"{unit}\" is not a unit here; use one of {units}, as in \"{example}\"")]
    Unit {
        /// What stood behind the number.
        unit: String,
        /// A value that would have been taken.
        example: &'static str,
        /// Every unit there is.
        units: String,
    },
    /// More than 64 bits can count.
    #[error("{text} is too large")]
    TooLarge {
        /// What was written.
        text: String,
    },
}

/// Serde's side of a duration: `#[serde(with = "unit::duration")]`.
pub(super) mod duration {
    use super::{DURATIONS, Duration, Written, de, fmt, write_in_largest};
    use super::{Deserializer, Serializer};

    struct Shown(u64);

    impl fmt::Display for Shown {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_in_largest(self.0, &DURATIONS, out)
        }
    }

    pub(in crate::config) fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&Shown(u64::try_from(value.as_millis()).unwrap_or(u64::MAX)))
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = from.deserialize_any(Written)?;
        super::parse_duration(&text).map_err(de::Error::custom)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = from.deserialize_any(Written)?;
        parse_size(&text).map_err(de::Error::custom)
    }
}

/// Takes a string, and a bare number too, so that the answer to one is about its missing unit.
struct Written;

impl Visitor<'_> for Written {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number and its unit in quotes, such as \"15s\" or \"64KiB\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

/// Units of time in milliseconds, largest first.
const DURATIONS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of size in bytes, largest first. Powers of two only: "KB" means 1,000 to some and 1,024 to others.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

fn parse(text: &str, units: &[(&str, u64)], example: &'static str) -> Result<u64, UnitError> {
    let names = || units.iter().rev().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(UnitError::Number {
            text: text.to_owned(),
            example,
        });
    }
    if unit.is_empty() {
        return Err(UnitError::Bare {
            text: text.to_owned(),
            example,
            units: names(),
        });
    }
    let Some((_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(UnitError::Unit {
            unit: unit.to_owned(),
            example,
            units: names(),
        });
    };
    let value = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
    value.ok_or_else(|| UnitError::TooLarge { text: text.to_owned() })
}

fn write_in_largest(value: u64, units: &[(&str, u64)], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (smallest, rest) = units.split_last().expect("every kind of unit has at least one");
    let (name, scale) = rest
        .iter()
        .find(|(_, scale)| value > 0 && value.is_multiple_of(*scale))
        .unwrap_or(smallest);
    write!(out, "{}{name}", value / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_is_read() {
        let cases = [
            ("0ms", 0),
            ("250ms", 250),
            ("15s", 15_000),
            ("2m", 120_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        let cases = [
            ("0B", 0),
            ("512B", 512),
            ("64KiB", 65_536),
            ("8MiB", 8 << 20),
            ("2GiB", 2 << 30),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(Size::new(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_not_one_is_refused_and_told_why() {
        let cases = [
            (
                "15",
                "15 has no unit; write a number and a unit, such as \"15s\" (units: ms, s, m, h, d)",
            ),
            (
                "",
                "\"\" does not start with a whole number; write a number and a unit, such as \"15s\"",
            ),
            (
                "-5s",
                "\"-5s\" does not start with a whole number; write a number and a unit, such as \"15s\"",
            ),
            (
                "15 s",
                "\" s\" is not a unit here; use one of ms, s, m, h, d, as in \"15s\"",
            ),
            (
                "1.5s",
                "\".5s\" is not a unit here; use one of ms, s, m, h, d, as in \"15s\"",
            ),
            ("99999999999999999999s", "99999999999999999999s is too large"),
            ("9999999999999999d", "9999999999999999d is too large"),
        ];
        for (text, message) in cases {
            assert_eq!(parse_duration(text).expect_err(text).to_string(), message);
        }
        let message = parse_size("64KB").expect_err("KB is ambiguous").to_string();
        assert_eq!(
            message,
            "\"KB\" is not a unit here; use one of B, KiB, MiB, GiB, as in \"64KiB\""
        );
    }

    #[test]
    fn what_is_shown_reads_back_in_the_largest_unit() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Both {
            #[serde(with = "duration")]
            wait: Duration,
            room: Size,
        }
        for (milliseconds, wait, bytes, room) in [
            (0, "0ms", 0, "0B"),
            (1_500, "1500ms", 1_500, "1500B"),
            (90_000, "90s", 65_536, "64KiB"),
            (86_400_000, "1d", 1 << 30, "1GiB"),
        ] {
            let both = Both {
                wait: Duration::from_millis(milliseconds),
                room: Size::new(bytes),
            };
            let text = toml::to_string(&both).expect("two strings serialize");
            assert_eq!(text, format!("wait = \"{wait}\"\nroom = \"{room}\"\n"));
            assert_eq!(
                toml::from_str::<Both>(&text).expect("what was written reads back"),
                both
            );
        }
    }

    #[test]
    fn a_bare_number_is_answered_with_its_unit_missing() {
        #[derive(Deserialize, Debug)]
        #[expect(dead_code, reason = "only the refusal matters")]
        struct One {
            room: Size,
        }
        let refused = toml::from_str::<One>("room = 64").expect_err("no unit");
        assert!(refused.message().contains("64 has no unit"), "{refused}");
    }
}
