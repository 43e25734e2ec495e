//! Who is in a channel, as clients see it.
//!
//! * `coming`: coming, changing, going, and returning within the grace; `watching`: how much is seen, and by whom;
//! * `datagrams`: cursors by datagrams; `refused`: rights and limits; `nodes`: on three nodes, of which some die.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use starling_mesh::transport::Transport;
use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self, ErrorCode};
use tokio::time::Instant;

use crate::support::eventually::PATIENCE;
use crate::support::node::Node;
use crate::support::raw::{Dialer, Raw, hello};

mod coming;
mod datagrams;
mod nodes;
mod refused;
mod watching;

/// The channel of these tests.
const ROOM: &str = "demo:room";

/// The way of a client to the node, by which others see it as the same.
pub(crate) fn client_hello(secret: u8) -> v1::Hello {
    v1::Hello {
        client: vec![secret; 16].into(),
        ..hello()
    }
}

/// A session of the client with this secret.
async fn client(node: &Node, transport: Transport, secret: u8) -> Raw {
    client_over(&Dialer::new(node, transport).await, secret).await
}

async fn client_over(dialer: &Dialer, secret: u8) -> Raw {
    let mut raw = dialer.connect().await;
    raw.send(client_hello(secret)).await;
    match raw.frame().await {
        Body::Welcome(_) => raw,
        other => panic!("{other:?} instead of a welcome"),
    }
}

/// Enters, and waits for the answer.
async fn enter(raw: &mut Raw, request: u64, state: &str) {
    raw.send(enter_frame(request, ROOM, state)).await;
    match raw.answer(request).await {
        Body::Entered(_) => {}
        other => panic!("{other:?} instead of entered"),
    }
}

fn enter_frame(request: u64, channel: &str, state: &str) -> v1::Enter {
    v1::Enter {
        request,
        channel: channel.to_owned(),
        state: state.to_owned().into(),
    }
}

fn watch_frame(request: u64, channel: &str, count: bool) -> v1::Watch {
    v1::Watch {
        request,
        channel: channel.to_owned(),
        count,
    }
}

/// Somebody who watches, and what it was shown.
struct Watcher {
    raw: Raw,
    channel_id: u32,
    /// Who is there, by client.
    shown: BTreeMap<Bytes, v1::Present>,
    parts: Option<BTreeMap<Bytes, v1::Present>>,
    count: Option<(u64, u64)>,
    certainty: v1::Certainty,
    /// What happened, in order.
    told: Vec<Told>,
    ephemerals: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Joined(String),
    Updated(String),
    Left(String),
    /// Everybody was shown anew.
    Roster(usize),
}

fn text(state: &Bytes) -> String {
    String::from_utf8_lossy(state).into_owned()
}

impl Watcher {
    /// Watches the room, and is shown who is there.
    async fn of(raw: Raw, request: u64) -> Self {
        Self::in_channel(raw, request, ROOM).await
    }

    /// The same of another channel.
    async fn in_channel(mut raw: Raw, request: u64, channel: &str) -> Self {
        raw.send(watch_frame(request, channel, false)).await;
        let Body::Watched(watched) = raw.answer(request).await else {
            panic!("it may watch");
        };
        assert_eq!(watched.channel, channel);
        let mut watcher = Self {
            raw,
            channel_id: watched.channel_id,
            shown: BTreeMap::new(),
            parts: None,
            count: None,
            certainty: v1::Certainty::default(),
            told: Vec::new(),
            ephemerals: Vec::new(),
        };
        watcher.until("the beginning", |watcher| !watcher.told.is_empty()).await;
        watcher
    }

    /// Reads on until it is so.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let frame = tokio::time::timeout_at(deadline, self.raw.frame()).await;
            let frame = frame.unwrap_or_else(|_| panic!("waited for {what}: {:?}, {:?}", self.told, self.states()));
            self.take(frame);
        }
    }

    /// Reads on for so long.
    async fn read_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while let Ok(frame) = tokio::time::timeout_at(deadline, self.raw.frame()).await {
            self.take(frame);
        }
    }

    /// What those who are there say of themselves.
    fn states(&self) -> Vec<String> {
        let mut states: Vec<_> = self.shown.values().map(|one| text(&one.state)).collect();
        states.sort();
        states
    }

    fn take(&mut self, frame: Body) {
        match frame {
            Body::Roster(roster) => {
                assert_eq!(roster.channel_id, self.channel_id);
                if roster.first {
                    self.parts = Some(BTreeMap::new());
                }
                let parts = self.parts.as_mut().expect("a first part came first");
                parts.extend(roster.clients.into_iter().map(|one| (one.client.clone(), one)));
                if roster.last {
                    self.shown = self.parts.take().expect("a first part came first");
                    self.told.push(Told::Roster(self.shown.len()));
                }
            }
            Body::PresenceChanges(changes) => {
                assert_eq!(changes.channel_id, self.channel_id);
                for one in changes.joined {
                    self.told.push(Told::Joined(text(&one.state)));
                    assert!(self.shown.insert(one.client.clone(), one).is_none(), "it was there");
                }
                for one in changes.updated {
                    self.told.push(Told::Updated(text(&one.state)));
                    assert!(self.shown.insert(one.client.clone(), one).is_some(), "it was not there");
                }
                for one in changes.left {
                    let left = self.shown.remove(&one.client).expect("it was there");
                    self.told.push(Told::Left(text(&left.state)));
                }
            }
            Body::Occupancy(occupancy) => self.count = Some((occupancy.members, occupancy.clients)),
            Body::Certainty(certainty) => self.certainty = certainty,
            Body::Ephemerals(states) => {
                self.ephemerals.extend(states.states.iter().map(|one| text(&one.state)));
            }
            other => panic!("{other:?} of a watch"),
        }
    }
}

/// The code of the refusal of a request.
async fn refused(raw: &mut Raw, request: u64) -> ErrorCode {
    raw.refusal(request).await.code()
}
