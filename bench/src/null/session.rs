//! One session of a null server: what it reads until it knows its part, and the two parts.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use starling_protocol::frame::{decode_client, encode_server};
use starling_protocol::v1::{
    Ack, Attached, Limits, Position, Publication, Publish, Resumed, Welcome, Window, attached, client_frame,
    server_frame,
};
use starling_protocol::{limits, version};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::broadcast;

use super::Hub;
use crate::error::LinkError;

/// The only channel a null server has, whatever it is called.
const CHANNEL_ID: u32 = 1;
/// The only history of it.
const EPOCH: &str = "null";
/// The only term of it.
const TERM: u64 = 1;

/// The writing half of a connection: a whole frame with one write.
pub(super) trait Write {
    async fn write(&mut self, frame: Bytes) -> Result<(), LinkError>;
}

/// Serves one connection until it ends.
pub(super) async fn serve(hub: &Hub, mut read: impl AsyncRead + Unpin, mut write: impl Write) -> Result<(), LinkError> {
    // Boxed, so that a subscriber does not keep room for an opening that is long over.
    match Box::pin(open(hub, &mut read, &mut write)).await? {
        Part::Subscriber(mut messages) => {
            // The socket is not read any more. What a subscriber says from now on only tells that it is alive, and
            // fits the kernel's buffer for hours.
            while let Ok(message) = messages.recv().await {
                write.write(message).await?;
            }
            Ok(())
        }
        Part::Publisher { first, received } => Box::pin(publish(hub, first, received, read, write)).await,
    }
}

/// What a connection turned out to be.
enum Part {
    Subscriber(broadcast::Receiver<Bytes>),
    Publisher { first: Publish, received: BytesMut },
}

/// Answers Hello, and Attach if it comes.
async fn open(hub: &Hub, read: &mut (impl AsyncRead + Unpin), write: &mut impl Write) -> Result<Part, LinkError> {
    let mut received = BytesMut::new();
    let client_frame::Body::Hello(_) = next(hub, read, &mut received).await? else {
        return Err(LinkError::Protocol("the first frame is not Hello".into()));
    };
    write.write(frame(hub, welcome())).await?;
    loop {
        match next(hub, read, &mut received).await? {
            client_frame::Body::Attach(attach) => {
                // Before the answer: what is published after it reaches this connection.
                let messages = hub.messages.subscribe();
                write
                    .write(frame(hub, attached(attach.request, attach.channel)))
                    .await?;
                return Ok(Part::Subscriber(messages));
            }
            client_frame::Body::Publish(first) => return Ok(Part::Publisher { first, received }),
            _ => {}
        }
    }
}

/// Encodes each message once for everyone, and acknowledges it. The numbers hold for one publisher in the life of the
/// server, which is all a run has.
async fn publish(
    hub: &Hub,
    first: Publish,
    mut received: BytesMut,
    mut read: impl AsyncRead + Unpin,
    mut write: impl Write,
) -> Result<(), LinkError> {
    let mut body = client_frame::Body::Publish(first);
    let mut seq = 0;
    loop {
        if let client_frame::Body::Publish(publish) = body {
            seq += 1;
            let time_ms = now_ms();
            // Without a subscriber nobody receives it, and that is no fault.
            let _ = hub
                .messages
                .send(frame(hub, publication(seq, time_ms, publish.payload)));
            write
                .write(frame(hub, ack(publish.request, publish.serial, seq, time_ms)))
                .await?;
        }
        body = next(hub, &mut read, &mut received).await?;
    }
}

async fn next(
    hub: &Hub,
    read: &mut (impl AsyncRead + Unpin),
    received: &mut BytesMut,
) -> Result<client_frame::Body, LinkError> {
    loop {
        if let Some(frame) = hub.transport.next_frame(received)? {
            return Ok(decode_client(frame.body)?);
        }
        if read.read_buf(received).await? == 0 {
            return Err(LinkError::Closed);
        }
    }
}

fn frame(hub: &Hub, body: server_frame::Body) -> Bytes {
    hub.transport.server_frame(&encode_server(body))
}

fn welcome() -> server_frame::Body {
    server_frame::Body::Welcome(Welcome {
        version: version::VERSION_MAX,
        session: EPOCH.into(),
        node: EPOCH.into(),
        generation: 1,
        heartbeat_ms: limits::HEARTBEAT_MS_DEFAULT,
        time_ms: now_ms(),
        window: Some(Window::default()),
        limits: Some(Limits {
            frame_bytes: limits::CLIENT_FRAME_BYTES_DEFAULT as u32,
            channels: 1,
            publishes_in_flight: limits::PUBLISHES_IN_FLIGHT_DEFAULT,
        }),
        expires_ms: 0,
        datagram_bytes: 0,
    })
}

fn attached(request: u64, channel: String) -> server_frame::Body {
    server_frame::Body::Attached(Attached {
        request,
        channel_id: CHANNEL_ID,
        channel,
        position: Some(Position {
            epoch: EPOCH.into(),
            seq: 0,
            term: TERM,
        }),
        window: Some(Window::default()),
        outcome: Some(attached::Outcome::Resumed(Resumed {})),
        ..Attached::default()
    })
}

fn publication(seq: u64, time_ms: u64, payload: Bytes) -> server_frame::Body {
    server_frame::Body::Publication(Publication {
        channel_id: CHANNEL_ID,
        seq,
        term: TERM,
        time_ms,
        payload,
        ..Publication::default()
    })
}

fn ack(request: u64, serial: u64, seq: u64, time_ms: u64) -> server_frame::Body {
    let position = Some(Position {
        epoch: EPOCH.into(),
        seq,
        term: TERM,
    });
    server_frame::Body::Ack(Ack {
        request,
        serial,
        position,
        copies: 1,
        time_ms,
        ..Ack::default()
    })
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
