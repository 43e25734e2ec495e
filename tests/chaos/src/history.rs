//! What the clients did and saw, and what was done to the nodes: one JSON object a line, in the order of one clock.
//!
//! The checkers know nothing else. A history that was written by a run, or by hand, is checked in the same way.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Nanoseconds since the run began, by the monotonic clock.
    pub(crate) t: u64,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// A publish: whose, and its number among all that this client ever published. It is the payload, too.
pub(crate) type Value = String;

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event {
    /// The run begins.
    Run {
        scenario: String,
        seed: u64,
        /// Copies that every acknowledgement must speak of.
        copies_min: u32,
        channels: Vec<String>,
    },
    /// A client is about to publish.
    Invoke {
        client: String,
        channel: String,
        value: Value,
    },
    /// It was acknowledged.
    Ok {
        client: String,
        channel: String,
        value: Value,
        serial: u64,
        epoch: String,
        seq: u64,
        term: u64,
        copies: u32,
        duplicate: bool,
    },
    /// It was not acknowledged.
    Fail {
        client: String,
        channel: String,
        value: Value,
        error: String,
        /// Whether it may be in the channel nevertheless.
        may_stand: bool,
    },
    /// A reader is attached, at first or again.
    Attached {
        client: String,
        channel: String,
        /// `resumed`, `rewound` or `discontinuity`.
        outcome: String,
        epoch: String,
        seq: u64,
        head: u64,
    },
    /// A reader was given a message.
    Message {
        client: String,
        channel: String,
        epoch: String,
        seq: u64,
        term: u64,
        value: Value,
    },
    /// A reader was told that messages up to `to` are left out for it.
    Skipped { client: String, channel: String, to: u64 },
    /// A reader was told that it cannot go on from where it was.
    Discontinuity {
        client: String,
        channel: String,
        reason: String,
        epoch: String,
        seq: u64,
    },
    /// A subscription ended for good.
    Ended {
        client: String,
        channel: String,
        error: String,
    },
    /// A client is connected to another node than before, or to none.
    Connection {
        client: String,
        /// `None` while it is not connected.
        node: Option<String>,
        detail: String,
    },
    /// A fault begins.
    Fault {
        number: u32,
        what: String,
        nodes: Vec<String>,
        /// Whether every copy of some history dies with it.
        loses: bool,
    },
    /// The fault is over: nothing more is done to the nodes.
    Healed { number: u32 },
    /// Every node says that it is ready.
    Ready { number: u32 },
    /// Something did not work that the run needed, and it went on without.
    Trouble { what: String },
    /// Every publish has its outcome, and every reader had the time to catch up.
    Quiet,
    /// A channel's history in the end, as a node tells it over HTTP.
    History {
        node: String,
        channel: String,
        epoch: String,
        head: u64,
        messages: Vec<(u64, Value)>,
    },
    /// Who owns a slot, as the slot table says.
    Owner { slot: u16, term: u64, owner: String },
}

/// Writes a history as it happens.
pub(crate) struct Recorder {
    began: Instant,
    file: Mutex<BufWriter<File>>,
}

impl Recorder {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            began: Instant::now(),
            file: Mutex::new(BufWriter::new(File::create(path)?)),
        })
    }

    /// Notes what happens now.
    ///
    /// # Panics
    /// When it cannot be written: a run without its history proves nothing.
    pub(crate) fn note(&self, event: Event) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that the lines are in the order of the clock.
        let t = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut line = serde_json::to_vec(&Record { t, event }).expect("an event is plain data");
        line.push(b'\n');
        file.write_all(&line).expect("the history can be written");
    }

    /// Makes sure that all of it is in the file.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

/// Reads a history.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    for (at, line) in BufReader::new(File::open(path)?).lines().enumerate() {
        let record = serde_json::from_str(&line?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", at + 1)))?;
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_in_order() {
        let path = std::env::temp_dir().join(format!("starling-history-{:016x}", fastrand::u64(..)));
        let recorder = Recorder::create(&path).expect("a file");
        let events = [
            Event::Quiet,
            Event::Connection {
                client: "p0".into(),
                node: None,
                detail: "lost".into(),
            },
            Event::History {
                node: "a".into(),
                channel: "chaos:0".into(),
                epoch: "0-1".into(),
                head: 1,
                messages: vec![(1, "p0/1".into())],
            },
        ];
        for event in &events {
            recorder.note(event.clone());
        }
        recorder.flush().expect("written");
        let records = read(&path).expect("a history");
        assert!(records.is_sorted_by_key(|record| record.t));
        assert!(records.into_iter().map(|record| record.event).eq(events));
        std::fs::write(&path, "{\"t\":1,\"type\":\"quiet\"}\nnonsense\n").expect("written");
        let error = read(&path).expect_err("no history");
        assert!(error.to_string().starts_with("line 2: "), "{error}");
        std::fs::remove_file(&path).expect("it is there");
    }
}
