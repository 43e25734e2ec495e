//! What editors did and were told, a line each, to find out what happened when something is lost.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Error;

/// See the module.
pub(super) struct Trace(Mutex<BufWriter<File>>);

impl Trace {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(Error::file("write", path))?;
        Ok(Self(Mutex::new(BufWriter::new(file))))
    }

    /// Notes something, with the time of day, which the logs of the nodes have, too.
    pub(super) fn note(&self, who: &str, what: fmt::Arguments<'_>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (of_day, ms) = (now.as_secs() % 86_400, now.subsec_millis());
        let (hours, minutes, seconds) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk spoils the trace and not the run.
        let _spoiled = writeln!(file, "{hours:02}:{minutes:02}:{seconds:02}.{ms:03} {who} {what}");
    }

    pub(super) fn flush(&self) {
        let _spoiled = self.0.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}
