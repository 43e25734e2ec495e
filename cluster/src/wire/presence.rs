//! What nodes say to each other about presence: [`starling_core::presence::message`].
//!
//! A message is one payload, behind a header that says no more than that. States are small, and each lives as long as its
//! entry: a slice of the message would keep all of it, so they are copied out of it.
//!
//! * `to_owner`, `to_follower`: the messages; `value`: what they are made of.

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::presence::Message;

use super::{Header, WireError};
use crate::link::{CodecError, Lane, Outgoing, codec};

mod to_follower;
mod to_owner;
mod value;

use to_follower::{GatewayHead, ReplicaHead, WatchHead};
use to_owner::OwnerHead;
use value::Mirror;

#[derive(Debug, Encode, Decode)]
enum Body {
    Owner(OwnerHead),
    Gateway(GatewayHead),
    Watch(WatchHead),
    Replica(ReplicaHead),
}

/// The message of a link that carries `message`, in the lane that all of its shard travels in.
///
/// # Errors
/// When it is longer than a frame. Core cuts what may be long; what became of more at once than a frame holds is found by
/// comparing, and then sent in parts.
pub fn encode_presence(shard: u16, message: &Message) -> Result<Outgoing, CodecError> {
    let body = match message {
        Message::Owner(asked) => Body::Owner(OwnerHead::of(asked)),
        Message::Gateway(told) => Body::Gateway(GatewayHead::of(told)),
        Message::Watch(told) => Body::Watch(WatchHead::of(told)),
        Message::Replica(told) => Body::Replica(ReplicaHead::of(told)),
    };
    let body = Bytes::from(codec::encode_payload(&body)?);
    Outgoing::new(Lane::Slot(shard), &Header::Presence, [body])
}

pub(super) fn decode(payloads: &[Bytes]) -> Result<Message, WireError> {
    let [body] = payloads else {
        return Err(WireError::Payloads);
    };
    Ok(match codec::decode_payload(body)? {
        Body::Owner(asked) => Message::Owner(asked.back()?),
        Body::Gateway(told) => Message::Gateway(told.back()?),
        Body::Watch(told) => Message::Watch(told.back()?),
        Body::Replica(told) => Message::Replica(told.back()?),
    })
}

#[cfg(test)]
pub(super) mod tests;
