//! Hocuspocus: one connection has many documents, and each frame names one. Unmodified providers since 2.0 are served, and
//! Tiptap's, which are the same.
//!
//! A document is opened with a token of its own. What comes for it before that waits, up to a bound and for a while; a
//! token that is not accepted leaves the connection as it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_core::document::gateway::Event;
use starling_core::document::message::{EditorId, Refusal};
use starling_core::document::scan::Limits;
use starling_core::document::sync::hocuspocus::{
    ADDRESS_BYTES_MAX, Address, Frame, FromClient, FromServer, PONG_FRAME, read,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::line::{Ending, Happened, Line, close};
use super::rights::Rights;
use super::session::Opened;
use super::{Mailbox, Told, name};
use crate::actor::registry::Registry;
use crate::quotas::Party;
use crate::transport::accept::Admitted;
use crate::transport::tcp::Doze;
use crate::transport::websocket::WebSocket;

/// What goes around an update: the address, the kinds of the message, lengths.
const FRAMING_BYTES: usize = ADDRESS_BYTES_MAX + 32;

/// Documents of one connection. Hocuspocus's own server lets so many wait for their token.
const DOCUMENTS_MAX: usize = 100;

/// Frames of a connection that wait for a token, and their bytes: as many as Hocuspocus's own server lets wait.
const WAITING_MAX: usize = 1_000;
/// See [`WAITING_MAX`].
const WAITING_BYTES_MAX: usize = 5 * 1024 * 1024;

/// How long the first token may take to come.
const TOKEN_TIME_MAX: Duration = Duration::from_secs(15);

/// Serves a connection until it ends.
pub async fn serve<T>(socket: WebSocket<T>, registry: Registry, admitted: Admitted)
where
    T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static,
{
    let services = Arc::clone(registry.services());
    let mailbox = Arc::new(Mailbox::default());
    let number = services.sessions.list(&mailbox);
    let frame_max = Limits::CLIENT.bytes + FRAMING_BYTES;
    let mut line = Line::new(socket, registry, mailbox, frame_max);
    line.due = Some(Instant::now() + TOKEN_TIME_MAX);
    let session = Session {
        party: Party::at(admitted.address()),
        admitted,
        number,
        line: &mut line,
        documents: BTreeMap::new(),
        editors: BTreeMap::new(),
        waiting: (0, 0),
    };
    let ending = session.run().await;
    services.sessions.unlist(number);
    line.close(ending).await;
}

struct Session<'a, T> {
    line: &'a mut Line<T>,
    party: Party,
    admitted: Admitted,
    /// In the list of sessions.
    number: u64,
    /// By address: a document, and a session of it if a connection has it twice.
    documents: BTreeMap<Arc<str>, Document>,
    editors: BTreeMap<EditorId, Arc<str>>,
    /// Frames that wait for a token, and their bytes.
    waiting: (usize, usize),
}

enum Document {
    /// No token has come for it; these frames have.
    Waiting(Vec<Bytes>),
    Open(Box<Opened>),
}

