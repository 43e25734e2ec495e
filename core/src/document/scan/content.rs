//! What a block holds.

use super::update::Kind;
use super::{Flaw, Limit, Limits, count, within};
use crate::document::lib0::{Reader, SAFE_INTEGER_MAX};

/// What was read of a block's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    /// How many clocks it takes.
    pub(super) length: u64,
    /// What may be put into it.
    pub(super) kind: Kind,
    /// It is a document of its own.
    pub(super) is_subdocument: bool,
}

impl Content {
    const fn of_length(length: u64) -> Self {
        Self {
            length,
            kind: Kind::Value,
            is_subdocument: false,
        }
    }
}

/// Reads the content of a block that begins `at`.
pub(super) fn read(reader: &mut Reader<'_>, kind: u8, at: usize, limits: &Limits) -> Result<Content, Flaw> {
    Ok(match kind {
        1 => Content {
            kind: Kind::Gone,
            ..Content::of_length(reader.uint(SAFE_INTEGER_MAX)?)
        },
        2 => {
            return Err(Flaw::Outdated {
                at,
                what: "JSON content",
            });
        }
        3 => {
            reader.buffer()?;
            Content::of_length(1)
        }
        4 => Content::of_length(utf16_length(reader.text()?)),
        5 => {
            reader.text()?; // embedded: JSON, which yrs parses with a bound of its own
            Content::of_length(1)
        }
        6 => {
            reader.text()?; // the name of a format, and its value as JSON
            reader.text()?;
            Content::of_length(1)
        }
        7 => {
            shared_type(reader)?;
            Content {
                kind: Kind::Type,
                ..Content::of_length(1)
            }
        }
        8 => {
            let values = count(reader, 1)?;
            for _ in 0..values {
                value(reader, limits)?;
            }
            Content::of_length(values as u64)
        }
        9 => {
            reader.text()?; // its id, and its options
            value(reader, limits)?;
            Content {
                is_subdocument: true,
                ..Content::of_length(1)
            }
        }
        kind => return Err(Flaw::Kind { at, kind }),
    })
}

/// Clocks of a text are counted as JavaScript counts.
fn utf16_length(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    text.chars().map(|char| char.len_utf16() as u64).sum()
}

/// A type that others can be put into: array, map, text, XML element, fragment, XML text.
fn shared_type(reader: &mut Reader<'_>) -> Result<(), Flaw> {
    let at = reader.at();
    match reader.byte()? {
        0..=2 | 4 | 6 => Ok(()),
        3 => Ok(reader.text().map(|_name| ())?),
        5 => Err(Flaw::Outdated {
            at,
            what: "an XML hook",
        }),
        kind => Err(Flaw::Kind { at, kind }),
    }
}

/// One value, however nested: what is open is kept in a list, not on the stack.
fn value(reader: &mut Reader<'_>, limits: &Limits) -> Result<(), Flaw> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        let at = reader.at();
        match reader.byte()? {
            120 | 121 | 126 | 127 => {}
            125 => {
                reader.int()?;
            }
            124 => {
                reader.take(4)?;
            }
            122 | 123 => {
                reader.take(8)?;
            }
            119 => {
                reader.text()?;
            }
            116 => {
                reader.buffer()?;
            }
            118 => open.push(Open {
                has_keys: true,
                left: count(reader, 2)?,
            }),
            117 => open.push(Open {
                has_keys: false,
                left: count(reader, 1)?,
            }),
            kind => return Err(Flaw::Kind { at, kind }),
        }
        within(open.len(), limits.value_depth, Limit::ValueDepth)?;
        // On to the next value of the innermost that has one.
        loop {
            let Some(innermost) = open.last_mut() else {
                return Ok(());
            };
            if innermost.left > 0 {
                innermost.left -= 1;
                if innermost.has_keys {
                    reader.text()?;
                }
                break;
            }
            open.pop();
        }
    }
}

/// An array or object whose end has not come.
#[derive(Debug)]
struct Open {
    has_keys: bool,
    left: usize,
}
