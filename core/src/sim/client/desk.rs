//! A client's connection, and the requests on it that have no answer.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::id::ChannelName;
use crate::session::ChannelId;
use crate::session::request::{Refresh, Request, RequestId};
use crate::sim::link::{LinkId, Up};
use crate::sim::plan::ClientId;
use crate::sim::scene::Scene;
use crate::time::WallTime;

/// Whether the client is connected.
#[derive(Debug, Clone, Copy)]
pub(super) enum Connection {
    Away {
        retry_at: Instant,
    },
    /// It has said hello.
    Opening {
        link: LinkId,
        since: Instant,
    },
    Open {
        link: LinkId,
        heard: Instant,
        said: Instant,
        /// When it sent a ping that has no pong.
        asked: Option<Instant>,
    },
}

/// What a request is about.
#[derive(Debug, Clone)]
pub(super) enum Asking {
    Publish(ChannelName),
    Attach(ChannelName),
    Detach,
    Refresh,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) connection: Connection,
    /// The server's clock, as last heard.
    pub(super) clock: WallTime,
    requests: u64,
    asked: BTreeMap<RequestId, Asking>,
}

impl Desk {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            connection: Connection::Away { retry_at: now },
            clock: WallTime(0),
            requests: 0,
            asked: BTreeMap::new(),
        }
    }

    pub(super) const fn link(&self) -> Option<LinkId> {
        match self.connection {
            Connection::Away { .. } => None,
            Connection::Opening { link, .. } | Connection::Open { link, .. } => Some(link),
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.connection, Connection::Open { .. })
    }

    /// Numbers a request.
    pub(super) fn ask(&mut self, asking: Asking) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.asked.insert(request, asking);
        request
    }

    /// What a request that is answered was about.
    pub(super) fn answered(&mut self, request: RequestId) -> Option<Asking> {
        self.asked.remove(&request)
    }

    /// Sends, if the connection is open.
    pub(super) fn send(&mut self, request: Request, scene: &mut Scene) {
        if let Connection::Open { link, said, .. } = &mut self.connection {
            *said = scene.now().instant;
            scene.send_up(*link, Up::Request(request));
        }
    }

    pub(super) fn ping(&mut self, scene: &mut Scene) {
        self.send(Request::Ping { nonce: 1 }, scene);
        if let Connection::Open { asked, .. } = &mut self.connection {
            *asked = Some(scene.now().instant);
        }
    }

    pub(super) fn detach(&mut self, channel_id: ChannelId, scene: &mut Scene) {
        let request = self.ask(Asking::Detach);
        self.send(Request::Detach { request, channel_id }, scene);
    }

    /// Brings a new token: the number of the client, as its first was.
    pub(super) fn refresh(&mut self, client: ClientId, scene: &mut Scene) {
        let request = self.ask(Asking::Refresh);
        let token = client.to_string();
        self.send(Request::Refresh(Refresh { request, token }), scene);
    }

    /// Gives back the credit of so many bytes.
    pub(super) fn give_back(&mut self, bytes: usize, scene: &mut Scene) {
        if bytes > 0 {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.send(Request::Credit { bytes }, scene);
        }
    }

    pub(super) fn welcome(&mut self, time: WallTime, now: Instant) {
        self.clock = time;
        if let Connection::Opening { link, .. } = self.connection {
            self.connection = Connection::Open {
                link,
                heard: now,
                said: now,
                asked: None,
            };
        }
    }

    pub(super) fn pong(&mut self, time: WallTime) {
        self.clock = time;
        if let Connection::Open { asked, .. } = &mut self.connection {
            *asked = None;
        }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        if let Connection::Open { heard, .. } = &mut self.connection {
            *heard = now;
        }
    }

    pub(super) fn lost(&mut self, retry_at: Instant) {
        self.connection = Connection::Away { retry_at };
        self.asked.clear();
    }
}
