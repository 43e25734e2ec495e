//! What travels in a lane: a header and payloads beside it, numbered.
//!
//! ```text
//! length 4 │ index 8 │ slot 2 │ header length 4 │ payloads 2 │ length of each 4 … │ header │ payloads …
//! └ of all that follows
//! ```
//!
//! Numbers are little-endian. A frame is written as the buffers it was made of, and read into one buffer that its parts
//! share.

use bincode::{Decode, Encode};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use smallvec::SmallVec;
use starling_core::id::NodeId;
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;

use super::codec::{self, CodecError, HEADER_BYTES_MAX};

/// Longest frame. A page of history has a quarter of it; a snapshot travels in pieces.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Payloads of one frame: a batch of entries of a slot.
pub const PAYLOADS_MAX: usize = 1_024;

/// Lanes for slots, beside the one for control. Slots share them by their number: with eight, one that is stuck holds up an
/// eighth of the others, and each lane costs a stream and a task.
pub const SLOT_LANES: usize = 8;

/// All lanes of a link, in each direction.
pub const LANES: usize = SLOT_LANES + 1;

const PREFIX_BYTES: usize = 4 + 8 + 2 + 4 + 2;

/// Where a message travels: in order with the others of its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Beside all slots: what concerns the nodes themselves.
    Control,
    /// With the other messages of a slot.
    Slot(u16),
}

impl Lane {
    /// Its place among the [`LANES`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Control => 0,
            Self::Slot(slot) => 1 + slot as usize % SLOT_LANES,
        }
    }

    const fn slot(self) -> u16 {
        match self {
            Self::Control => 0,
            Self::Slot(slot) => slot,
        }
    }
}

/// A message to a peer.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where it travels.
    pub lane: Lane,
    /// What it is, encoded.
    pub header: Bytes,
    /// What it carries, as it is.
    pub payloads: SmallVec<[Bytes; 4]>,
}

impl Outgoing {
    /// With a header that is encoded here.
    ///
    /// # Errors
    /// When the header is too long.
    pub fn new<H: Encode>(
        lane: Lane,
        header: &H,
        payloads: impl IntoIterator<Item = Bytes>,
    ) -> Result<Self, CodecError> {
        Ok(Self {
            lane,
            header: codec::encode(header)?.into(),
            payloads: payloads.into_iter().collect(),
        })
    }

    /// Bytes it takes on the wire.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let payloads: usize = self.payloads.iter().map(|payload| 4 + payload.len()).sum();
        PREFIX_BYTES + self.header.len() + payloads
    }

    /// Whether a peer would take it.
    pub(super) fn fits(&self) -> bool {
        let header = self.header.len() <= HEADER_BYTES_MAX && self.payloads.len() <= PAYLOADS_MAX;
        header && self.bytes() <= 4 + FRAME_BYTES_MAX
    }

    /// The buffers that make the frame of this number. It fits.
    pub(super) fn chunks(&self, index: u64) -> SmallVec<[Bytes; 4]> {
        let number = |length: usize| u32::try_from(length).expect("a frame that fits is below a mebibyte");
        let mut prefix = BytesMut::with_capacity(PREFIX_BYTES + 4 * self.payloads.len());
        prefix.put_u32_le(number(self.bytes() - 4));
        prefix.put_u64_le(index);
        prefix.put_u16_le(self.lane.slot());
        prefix.put_u32_le(number(self.header.len()));
        prefix.put_u16_le(u16::try_from(self.payloads.len()).expect("a frame that fits has some thousand payloads"));
        for payload in &self.payloads {
            prefix.put_u32_le(number(payload.len()));
        }
        let parts = [prefix.freeze(), self.header.clone()];
        let all = parts.into_iter().chain(self.payloads.iter().cloned());
        all.filter(|part| !part.is_empty()).collect()
    }
}

/// A message from a peer. Its room among those that wait is free when it is dropped.
#[derive(Debug)]
pub struct Incoming {
    /// Who sent it.
    pub from: NodeId,
    /// Where it travelled.
    pub lane: Lane,
    /// What it is, encoded.
    pub header: Bytes,
    /// What it carries.
    pub payloads: SmallVec<[Bytes; 4]>,
    pub(super) _room: OwnedSemaphorePermit,
}

impl Incoming {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is another.
    pub fn decode<H: Decode<()>>(&self) -> Result<H, CodecError> {
        codec::decode(&self.header)
    }

    /// Its room, for whoever keeps what it says and drops the rest.
    #[must_use]
    pub fn into_room(self) -> InboxRoom {
        InboxRoom(self._room)
    }
}

/// Room among the messages that wait; free when it is dropped.
#[derive(Debug)]
pub struct InboxRoom(#[expect(dead_code, reason = "it is held, and dropped")] OwnedSemaphorePermit);

/// A frame as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) index: u64,
    pub(super) slot: u16,
    pub(super) header: Bytes,
    pub(super) payloads: SmallVec<[Bytes; 4]>,
    pub(super) bytes: usize,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    #[error("a frame of {0} bytes is longer than {FRAME_BYTES_MAX}")]
    TooLong(usize),
    #[error("the lengths inside a frame do not add up")]
    Lengths,
    #[error("a frame has more payloads or a longer header than one may")]
    Parts,
}

