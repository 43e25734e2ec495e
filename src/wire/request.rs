//! What a client sent, as types.

use bytes::Bytes;
use starling_core::backpressure::Policy;
use starling_core::channel::From;
use starling_core::id::{ChannelName, Epoch, Key, Position, PublisherId, Seq, Serial, Term};
use starling_core::presence::Mode;
use starling_core::presence::message::Ephemeral;
use starling_core::session::answer::Farewell;
use starling_core::session::request::{Attach, Hello, Publish, Refresh, Request, RequestId, Skip};
use starling_core::session::{ChannelId, DocumentId};
use starling_core::time::WallTime;
use starling_protocol::close::CloseCode;
use starling_protocol::frame::{self, Answer};
use starling_protocol::v1::{self, ErrorCode, client_frame};
use starling_protocol::{limits, version};

use super::document;

/// A frame that is not carried out.
#[derive(Debug)]
pub enum Rejected {
    /// The session ends.
    Close(Farewell),
    /// The request is refused; the session goes on.
    Refuse {
        /// Which.
        request: RequestId,
        /// The code of the refusal.
        code: ErrorCode,
        /// What is wrong with it.
        message: String,
    },
}

/// Reads one frame's body. Documents without a namespace are in `namespace`.
///
/// # Errors
/// [`Rejected`] says what becomes of the session.
pub fn request(body: Bytes, namespace: &str) -> Result<Request, Rejected> {
    let body = frame::decode_client(body).map_err(|error| match error.answer() {
        Answer::Close(CloseCode::UnsupportedVersion) => Rejected::Close(Farewell::UnsupportedVersion),
        Answer::Close(_) => Rejected::Close(Farewell::BadFrame(error.to_string())),
        Answer::Refuse { request, code } => Rejected::Refuse {
            request: RequestId(request),
            code,
            message: error.to_string(),
        },
    })?;
    Ok(match body {
        client_frame::Body::Hello(hello) => Request::Hello(read_hello(hello)?),
        client_frame::Body::Ping(ping) => Request::Ping { nonce: ping.nonce },
        client_frame::Body::Pong(_) => Request::Pong,
        client_frame::Body::Attach(attach) => Request::Attach(read_attach(attach)?),
        client_frame::Body::Detach(detach) => Request::Detach {
            request: RequestId(detach.request),
            channel_id: ChannelId(detach.channel_id),
        },
        client_frame::Body::Publish(publish) => Request::Publish(read_publish(publish)?),
        client_frame::Body::Skip(skip) => Request::Skip(Skip {
            request: RequestId(skip.request),
            channel: channel(skip.request, &skip.channel)?,
            serial: Serial(skip.serial),
            base: Serial(skip.base),
            since: WallTime(skip.since_ms),
        }),
        client_frame::Body::Pull(pull) => Request::Pull {
            channel_id: ChannelId(pull.channel_id),
            after: Seq(pull.seq),
        },
        client_frame::Body::Credit(credit) => Request::Credit { bytes: credit.bytes },
        client_frame::Body::Refresh(refresh) => Request::Refresh(Refresh {
            request: RequestId(refresh.request),
            token: refresh.token,
        }),
        client_frame::Body::Enter(enter) => Request::Enter {
            request: RequestId(enter.request),
            channel: channel(enter.request, &enter.channel)?,
            state: Bytes::copy_from_slice(&enter.state),
        },
        client_frame::Body::Leave(leave) => Request::LeavePresence {
            request: RequestId(leave.request),
            channel: channel(leave.request, &leave.channel)?,
        },
        client_frame::Body::Watch(watch) => Request::Watch {
            request: RequestId(watch.request),
            channel: channel(watch.request, &watch.channel)?,
            mode: if watch.count { Mode::Count } else { Mode::Roster },
        },
        client_frame::Body::Ephemeral(ephemeral) => match read_ephemeral(&ephemeral) {
            Some((channel, ephemeral)) => Request::Ephemeral { channel, ephemeral },
            None => Request::Malformed, // nobody waits for an answer
        },
        client_frame::Body::OpenDocument(open) => Request::OpenDocument {
            request: RequestId(open.request),
            document: document::name(&open.document, namespace).map_err(|message| Rejected::Refuse {
                request: RequestId(open.request),
                code: ErrorCode::BadChannelName,
                message,
            })?,
        },
        client_frame::Body::CloseDocument(close) => Request::CloseDocument {
            document_id: DocumentId(close.document_id),
        },
        client_frame::Body::DocumentPart(part) => {
            document::part(&part).map_or(Request::Malformed, Request::DocumentPart)
        }
        client_frame::Body::Goodbye(goodbye) => Request::Goodbye {
            returns: goodbye.code != u32::from(CloseCode::Normal.number()),
        },
    })
}

