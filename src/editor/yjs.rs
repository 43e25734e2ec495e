//! y-websocket: one connection has one document, which its URL names. Unmodified clients of any version are served.
//!
//! What they cannot be told in their protocol is told as a denied permission, which they print, or by the code that the
//! connection is closed with: from 4400 to 4499 it makes clients since 3.1 stay away, any other makes them come back.

use std::sync::Arc;

use bytes::Bytes;
use starling_core::document::gateway::Event;
use starling_core::document::lib0;
use starling_core::document::log;
use starling_core::document::message::Refusal;
use starling_core::document::scan::Limits;
use starling_core::document::sync::{Message, Sync, messages};
use starling_core::id::ChannelName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::line::{Ending, Happened, Line, close};
use super::rights::{NoRights, Rights};
use super::session::Opened;
use super::told::said_again;
use super::{Mailbox, Told};
use crate::actor::registry::Registry;
use crate::quotas::Party;
use crate::transport::accept::Admitted;
use crate::transport::tcp::Doze;
use crate::transport::websocket::WebSocket;

/// What goes around an update: the kinds of the message, and its length.
const FRAMING_BYTES: usize = 16;

/// Who comes, and what for.
pub struct Visit {
    /// The document, or what is wrong with its name.
    pub document: Result<ChannelName, String>,
    /// What it presents; empty for nothing.
    pub token: String,
    /// Its place among the connections.
    pub admitted: Admitted,
}

/// Serves a connection until it ends.
pub async fn serve<T>(socket: WebSocket<T>, registry: Registry, visit: Visit)
where
    T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static,
{
    let Visit {
        document,
        token,
        mut admitted,
    } = visit;
    let services = Arc::clone(registry.services());
    let mailbox = Arc::new(Mailbox::default());
    let number = services.sessions.list(&mailbox);
    let mut line = Line::new(
        socket,
        registry.clone(),
        Arc::clone(&mailbox),
        Limits::CLIENT.bytes + FRAMING_BYTES,
    );
    let mut party = Party::at(admitted.address());
    let rights = |document: ChannelName| (Rights::of(&registry, &mut party, &token, &document), document);
    let ending = match document.map(rights) {
        Ok((Ok(rights), document)) => {
            admitted.opened();
            services.sessions.name(number, &rights.grant.subject);
            let opened = Opened::open(&registry, &mailbox, document, rights, true).await;
            Session {
                line: &mut line,
                opened,
                has_warned: false,
            }
            .run()
            .await
        }
        Ok((Err(no), _)) => {
            deny(&mut line, &no.reason());
            Ending::Close(code(&no), no.reason())
        }
        Err(reason) => {
            deny(&mut line, &reason);
            Ending::Close(close::BAD_REQUEST, reason)
        }
    };
    services.sessions.unlist(number);
    line.close(ending).await;
}

struct Session<'a, T> {
    line: &'a mut Line<T>,
    opened: Opened,
    /// It was told that something it sends is not taken.
    has_warned: bool,
}

impl<T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static> Session<'_, T> {
    async fn run(mut self) -> Ending {
        self.line.due = self.opened.expires;
        loop {
            let ending = match self.line.next().await {
                Happened::Frame(frame) => self.take(&frame).await,
                Happened::Told(told) => told.into_iter().find_map(|(_, told)| self.tell(&told)),
                Happened::Rang => self.rang(),
                Happened::Ends(ending) => Some(ending),
            };
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    async fn take(&mut self, frame: &Bytes) -> Option<Ending> {
        for message in messages(frame) {
            match message {
                Ok(Message::Sync(step)) => self.opened.sync(step).await,
                Ok(Message::Awareness(states)) => self.opened.awareness(states).await,
                Ok(Message::QueryAwareness) => self.opened.query_awareness().await,
                Ok(Message::PermissionDenied(_)) => {} // it is the server that denies
                Err(error) => {
                    return Some(Ending::Close(close::BAD_REQUEST, format!("the frame {error}")));
                }
            }
        }
        None
    }

    fn tell(&mut self, told: &Told) -> Option<Ending> {
        if let Some(frame) = told.yjs() {
            self.line.queue(frame);
            return None;
        }
        match told.event() {
            Event::Saved { echo, .. } => {
                for update in said_again(echo) {
                    self.line.say(&Message::Sync(Sync::Update(update)).frame());
                }
                None
            }
            Event::Refused { refusal, .. } => self.refused(refusal),
            Event::AwarenessRefused { reason } => {
                self.count_refused("bad_awareness");
                self.warn(&format!("the awareness message {reason}"));
                None
            }
            Event::Closed(closed) => Some(Ending::Close(close::TRY_AGAIN, closed.to_string())),
            Event::Opened
            | Event::Step1(_)
            | Event::Step2(_)
            | Event::Update(_)
            | Event::Awareness(_)
            | Event::Stateless(_) => None,
        }
    }

    fn refused(&mut self, refusal: &Refusal) -> Option<Ending> {
        self.count_refused(refusal.code());
        match refusal {
            Refusal::ReadOnly => {
                self.warn(&refusal.to_string());
                None
            }
            Refusal::BadUpdate(reason) => {
                deny(self.line, reason);
                Some(Ending::Close(close::BAD_REQUEST, reason.clone()))
            }
            // It keeps its edits, and sends them when it comes back.
            Refusal::Log(log::Refusal::UnsavedFull | log::Refusal::Quarantined)
            | Refusal::Moving
            | Refusal::Unknown
            | Refusal::Busy
            | Refusal::Closed(_) => Some(Ending::Close(close::TRY_AGAIN, refusal.to_string())),
        }
    }

    fn count_refused(&self, code: &'static str) {
        self.line.registry.services().metrics.edit_refused(code);
    }

    /// Tells the application, which may print it: once, for it may come with each letter.
    fn warn(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.has_warned, true) {
            deny(self.line, reason);
        }
    }

    fn rang(&mut self) -> Option<Ending> {
        if self.line.due.is_some_and(|due| due <= Instant::now()) {
            let reason = "the token has ended; connect with a new one".to_owned();
            deny(self.line, &reason);
            return Some(Ending::Close(close::UNAUTHORIZED, reason));
        }
        if self.line.is_quiet() {
            // Nobody's state: something to hear.
            let mut nobody = Vec::new();
            lib0::put_uint(&mut nobody, 0);
            self.line.say(&Message::Awareness(&nobody).frame());
        }
        None
    }
}

fn deny<T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static>(line: &mut Line<T>, reason: &str) {
    line.say(&Message::PermissionDenied(reason).frame());
}

const fn code(no: &NoRights) -> u16 {
    match no {
        NoRights::Unauthorized(_) => close::UNAUTHORIZED,
        NoRights::Throttled | NoRights::TooMany(_) => close::TRY_AGAIN,
        NoRights::Forbidden => close::FORBIDDEN,
    }
}
