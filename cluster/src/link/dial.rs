//! Both ends of a handshake, up to a connection that both want.

use std::net::SocketAddr;

use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use starling_core::id::{NodeId, NodeName};
use thiserror::Error;
use tokio::time::timeout;

use super::hello::{self, Agreement, Answer, GoingOn, HANDSHAKE_TIME_MAX, Hello, Refusal, TalkError};
use super::tls;

/// A connection whose other end is known, and what it says.
pub(super) struct Met {
    pub(super) connection: Connection,
    pub(super) streams: (SendStream, RecvStream),
    pub(super) going_on: GoingOn,
    pub(super) wire: u16,
}

/// What the dialling end learnt.
pub(super) struct Dialled {
    pub(super) met: Met,
    pub(super) goes_on: bool,
}

/// What the other end has to decide on.
pub(super) struct Arrived {
    pub(super) met: Met,
    pub(super) node: NodeId,
}

/// Why there is no link.
#[derive(Debug, Error)]
pub(super) enum DialError {
    #[error("it refused: {0}")]
    Refused(Refusal),
    #[error("its certificate, or ours, is not taken: {0}; are both of the same authority, and in time?")]
    Untrusted(String),
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
}

impl DialError {
    /// As metrics name it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.name(),
            Self::Untrusted(_) => "untrusted",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// Dials a node and says hello.
pub(super) async fn dial(
    endpoint: Endpoint,
    config: quinn::ClientConfig,
    address: SocketAddr,
    to: NodeName,
    hello: Hello,
) -> Result<Dialled, DialError> {
    let all = timeout(HANDSHAKE_TIME_MAX, shake(endpoint, config, address, to, hello)).await;
    all.unwrap_or_else(|_| Err(DialError::Unreachable("it did not answer in time".to_owned())))
}

async fn shake(
    endpoint: Endpoint,
    config: quinn::ClientConfig,
    address: SocketAddr,
    to: NodeName,
    hello: Hello,
) -> Result<Dialled, DialError> {
    let unreachable = |error: &dyn std::fmt::Display| DialError::Unreachable(error.to_string());
    // TLS compares the name with the certificate's.
    let connecting = endpoint.connect_with(config, address, to.as_str());
    let connection = connecting.map_err(|error| unreachable(&error))?;
    let connection = connection.await.map_err(|error| failed(&error))?;
    if tls::peer_of(&connection) != Some(to) {
        return Err(DialError::Untrusted("it is no node's".to_owned()));
    }
    let result: Result<_, TalkError> = async {
        let (mut send, mut receive) = connection.open_bi().await.map_err(quinn::WriteError::ConnectionLost)?;
        hello::write(&mut send, &hello).await?;
        let answer: Answer = hello::read(&mut receive).await?;
        Ok((send, receive, answer))
    }
    .await;
    let (send, receive, answer) = result.map_err(|error| {
        let reason = connection.close_reason();
        reason.as_ref().map_or_else(|| unreachable(&error), failed)
    })?;
    match answer {
        Answer::Welcome {
            wire,
            goes_on,
            going_on,
        } => Ok(Dialled {
            met: Met {
                connection,
                streams: (send, receive),
                going_on,
                wire,
            },
            goes_on,
        }),
        Answer::Refused(code) => Err(DialError::Refused(Refusal::of(code))),
    }
}

/// A handshake of TLS that fails is told as a transport error with an alert in it.
fn failed(error: &ConnectionError) -> DialError {
    const ALERTS: std::ops::Range<u64> = 0x100..0x200;
    let code = match error {
        ConnectionError::TransportError(error) => u64::from(error.code),
        ConnectionError::ConnectionClosed(close) => u64::from(close.error_code),
        _ => 0,
    };
    if ALERTS.contains(&code) {
        DialError::Untrusted(error.to_string())
    } else {
        DialError::Unreachable(error.to_string())
    }
}

/// Lets a node in that dialled, up to its hello. A hello that is refused is answered by the caller.
pub(super) async fn greet(
    incoming: quinn::Incoming,
    agreement: &Agreement,
    me: &NodeId,
) -> Result<Arrived, (DialError, Option<(Connection, SendStream)>)> {
    let all = timeout(HANDSHAKE_TIME_MAX, hear(incoming, agreement, me)).await;
    all.unwrap_or_else(|_| Err((DialError::Unreachable("it said nothing in time".to_owned()), None)))
}

async fn hear(
    incoming: quinn::Incoming,
    agreement: &Agreement,
    me: &NodeId,
) -> Result<Arrived, (DialError, Option<(Connection, SendStream)>)> {
    let connection = incoming.await.map_err(|error| (failed(&error), None))?;
    let (send, mut receive) = connection.accept_bi().await.map_err(|error| (failed(&error), None))?;
    let certificate = tls::peer_of(&connection);
    let hello: Result<Hello, _> = hello::read(&mut receive).await;
    let checked = match &hello {
        Ok(hello) => hello.check(agreement, me, certificate.as_ref()),
        Err(TalkError::Codec(_) | TalkError::TooLong(_)) => Err(Refusal::Malformed),
        Err(error) => return Err((DialError::Unreachable(error.to_string()), None)),
    };
    match (hello, checked) {
        (Ok(hello), Ok((node, wire))) => Ok(Arrived {
            met: Met {
                connection,
                streams: (send, receive),
                going_on: hello.going_on,
                wire,
            },
            node,
        }),
        (_, Err(refusal)) => Err((DialError::Refused(refusal), Some((connection, send)))),
        (Err(_), Ok(_)) => Err((DialError::Refused(Refusal::Malformed), Some((connection, send)))),
    }
}

/// Tells a node why it is refused, and sees it off.
pub(super) async fn refuse(connection: Connection, mut send: SendStream, refusal: Refusal) {
    let told = timeout(HANDSHAKE_TIME_MAX, async {
        if hello::write(&mut send, &Answer::Refused(refusal.code())).await.is_ok() && send.finish().is_ok() {
            // It closes when it has read this.
            connection.closed().await;
        }
    });
    // Whoever does not take its refusal is closed on.
    let _ = told.await;
    connection.close(super::session::PUT_AWAY, b"refused");
}