/// Takes the next frame from the front of `buffer`, if all of it is there. Otherwise the buffer has room for its rest.
pub(super) fn parse(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(length) = buffer.first_chunk() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(length));
    }
    if length < PREFIX_BYTES - 4 {
        return Err(FrameError::Lengths);
    }
    let whole = 4 + length;
    if buffer.len() < whole {
        return Ok(None);
    }
    let mut rest = buffer.split_to(whole).freeze();
    rest.advance(4);
    let (index, slot) = (rest.get_u64_le(), rest.get_u16_le());
    let (header, count) = (rest.get_u32_le() as usize, usize::from(rest.get_u16_le()));
    if header > HEADER_BYTES_MAX || count > PAYLOADS_MAX {
        return Err(FrameError::Parts);
    }
    if rest.remaining() < 4 * count {
        return Err(FrameError::Lengths);
    }
    let lengths: SmallVec<[usize; 4]> = (0..count).map(|_| rest.get_u32_le() as usize).collect();
    let sum = lengths.iter().try_fold(header, |sum, length| sum.checked_add(*length));
    if sum != Some(rest.remaining()) {
        return Err(FrameError::Lengths);
    }
    Ok(Some(Frame {
        index,
        slot,
        header: rest.split_to(header),
        payloads: lengths.into_iter().map(|length| rest.split_to(length)).collect(),
        bytes: whole,
    }))
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng as _, RngExt as _, SeedableRng as _};
    use smallvec::smallvec;

    use super::*;

    fn sample(dice: &mut SmallRng) -> Outgoing {
        let mut part = |most: usize| {
            let mut bytes = vec![0; dice.random_range(0..most)];
            dice.fill_bytes(&mut bytes);
            Bytes::from(bytes)
        };
        Outgoing {
            lane: Lane::Slot(513),
            header: part(200),
            payloads: (0..part(7).len()).map(|_| part(3_000)).collect(),
        }
    }

    fn wire(outgoing: &Outgoing, index: u64) -> Vec<u8> {
        outgoing.chunks(index).concat()
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        for seed in 0..200 {
            let mut dice = SmallRng::seed_from_u64(seed);
            let sent: Vec<_> = (0..5).map(|_| sample(&mut dice)).collect();
            let bytes: Vec<_> = sent.iter().zip(1..).flat_map(|(one, index)| wire(one, index)).collect();
            let (mut buffer, mut came, mut at) = (BytesMut::new(), Vec::new(), 0);
            while at < bytes.len() {
                let next = (at + dice.random_range(1..2_000)).min(bytes.len());
                buffer.extend_from_slice(&bytes[at..next]);
                at = next;
                while let Some(frame) = parse(&mut buffer).expect("it is a frame") {
                    came.push(frame);
                }
            }
            assert_eq!(came.len(), sent.len(), "seed {seed}");
            for ((frame, sent), index) in came.iter().zip(&sent).zip(1..) {
                assert_eq!((frame.index, frame.slot), (index, 513));
                assert_eq!(
                    (&frame.header, &frame.payloads),
                    (&sent.header, &sent.payloads),
                    "seed {seed}"
                );
                assert_eq!(frame.bytes, sent.bytes());
            }
        }
    }

    #[test]
    fn lengths_that_lie_are_refused_before_anything_is_waited_for() {
        let mut good = wire(&sample(&mut SmallRng::seed_from_u64(1)), 1);
        good[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        let refused = parse(&mut BytesMut::from(&good[..4]));
        assert_eq!(refused, Err(FrameError::TooLong(u32::MAX as usize)));
        for seed in 0..5_000 {
            let mut dice = SmallRng::seed_from_u64(seed);
            let mut bytes = wire(&sample(&mut dice), 1);
            for _ in 0..3 {
                let at = dice.random_range(0..bytes.len().min(40));
                bytes[at] = dice.random();
            }
            let mut buffer = BytesMut::from(&bytes[..]);
            // Whatever it is, it is told, and takes no more than there is.
            if let Ok(Some(frame)) = parse(&mut buffer) {
                assert!(frame.bytes <= bytes.len());
            }
        }
    }

    #[test]
    fn a_frame_that_no_peer_would_take_is_known_before_it_is_sent() {
        let with = |header: usize, payloads: usize, each: usize| Outgoing {
            lane: Lane::Control,
            header: vec![0; header].into(),
            payloads: (0..payloads).map(|_| Bytes::from(vec![0; each])).collect(),
        };
        let room = FRAME_BYTES_MAX - (PREFIX_BYTES - 4) - 4;
        let largest = with(0, 1, room);
        assert!(largest.fits() && parse(&mut BytesMut::from(&wire(&largest, 1)[..])).is_ok_and(|it| it.is_some()));
        assert!(!with(0, 1, room + 1).fits());
        assert!(with(HEADER_BYTES_MAX, 0, 0).fits() && !with(HEADER_BYTES_MAX + 1, 0, 0).fits());
        assert!(with(0, PAYLOADS_MAX, 1).fits() && !with(0, PAYLOADS_MAX + 1, 1).fits());
        let empty = Outgoing {
            payloads: smallvec![Bytes::new(), Bytes::new()],
            ..with(0, 0, 0)
        };
        let parsed = parse(&mut BytesMut::from(&wire(&empty, 9)[..]))
            .expect("a frame")
            .expect("whole");
        assert_eq!(parsed.payloads.len(), 2);
    }
}