impl<T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static> Session<'_, T> {
    async fn run(mut self) -> Ending {
        loop {
            let ending = match self.line.next().await {
                Happened::Frame(frame) => self.take(&frame).await,
                Happened::Told(told) => {
                    for (editor, told) in told {
                        self.tell(editor, &told);
                    }
                    None
                }
                Happened::Rang => self.rang(),
                Happened::Ends(ending) => Some(ending),
            };
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    async fn take(&mut self, frame: &Bytes) -> Option<Ending> {
        match read(frame) {
            Ok(Frame::Ping) => self.line.say(&PONG_FRAME),
            Ok(Frame::Pong) => {}
            Ok(Frame::Message { address, message }) => return self.message(frame, address, message).await,
            Err(error) => return Some(Ending::Close(close::BAD_REQUEST, format!("the frame {error}"))),
        }
        None
    }

    async fn message(&mut self, frame: &Bytes, address: Address<'_>, message: FromClient<'_>) -> Option<Ending> {
        let key = address.key();
        if let FromClient::Token { token, .. } = message {
            return self.token(&key, address, token).await;
        }
        if self.is_full(&key) {
            return Some(too_many());
        }
        match self.documents.get_mut(&key) {
            Some(Document::Open(opened)) => match message {
                FromClient::Sync(step) | FromClient::SyncReply(step) => opened.sync(step).await,
                FromClient::Awareness(states) => opened.awareness(states).await,
                FromClient::QueryAwareness => opened.query_awareness().await,
                FromClient::Stateless(payload) => opened.stateless(payload).await,
                FromClient::Close => self.shut(&key, address, "provider_initiated"),
                FromClient::Token { .. } => {}
            },
            _ if matches!(message, FromClient::Close) => self.forget(&key),
            Some(Document::Waiting(frames)) => {
                frames.push(frame.clone());
                return self.wait(frame);
            }
            None => {
                self.documents.insert(key, Document::Waiting(vec![frame.clone()]));
                return self.wait(frame);
            }
        }
        None
    }

    /// Counts one more frame that waits for a token.
    fn wait(&mut self, frame: &Bytes) -> Option<Ending> {
        let (frames, bytes) = &mut self.waiting;
        (*frames, *bytes) = (*frames + 1, *bytes + frame.len());
        let is_much = *frames > WAITING_MAX || *bytes > WAITING_BYTES_MAX;
        is_much.then(|| Ending::Close(close::TOO_LARGE, "too much came before a token".to_owned()))
    }

    /// A token for a document: opens it, or changes what may be done with it.
    async fn token(&mut self, key: &Arc<str>, address: Address<'_>, token: &str) -> Option<Ending> {
        if self.is_full(key) {
            return Some(too_many());
        }
        let registry = self.line.registry.clone();
        let services = Arc::clone(registry.services());
        let named = name::document(address.document, &services.config.documents.namespace);
        let (document, rights) = match named {
            Ok(document) => {
                let rights = Rights::of(&registry, &mut self.party, token, &document);
                match rights {
                    Ok(rights) => (document, rights),
                    Err(no) => {
                        self.deny(key, address, &no.reason());
                        return None;
                    }
                }
            }
            Err(error) => {
                self.deny(key, address, &error.to_string());
                return None;
            }
        };
        self.admitted.opened();
        services.sessions.name(self.number, &rights.grant.subject);
        let is_read_only = !rights.may_write;
        let frames = match self.documents.get_mut(key) {
            Some(Document::Open(opened)) => {
                opened.permit(rights).await;
                Vec::new()
            }
            Some(Document::Waiting(_)) | None => {
                let mailbox = Arc::clone(&self.line.mailbox);
                // Before anything that the document tells it.
                self.line
                    .say(&FromServer::Authenticated { is_read_only }.frame(address));
                let opened = Opened::open(&registry, &mailbox, document, rights, false).await;
                self.editors.insert(opened.editor(), Arc::clone(key));
                let open = Document::Open(Box::new(opened));
                match self.documents.insert(Arc::clone(key), open) {
                    Some(Document::Waiting(frames)) => frames,
                    Some(Document::Open(_)) | None => Vec::new(),
                }
            }
        };
        self.set_due();
        for frame in frames {
            self.waiting = (self.waiting.0 - 1, self.waiting.1 - frame.len());
            if let Ok(Frame::Message { address, message }) = read(&frame)
                && let Some(ending) = Box::pin(self.message(&frame, address, message)).await
            {
                return Some(ending);
            }
        }
        None
    }

    /// Whether there is no room for one more document.
    fn is_full(&self, key: &Arc<str>) -> bool {
        self.documents.len() >= DOCUMENTS_MAX && !self.documents.contains_key(key)
    }

    fn deny(&mut self, key: &Arc<str>, address: Address<'_>, reason: &str) {
        self.line.say(&FromServer::PermissionDenied(reason).frame(address));
        self.forget(key);
    }

    /// Closes a document, and says so. The connection stays.
    fn shut(&mut self, key: &Arc<str>, address: Address<'_>, reason: &str) {
        self.line.say(&FromServer::Close(reason).frame(address));
        self.forget(key);
    }

    fn forget(&mut self, key: &Arc<str>) {
        match self.documents.remove(key) {
            Some(Document::Open(opened)) => {
                self.editors.remove(&opened.editor());
            }
            Some(Document::Waiting(frames)) => {
                let bytes: usize = frames.iter().map(Bytes::len).sum();
                self.waiting = (self.waiting.0 - frames.len(), self.waiting.1 - bytes);
            }
            None => {}
        }
        self.set_due();
    }

    fn tell(&mut self, editor: EditorId, told: &Told) {
        let Some(key) = self.editors.get(&editor).cloned() else {
            return; // it has closed it since
        };
        let address = Address::parse(&key);
        if let Some(frame) = told.hocuspocus(address) {
            return self.line.queue(frame);
        }
        match told.event() {
            Event::Saved { edits, .. } => {
                let status = FromServer::SyncStatus { is_applied: true }.frame(address);
                for _ in 0..*edits {
                    self.line.say(&status);
                }
            }
            Event::Refused { edit, refusal } => {
                self.line.registry.services().metrics.edit_refused(refusal.code());
                if *edit > 0 {
                    self.line
                        .say(&FromServer::SyncStatus { is_applied: false }.frame(address));
                }
                match refusal {
                    Refusal::ReadOnly => {}
                    // It comes back by itself, and sends what it has.
                    _ => self.shut(&key, address, &refusal.to_string()),
                }
            }
            Event::AwarenessRefused { reason } => {
                self.line.registry.services().metrics.edit_refused("bad_awareness");
                tracing::debug!(reason, "an awareness message was not taken");
            }
            Event::Closed(closed) => self.shut(&key, address, &closed.to_string()),
            Event::Opened
            | Event::Step1(_)
            | Event::Step2(_)
            | Event::Update(_)
            | Event::Awareness(_)
            | Event::Stateless(_) => {}
        }
    }

    /// When the first of its tokens ends; or when one has to have come.
    fn set_due(&mut self) {
        let expires = self.documents.values().filter_map(|document| match document {
            Document::Open(opened) => opened.expires,
            Document::Waiting(_) => None,
        });
        let expires = expires.min();
        let has_any = self
            .documents
            .values()
            .any(|document| matches!(document, Document::Open(_)));
        self.line.due = match (expires, has_any) {
            (Some(at), _) => Some(at),
            (None, true) => None,
            (None, false) => Some(Instant::now() + TOKEN_TIME_MAX),
        };
    }

    fn rang(&mut self) -> Option<Ending> {
        let now = Instant::now();
        if self.line.due.is_some_and(|due| due <= now) {
            let has_ended = |document: &Document| match document {
                Document::Open(opened) => opened.expires.is_some_and(|at| at <= now),
                Document::Waiting(_) => false,
            };
            let ended: Vec<_> = self
                .documents
                .iter()
                .filter(|(_, document)| has_ended(document))
                .collect();
            let ended: Vec<_> = ended.into_iter().map(|(key, _)| Arc::clone(key)).collect();
            if ended.is_empty() {
                return Some(Ending::Close(close::TIMEOUT, "no token came in time".to_owned()));
            }
            for key in ended {
                let address = Address::parse(&key);
                self.deny(&key, address, "the token has ended; connect with a new one");
            }
        }
        if self.line.is_quiet() {
            self.line.say(&PONG_FRAME);
        }
        None
    }
}

fn too_many() -> Ending {
    let reason = format!("one connection has at most {DOCUMENTS_MAX} documents; open another");
    Ending::Close(close::TOO_LARGE, reason)
}
