//! What a gateway and an owner say to each other about a document: [`starling_core::document::message`].
//!
//! Updates stand beside the header as they are, shared by all who are sent the same. A document may be larger than a frame:
//! then its payloads go before the message in pieces, under a number, and the message says which. A message whose pieces
//! did not all come is given up with what was said after it: its sender joins again, or has it join.
//!
//! * `to_owner`, `to_gateway`: the messages; `pieces`: cutting and putting together.

use bincode::{Decode, Encode};
use bytes::Bytes;
use starling_core::document::message::{Join, ToGateway, ToOwner};
use starling_core::id::{ChannelName, SlotId};

use super::{Header, WireError, name};
use crate::link::{CodecError, Lane, Outgoing};

mod pieces;
mod to_gateway;
mod to_owner;

pub(super) use pieces::Pieces;
use to_gateway::GatewayHead;
use to_owner::OwnerHead;

/// What is said about a document, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// By a gateway, to the owner.
    ToOwner(ToOwner),
    /// By the owner, to a gateway.
    ToGateway(ToGateway),
}

/// The header of a message about a document.
#[derive(Debug, Encode, Decode)]
pub(super) struct DocumentHead {
    document: String,
    join: u64,
    /// The number of the pieces that make its payloads, if these went before it.
    pieces: Option<u64>,
    body: Body,
}

/// A piece of what the payloads of a later message are.
#[derive(Debug, Encode, Decode)]
pub(super) struct PieceHead {
    number: u64,
    /// Of which payload.
    payload: u32,
}

#[derive(Debug, Encode, Decode)]
enum Body {
    Owner(OwnerHead),
    Gateway(GatewayHead),
}

/// The messages of a link that carry what is said about a document under a join, in order. `number` tells apart what is cut:
/// no other of this process has it.
///
/// # Errors
/// When a header is longer than one may be; the bounds of names see to it that none is.
pub fn encode_document(
    slot: SlotId,
    document: &ChannelName,
    join: Join,
    said: &Said,
    number: impl FnOnce() -> u64,
) -> Result<Vec<Outgoing>, CodecError> {
    let (body, payloads) = match said {
        Said::ToOwner(message) => {
            let (head, payloads) = OwnerHead::of(message)?;
            (Body::Owner(head), payloads)
        }
        Said::ToGateway(message) => {
            let (head, payloads) = GatewayHead::of(message)?;
            (Body::Gateway(head), payloads)
        }
    };
    let lane = Lane::Slot(slot.0);
    let head = |pieces, body| DocumentHead {
        document: document.as_str().into(),
        join: join.0,
        pieces,
        body,
    };
    if pieces::fits(&payloads) {
        return Ok(vec![Outgoing::new(
            lane,
            &Header::Document(head(None, body)),
            payloads,
        )?]);
    }
    let number = number();
    let cut = pieces::cut(&payloads).map(|(payload, piece)| {
        let header = Header::Piece(PieceHead { number, payload });
        Outgoing::new(lane, &header, [piece])
    });
    let mut frames = cut.collect::<Result<Vec<_>, _>>()?;
    frames.push(Outgoing::new(lane, &Header::Document(head(Some(number), body)), [])?);
    Ok(frames)
}

impl DocumentHead {
    /// The message; `None` if pieces of it are missing.
    pub(super) fn said(
        self,
        payloads: &[Bytes],
        pieces: &mut Pieces,
    ) -> Result<Option<(ChannelName, Join, Said)>, WireError> {
        let gathered;
        let payloads = match self.pieces {
            None => payloads,
            Some(number) if payloads.is_empty() => match pieces.take(number) {
                Some(whole) => {
                    gathered = whole;
                    &*gathered
                }
                None => return Ok(None),
            },
            Some(_) => return Err(WireError::Payloads),
        };
        let said = match self.body {
            Body::Owner(head) => Said::ToOwner(head.back(payloads)?),
            Body::Gateway(head) => Said::ToGateway(head.back(payloads)?),
        };
        Ok(Some((name::channel(&self.document)?, Join(self.join), said)))
    }
}

impl PieceHead {
    pub(super) fn add(&self, payloads: &[Bytes], pieces: &mut Pieces) -> Result<(), WireError> {
        let [piece] = payloads else {
            return Err(WireError::Payloads);
        };
        pieces.add(self.number, self.payload, piece)
    }
}

fn text(payload: &[u8]) -> Result<String, WireError> {
    let text = std::str::from_utf8(payload);
    text.map(str::to_owned).map_err(|_| WireError::Text("text"))
}

#[cfg(test)]
pub(super) mod tests;
