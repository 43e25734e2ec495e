//! What a provider is told: what happens to its documents, and what is due.
//!
//! One that is told that its document is closed stays without it until it has another connection. So that is said only of what
//! would be no better then; for what passes, the connection ends, and all its documents come back.

use std::sync::Arc;

use bytes::Bytes;
use starling_core::document::gateway::Event;
use starling_core::document::log;
use starling_core::document::message::{EditorId, Refusal};
use starling_core::document::sync::Sync;
use starling_core::document::sync::hocuspocus::{Address, FromServer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::{Document, Session, TOKEN_TIME_MAX};
use crate::editor::Told;
use crate::editor::line::{Ending, close};
use crate::editor::told::said_again;
use crate::transport::tcp::Doze;

/// The states of nobody: something that every version of the provider hears, and that changes nothing.
const NOBODY: &[u8] = &[0];

impl<T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static> Session<'_, T> {
    /// Says something about a document.
    pub(super) fn say(&mut self, address: Address<'_>, message: FromServer<'_>) {
        match &self.sole {
            None => self.line.say(&message.frame(address)),
            Some(_) => self.line.say(&message.unaddressed()),
        }
    }

    /// Says that a document may not be opened, or not any more. The connection stays.
    pub(super) fn deny(&mut self, key: &Arc<str>, address: Address<'_>, reason: &str) {
        self.say(address, FromServer::PermissionDenied(reason));
        self.forget(key);
    }

    /// Closes a document, and says so. The connection stays, if it can have another.
    pub(super) fn shut(&mut self, key: &Arc<str>, address: Address<'_>, reason: &str) -> Option<Ending> {
        if self.sole.is_some() {
            return Some(Ending::Close(close::TRY_AGAIN, reason.to_owned()));
        }
        self.say(address, FromServer::Close(reason));
        self.forget(key);
        None
    }

    /// Tells what happened to a document.
    pub(super) fn tell(&mut self, editor: EditorId, told: &Told) -> Option<Ending> {
        let key = self.editors.get(&editor).cloned()?; // it may have closed it since
        let address = Address::parse(&key);
        let frame = match &self.sole {
            None => told.hocuspocus(address),
            Some(_) => told.yjs(),
        };
        if let Some(frame) = frame {
            self.line.queue(frame);
            return None;
        }
        match told.event() {
            Event::Saved { edits, echo, .. } => self.saved(address, *edits, echo),
            Event::Refused { edit, refusal } => {
                self.line.registry.services().metrics.edit_refused(refusal.code());
                if *edit > 0 && self.sole.is_none() {
                    self.say(address, FromServer::SyncStatus { is_applied: false });
                }
                return self.refused(&key, address, refusal);
            }
            Event::AwarenessRefused { reason } => {
                self.line.registry.services().metrics.edit_refused("bad_awareness");
                tracing::debug!(reason, "an awareness message was not taken");
            }
            Event::Closed(closed) => return self.shut(&key, address, &closed.to_string()),
            Event::Stateless(payload) => {
                if let Ok(payload) = std::str::from_utf8(payload) {
                    self.say(address, FromServer::Stateless(payload));
                }
            }
            Event::Opened | Event::Step1(_) | Event::Step2(_) | Event::Update(_) | Event::Awareness(_) => {}
        }
        None
    }

    /// Tells that edits are saved: one by one, or to providers before 2.0 as they were.
    fn saved(&mut self, address: Address<'_>, edits: u64, echo: &[Bytes]) {
        if self.sole.is_some() {
            for update in said_again(echo) {
                self.say(address, FromServer::Sync(Sync::Update(update)));
            }
            return;
        }
        let status = FromServer::SyncStatus { is_applied: true }.frame(address);
        for _ in 0..edits {
            self.line.say(&status);
        }
    }

    fn refused(&mut self, key: &Arc<str>, address: Address<'_>, refusal: &Refusal) -> Option<Ending> {
        match refusal {
            Refusal::ReadOnly => None,
            // It would be no better with another connection.
            Refusal::BadUpdate(_) | Refusal::Closed(_) | Refusal::Log(log::Refusal::Quarantined) => {
                self.shut(key, address, &refusal.to_string())
            }
            // It keeps its edits, and sends them when it comes back.
            Refusal::Log(log::Refusal::UnsavedFull) | Refusal::Moving | Refusal::Unknown | Refusal::Busy => {
                Some(Ending::Close(close::TRY_AGAIN, refusal.to_string()))
            }
        }
    }

    /// When the first of its documents has waited for long enough, or its token ends; or when one has to have come.
    pub(super) fn set_due(&mut self) {
        let due = self.documents.values().filter_map(|document| match document {
            Document::Open { opened, .. } => opened.expires,
            Document::Waiting { until, .. } => Some(*until),
        });
        let unserved = self.first_open().is_none().then(|| self.unserved + TOKEN_TIME_MAX);
        self.line.due = due.chain(unserved).min();
    }

    /// Time has passed: ends what is due, and says something to who has been told nothing for long.
    pub(super) fn rang(&mut self) -> Option<Ending> {
        let now = Instant::now();
        if self.line.due.is_some_and(|due| due <= now) {
            if self.first_open().is_none() {
                return Some(Ending::Close(close::TIMEOUT, "no token came in time".to_owned()));
            }
            let ending = self.end(now);
            if ending.is_some() {
                return ending;
            }
        }
        if self.line.is_quiet()
            && let Some(key) = self.first_open().cloned()
        {
            self.say(Address::parse(&key), FromServer::Awareness(NOBODY));
        }
        None
    }

    fn first_open(&self) -> Option<&Arc<str>> {
        let mut documents = self.documents.iter();
        documents.find_map(|(key, document)| matches!(document, Document::Open { .. }).then_some(key))
    }

    /// Ends what is due of the documents.
    fn end(&mut self, now: Instant) -> Option<Ending> {
        let due = self.documents.iter().filter_map(|(key, document)| {
            let (is_open, at) = match document {
                Document::Open { opened, .. } => (true, opened.expires?),
                Document::Waiting { until, .. } => (false, *until),
            };
            (at <= now).then(|| (Arc::clone(key), is_open))
        });
        for (key, is_open) in due.collect::<Vec<_>>() {
            let address = Address::parse(&key);
            if is_open {
                self.deny(&key, address, "the token has ended; connect with a new one");
            } else if let Some(ending) = self.shut(&key, address, "no token came in time") {
                return Some(ending);
            }
        }
        None
    }
}