/// What a datagram of a client says: an ephemeral state, or nothing that is worth more than to be counted.
#[must_use]
pub fn datagram(body: Bytes) -> Option<(ChannelName, Ephemeral)> {
    if body.len() > limits::DATAGRAM_BYTES_MAX {
        return None;
    }
    match frame::decode_client(body) {
        Ok(client_frame::Body::Ephemeral(ephemeral)) => read_ephemeral(&ephemeral),
        Ok(_) | Err(_) => None,
    }
}

fn read_ephemeral(ephemeral: &v1::Ephemeral) -> Option<(ChannelName, Ephemeral)> {
    let channel = ChannelName::parse(&ephemeral.channel).ok()?;
    let (number, state) = (ephemeral.number, Bytes::copy_from_slice(&ephemeral.state));
    Some((channel, Ephemeral { number, state }))
}

fn read_hello(hello: v1::Hello) -> Result<Hello, Rejected> {
    if version::choose(hello.version_min, hello.version_max).is_none() {
        return Err(Rejected::Close(Farewell::UnsupportedVersion));
    }
    let publisher = <[u8; 16]>::try_from(&hello.publisher[..])
        .map_err(|_| Rejected::Close(Farewell::BadFrame("hello.publisher is not 16 bytes long".to_owned())))?;
    // What is not 16 bytes long was refused by its shape, unless it is empty.
    let client = <[u8; 16]>::try_from(&hello.client[..]).ok();
    Ok(Hello {
        client,
        token: hello.token,
        publisher: PublisherId(publisher),
        datagrams: hello.datagrams,
        page_credit: hello.page_credit,
        agent: hello.agent,
    })
}

fn read_attach(attach: v1::Attach) -> Result<Attach, Rejected> {
    let policy = match attach.policy() {
        v1::Policy::Unspecified => None,
        v1::Policy::Recover => Some(Policy::Recover),
        v1::Policy::Latest => Some(Policy::Latest),
        v1::Policy::Drop => Some(Policy::Drop),
        v1::Policy::Disconnect => Some(Policy::Disconnect),
    };
    let from = match attach.from {
        None => From::Head,
        Some(v1::attach::From::Rewind(count)) => From::Rewind(count),
        Some(v1::attach::From::Position(position)) => From::Position(Position {
            epoch: Epoch::parse(&position.epoch).map_err(|error| bad(attach.request, error.to_string()))?,
            seq: Seq(position.seq),
            term: Term(position.term),
        }),
    };
    Ok(Attach {
        request: RequestId(attach.request),
        channel: channel(attach.request, &attach.channel)?,
        from,
        policy,
    })
}

fn read_publish(publish: v1::Publish) -> Result<Publish, Rejected> {
    let key = match publish.key.as_str() {
        "" => None,
        key => Some(Key::parse(key).map_err(|error| bad(publish.request, error.to_string()))?),
    };
    Ok(Publish {
        request: RequestId(publish.request),
        channel: channel(publish.request, &publish.channel)?,
        serial: Serial(publish.serial),
        base: Serial(publish.base),
        since: WallTime(publish.since_ms),
        key,
        delete: publish.delete,
        // A slice of what was read would keep the whole read buffer for as long as the message lives.
        payload: Bytes::copy_from_slice(&publish.payload),
    })
}

fn channel(request: u64, name: &str) -> Result<ChannelName, Rejected> {
    ChannelName::parse(name).map_err(|error| Rejected::Refuse {
        request: RequestId(request),
        code: ErrorCode::BadChannelName,
        message: error.to_string(),
    })
}

fn bad(request: u64, message: String) -> Rejected {
    Rejected::Refuse {
        request: RequestId(request),
        code: ErrorCode::BadRequest,
        message,
    }
}
