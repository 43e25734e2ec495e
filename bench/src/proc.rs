//! What the kernel knows about processes and the machine, read from `/proc` and set by system calls.
//!
//! - [`cpu`]: processor time of a process;
//! - [`memory`]: resident memory of a process;
//! - [`host`]: stolen time, lost datagrams, and which machine this is;
//! - [`core`]: which cores there are, and staying on one;
//! - [`descriptors`]: how many sockets may be open.

pub(crate) mod core;
pub(crate) mod cpu;
pub(crate) mod descriptors;
pub(crate) mod host;
pub(crate) mod memory;

use std::fs;
use std::path::Path;

use crate::Error;

/// The text of a file in `/proc`.
fn read(path: impl AsRef<Path>) -> Result<String, Error> {
    let path = path.as_ref();
    fs::read_to_string(path).map_err(|error| Error::Proc {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// The error for a file of `/proc` that is not as it should be.
fn malformed(path: impl AsRef<Path>, reason: &str) -> Error {
    Error::Proc {
        path: path.as_ref().to_owned(),
        reason: reason.to_owned(),
    }
}
