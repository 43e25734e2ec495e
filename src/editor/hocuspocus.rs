//! Hocuspocus: one connection has many documents, and each frame names one. Unmodified providers of any version are served, and
//! Tiptap's, which are the same.
//!
//! A document is opened with a token of its own. What comes for it before that waits, up to a bound and for a while; a
//! token that is not accepted leaves the connection as it is. Providers before 3.0 that were given no token send none: their
//! first step opens the document, where anybody may. Providers before 2.0 have a connection for each document, which its URL
//! names; their frames name none.
//!
//! * here: the connection, its documents, and who may open them;
//! * `answers`: what the client is told, by documents and when something is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use starling_core::document::message::EditorId;
use starling_core::document::scan::Limits;
use starling_core::document::sync::Sync;
use starling_core::document::sync::hocuspocus::{
    ADDRESS_BYTES_MAX, Address, Frame, FromClient, FromServer, PONG_FRAME, read,
};
use starling_core::id::ChannelName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::line::{Ending, Happened, Line, close};
use super::rights::Rights;
use super::session::Opened;
use super::{Mailbox, name};
use crate::actor::registry::Registry;
use crate::quotas::Party;
use crate::transport::accept::Admitted;
use crate::transport::tcp::Doze;
use crate::transport::websocket::WebSocket;

mod answers;

/// What goes around an update: the address, the kinds of the message, lengths.
const FRAMING_BYTES: usize = ADDRESS_BYTES_MAX + 32;

/// Documents of one connection. Hocuspocus's own server lets so many wait for their token.
const DOCUMENTS_MAX: usize = 100;

/// Frames of a connection that wait for a token, and their bytes: as many as Hocuspocus's own server lets wait.
const WAITING_MAX: usize = 1_000;
/// See [`WAITING_MAX`].
const WAITING_BYTES_MAX: usize = 5 * 1024 * 1024;

/// How long a token may take to come: that of a document once something has come for it, and any while no document is open.
const TOKEN_TIME_MAX: Duration = Duration::from_secs(15);

/// What the URL of a provider before 2.0 says.
#[derive(Debug)]
pub struct Sole {
    /// The name of the document.
    pub document: String,
    /// What it presents there; empty for nothing.
    pub token: String,
}

/// Serves a connection until it ends. One that has a `sole` document has that in all its frames, and no name in them.
pub async fn serve<T>(socket: WebSocket<T>, registry: Registry, admitted: Admitted, sole: Option<Sole>)
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
        sole: sole.as_ref().map(|sole| sole.document.as_str().into()),
        documents: BTreeMap::new(),
        editors: BTreeMap::new(),
        waiting: (0, 0),
        unserved: Instant::now(),
    };
    let ending = session.run(sole.map(|sole| sole.token)).await;
    services.sessions.unlist(number);
    line.close(ending).await;
}

struct Session<'a, T> {
    line: &'a mut Line<T>,
    party: Party,
    admitted: Admitted,
    /// In the list of sessions.
    number: u64,
    /// The one document of a provider before 2.0.
    sole: Option<Arc<str>>,
    /// By address: a document, and a session of it if a connection has it twice.
    documents: BTreeMap<Arc<str>, Document>,
    editors: BTreeMap<EditorId, Arc<str>>,
    /// Frames that wait for a token, and their bytes.
    waiting: (usize, usize),
    /// Since when no document is open, if none is. Asking for one, and closing it again, does not begin the time anew.
    unserved: Instant,
}

enum Document {
    /// No token has come for it; these frames have.
    Waiting {
        frames: Vec<Bytes>,
        /// When it has waited long enough.
        until: Instant,
    },
    Open {
        opened: Box<Opened>,
        /// The client was told that it is. One that sent no token does not ask.
        is_told: bool,
    },
}

