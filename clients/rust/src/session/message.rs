//! What can happen to a client, and what it has done about it. The two closed lists of [`Session`](super::Session).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use starling_protocol::v1::{self, client_frame, server_frame};
use url::Url;

use crate::channel::room::Taken;
use crate::queue::Item;
use crate::roster::Told;
use crate::token::Token;
use crate::{
    PresenceError, PublishError, PublishOptions, Published, State, SubscribeError, SubscribeOptions, TokenError,
    TokenRequest, Transport, WatchOptions,
};

/// Names a subscription, or a watch, or an entry, for the life of its client: no two of them have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SubscriptionId(pub(crate) u64);

/// Names a publish for the life of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// What the server did that the protocol does not allow, to read after "the server sent".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) &'static str);

/// What can happen to a client.
#[derive(Debug)]
pub(crate) enum Input {
    /// It was built.
    Start,
    /// The application subscribes.
    Subscribe {
        id: SubscriptionId,
        channel: Arc<str>,
        options: SubscribeOptions,
    },
    /// The application enters a channel.
    Enter {
        id: SubscriptionId,
        channel: Arc<str>,
        state: Bytes,
        timeout: Duration,
    },
    /// The application says something else of itself in a channel that it entered.
    Update {
        id: SubscriptionId,
        state: Bytes,
        timeout: Duration,
    },
    /// The application says something that is worth nothing when the next has come.
    Ephemeral { id: SubscriptionId, state: Bytes },
    /// The application watches who is in a channel.
    Watch {
        id: SubscriptionId,
        channel: Arc<str>,
        options: WatchOptions,
    },
    /// The application dropped a subscription, a watch or an entry.
    Unsubscribe(SubscriptionId),
    /// The application took events.
    Taken { id: SubscriptionId, taken: Taken },
    /// The application publishes.
    Publish { ticket: Ticket, options: PublishOptions },
    /// The application closes the client.
    Close,
    /// The token provider answered.
    Token(Result<Token, TokenError>),
    /// The connection asked for is open.
    Dialed {
        base: Url,
        transport: Transport,
        nodes: Vec<Url>,
    },
    /// The connection asked for could not be made.
    DialFailed(String),
    /// The server sent a frame, with a body of so many bytes.
    Frame { frame: server_frame::Body, bytes: usize },
    /// The server sent ephemeral states in a datagram, which may come late or early.
    Datagram(v1::Ephemerals),
    /// The server sent what is not a frame.
    BadFrame(String),
    /// The connection ended without a Goodbye.
    Lost(Ending),
    /// It is later, and bytes were last read from the connection at `heard`.
    Wake { heard: Option<Instant> },
}

/// How a connection ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The code it was closed with, if any.
    pub(crate) code: Option<u16>,
    /// Why, for a person.
    pub(crate) reason: String,
    /// The server asks to wait so long.
    pub(crate) retry_after: Option<Duration>,
    /// HTTP bases the server names to return to.
    pub(crate) alternates: Vec<String>,
}

/// What is done about it.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Connect to one of these nodes, of which there is one at least; give up what is being dialed.
    Dial(Vec<Url>),
    /// Ask the token provider.
    AskToken(TokenRequest),
    /// Send a frame on the connection.
    Send(client_frame::Body),
    /// Send a frame in a datagram, or as it may be.
    SendDatagram(client_frame::Body),
    /// End the connection, after what was sent.
    Hangup,
    /// Tell who subscribes that the channel is attached, or that it will not be.
    Subscribed {
        id: SubscriptionId,
        outcome: Result<(), SubscribeError>,
    },
    /// Hand an event to a subscription.
    Deliver { to: SubscriptionId, item: Item },
    /// Nothing more is handed to a subscription.
    End(SubscriptionId),
    /// Tell who enters, updates or watches that a node answers for it, or that none will.
    Present {
        id: SubscriptionId,
        outcome: Result<(), PresenceError>,
    },
    /// Hand an event to a watch.
    Tell { to: SubscriptionId, item: Item<Told> },
    /// Nothing more is handed to a watch.
    Unwatched(SubscriptionId),
    /// Tell the holder of an entry that it has ended.
    Out { id: SubscriptionId, error: PresenceError },
    /// Tell who leaves that the client is in the channel no more, as far as this connection goes.
    Left(SubscriptionId),
    /// Tell who published what became of it.
    Answer {
        ticket: Ticket,
        outcome: Result<Published, PublishError>,
    },
    /// The publish takes no more room among those in flight.
    Settled(Ticket),
    /// Tell whoever watches.
    State(State),
}
