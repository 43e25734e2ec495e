//! What a frame must hold, as far as the frame alone can tell.
//!
//! [`client()`] guards the server and is strict about everything. [`server()`] guards a client against a server's mistake
//! or a version skew: strict where a wrong value would lose a message in silence, lenient about codes and reasons,
//! which a newer server may have more of.

mod client;
mod document;
mod presence;
mod server;

use super::{DecodeError, Fault};
use crate::limits;
use crate::v1::{Goodbye, Position};

pub(super) use self::client::client;
pub(super) use self::server::server;

type Checked = Result<(), DecodeError>;

/// The frame under check: what a refusal has to name.
#[derive(Clone, Copy)]
struct Subject {
    frame: &'static str,
    request: u64,
}

impl Subject {
    /// A frame that no request can be answered for.
    const fn of(frame: &'static str) -> Self {
        Self { frame, request: 0 }
    }

    /// A request. Its number must be set: without one the refusal could not be answered, nor could the answer.
    fn request(frame: &'static str, request: u64) -> Result<Self, DecodeError> {
        Self::of(frame).present("request", request != 0)?;
        Ok(Self { frame, request })
    }

    fn refuse(self, field: &'static str, fault: Fault) -> Checked {
        Err(DecodeError::Field {
            frame: self.frame,
            field,
            request: self.request,
            fault,
        })
    }

    fn present(self, field: &'static str, present: bool) -> Checked {
        if present {
            Ok(())
        } else {
            self.refuse(field, Fault::Missing)
        }
    }

    fn at_most(self, field: &'static str, value: &str, max: usize) -> Checked {
        if value.len() <= max {
            Ok(())
        } else {
            self.refuse(
                field,
                Fault::TooLong {
                    bytes: value.len(),
                    max,
                },
            )
        }
    }

    /// Neither empty nor longer than `max` bytes.
    fn text(self, field: &'static str, value: &str, max: usize) -> Checked {
        self.present(field, !value.is_empty())?;
        self.at_most(field, value, max)
    }

    fn in_range(self, field: &'static str, value: u64, holds: bool, expected: &'static str) -> Checked {
        if holds {
            Ok(())
        } else {
            self.refuse(field, Fault::OutOfRange { value, expected })
        }
    }

    fn agrees(self, field: &'static str, with: &'static str, holds: bool) -> Checked {
        if holds {
            Ok(())
        } else {
            self.refuse(field, Fault::Contradicts { with })
        }
    }

    /// Bytes that have one right length.
    fn exactly(self, field: &'static str, value: &[u8], expected: usize) -> Checked {
        match value.len() {
            bytes if bytes == expected => Ok(()),
            bytes => self.refuse(field, Fault::WrongLength { bytes, expected }),
        }
    }

    fn bytes_at_most(self, field: &'static str, value: &[u8], max: usize) -> Checked {
        match value.len() {
            bytes if bytes <= max => Ok(()),
            bytes => self.refuse(field, Fault::TooLong { bytes, max }),
        }
    }

    /// A key with its value. Only a key can be removed, and what is removed has no value.
    fn key(self, key: &str, removed: (&'static str, bool), payload: &[u8]) -> Checked {
        self.at_most("key", key, limits::KEY_BYTES_MAX)?;
        let (field, removed) = removed;
        if removed {
            self.present("key", !key.is_empty())?;
            self.agrees("payload", field, payload.is_empty())?;
        }
        Ok(())
    }

    fn position<'a>(self, field: &'static str, position: Option<&'a Position>) -> Result<&'a Position, DecodeError> {
        let Some(position) = position else {
            return Err(DecodeError::Field {
                frame: self.frame,
                field,
                request: self.request,
                fault: Fault::Missing,
            });
        };
        self.text("position.epoch", &position.epoch, limits::EPOCH_BYTES_MAX)?;
        Ok(position)
    }
}

/// Goodbye is the same from both sides.
fn goodbye(goodbye: &Goodbye) -> Checked {
    let subject = Subject::of("goodbye");
    subject.present("code", goodbye.code != 0)?;
    subject.in_range(
        "code",
        goodbye.code.into(),
        goodbye.code <= u16::MAX.into(),
        "a close code of at most 65535",
    )?;
    subject.at_most("reason", &goodbye.reason, limits::TEXT_BYTES_MAX)?;
    let count = goodbye.alternates.len();
    if count > limits::ALTERNATES_MAX {
        return subject.refuse(
            "alternates",
            Fault::TooMany {
                count,
                max: limits::ALTERNATES_MAX,
            },
        );
    }
    goodbye
        .alternates
        .iter()
        .try_for_each(|base| subject.text("alternates", base, limits::ALTERNATE_BYTES_MAX))
}