impl<T: AsyncRead + AsyncWrite + Doze + Unpin + Send + 'static> Session<'_, T> {
    async fn run(mut self, token: Option<String>) -> Ending {
        let token = token.filter(|token| !token.is_empty());
        if let (Some(token), Some(key)) = (token, self.sole.clone())
            && let Some(ending) = self.present(&key, Address::parse(&key), &token, true).await
        {
            return ending;
        }
        loop {
            let ending = match self.line.next().await {
                Happened::Frame(frame) => match self.sole.clone() {
                    None => self.take(&frame).await,
                    Some(sole) => self.take(&Address::parse(&sole).around(&frame)).await,
                },
                Happened::Told(told) => told.into_iter().find_map(|(editor, told)| self.tell(editor, &told)),
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
            return self.present(&key, address, token, true).await;
        }
        if self.is_full(&key) {
            return Some(too_many());
        }
        let begins = matches!(message, FromClient::Sync(Sync::Step1(_)));
        if begins && !self.is_open(&key) && self.line.registry.services().auth.admits_anybody() {
            let ending = self.present(&key, address, "", false).await;
            if ending.is_some() || !self.is_open(&key) {
                return ending;
            }
        }
        match self.documents.get_mut(&key) {
            Some(Document::Open { opened, .. }) => match message {
                FromClient::Sync(step) | FromClient::SyncReply(step) => opened.sync(step).await,
                FromClient::Awareness(states) => opened.awareness(states).await,
                FromClient::QueryAwareness => opened.query_awareness().await,
                FromClient::Stateless(payload) => opened.stateless(payload).await,
                FromClient::Close => return self.shut(&key, address, "provider_initiated"),
                FromClient::Token { .. } => {}
            },
            _ if matches!(message, FromClient::Close) => self.forget(&key),
            Some(Document::Waiting { frames, .. }) => {
                frames.push(frame.clone());
                return self.wait(frame);
            }
            None => {
                let waiting = Document::Waiting {
                    frames: vec![frame.clone()],
                    until: Instant::now() + TOKEN_TIME_MAX,
                };
                self.documents.insert(key, waiting);
                self.set_due();
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

    /// A token for a document, which the client has sent if it `asked`: opens it, or changes what may be done with it.
    async fn present(&mut self, key: &Arc<str>, address: Address<'_>, token: &str, asked: bool) -> Option<Ending> {
        if self.is_full(key) {
            return Some(too_many());
        }
        match self.permitted(address, token) {
            Ok(permitted) => self.permit(key, address, permitted, asked).await,
            Err(reason) => {
                self.deny(key, address, &reason);
                None
            }
        }
    }

    /// Which document it is, and what a token, or none, allows with it; or why nothing.
    fn permitted(&mut self, address: Address<'_>, token: &str) -> Result<(ChannelName, Rights), String> {
        let registry = &self.line.registry;
        let namespace = &registry.services().config.documents.namespace;
        let document = name::document(address.document, namespace).map_err(|error| error.to_string())?;
        let rights = Rights::of(registry, &mut self.party, token, &document).map_err(|no| no.reason())?;
        Ok((document, rights))
    }

    /// Opens a document, or changes what may be done with it; and says so to a client that `asked`.
    async fn permit(
        &mut self,
        key: &Arc<str>,
        address: Address<'_>,
        (document, rights): (ChannelName, Rights),
        asked: bool,
    ) -> Option<Ending> {
        let registry = self.line.registry.clone();
        self.admitted.opened();
        registry.services().sessions.name(self.number, &rights.grant.subject);
        let was_told = matches!(self.documents.get(key), Some(Document::Open { is_told: true, .. }));
        if asked && !was_told {
            // Before anything that the document tells it.
            let is_read_only = !rights.may_write;
            self.say(address, FromServer::Authenticated { is_read_only });
        }
        let frames = if let Some(Document::Open { opened, is_told }) = self.documents.get_mut(key) {
            *is_told |= asked;
            opened.permit(rights).await;
            Vec::new()
        } else {
            let mailbox = Arc::clone(&self.line.mailbox);
            let opened = Opened::open(&registry, &mailbox, document, rights, self.sole.is_some()).await;
            self.editors.insert(opened.editor(), Arc::clone(key));
            let open = Document::Open {
                opened: Box::new(opened),
                is_told: asked,
            };
            match self.documents.insert(Arc::clone(key), open) {
                Some(Document::Waiting { frames, .. }) => frames,
                Some(Document::Open { .. }) | None => Vec::new(),
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

    fn is_open(&self, key: &Arc<str>) -> bool {
        matches!(self.documents.get(key), Some(Document::Open { .. }))
    }

    fn forget(&mut self, key: &Arc<str>) {
        match self.documents.remove(key) {
            Some(Document::Open { opened, .. }) => {
                self.editors.remove(&opened.editor());
                self.unserved = Instant::now();
            }
            Some(Document::Waiting { frames, .. }) => {
                let bytes: usize = frames.iter().map(Bytes::len).sum();
                self.waiting = (self.waiting.0 - frames.len(), self.waiting.1 - bytes);
            }
            None => {}
        }
        self.set_due();
    }
}

fn too_many() -> Ending {
    let reason = format!("one connection has at most {DOCUMENTS_MAX} documents; open another");
    Ending::Close(close::TOO_LARGE, reason)
}
