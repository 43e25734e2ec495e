//! A document in whole, as a store keeps it: in pieces.
//!
//! A snapshot or a version may have 64 MiB. Written at once it would keep all that waits for the one writer waiting for
//! as long as that takes, a publish too. So it goes in pieces, each in a transaction of its own, and counts once the last
//! is there, with the row that names it. A body of one piece, as nearly all are, is one write.
//!
//! ```text
//!   update │ state vector │ what is held .. │ the length of each │ how many they are
//! ```

use bytes::Bytes;
use starling_core::document::guard::Snapshot;
use starling_core::document::scan::Limits;

use super::Failure;

/// One piece. Writing it takes some ten milliseconds, which is what a publish may have to wait.
pub(in crate::storage) const PIECE_BYTES: usize = 1 << 20;

/// A body in whole: the largest document, and as much again for what is held and the state vector.
pub const BODY_BYTES_MAX: u64 = 2 * Limits::STORED.bytes as u64;

/// Where a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) struct Body {
    /// Drawn by whoever writes it.
    pub(in crate::storage) id: i64,
    pub(in crate::storage) pieces: u32,
    pub(in crate::storage) bytes: u64,
}

/// A body that is to be written: its pieces, of which there is at least one.
pub(in crate::storage) struct Pieces {
    pub(in crate::storage) body: Body,
    pub(in crate::storage) first: Vec<Bytes>,
    pub(in crate::storage) last: Bytes,
}

impl Pieces {
    pub(in crate::storage) fn of(snapshot: &Snapshot) -> Result<Self, Failure> {
        let mut whole = encode(snapshot);
        let bytes = whole.len() as u64;
        if bytes > BODY_BYTES_MAX {
            let max = BODY_BYTES_MAX;
            return Err(Failure::TooLarge { bytes, max });
        }
        let mut first = Vec::with_capacity(whole.len() / PIECE_BYTES);
        while whole.len() > PIECE_BYTES {
            first.push(whole.split_to(PIECE_BYTES));
        }
        let body = Body {
            // Databases keep numbers with a sign.
            id: (rand::random::<u64>() >> 1).cast_signed(),
            pieces: u32::try_from(first.len() + 1).unwrap_or(u32::MAX),
            bytes,
        };
        let last = whole;
        Ok(Self { body, first, last })
    }
}

fn encode(snapshot: &Snapshot) -> Bytes {
    let parts = || {
        [&snapshot.update, &snapshot.state_vector]
            .into_iter()
            .chain(&snapshot.held)
    };
    let bytes: usize = parts().map(|part| part.len() + size_of::<u64>()).sum();
    let mut whole = Vec::with_capacity(bytes + size_of::<u64>());
    parts().for_each(|part| whole.extend_from_slice(part));
    let lengths = parts().map(|part| part.len() as u64);
    lengths
        .chain([parts().count() as u64])
        .for_each(|number| whole.extend_from_slice(&number.to_le_bytes()));
    whole.into()
}

/// What was written; `None` if it was not written so.
pub(in crate::storage) fn decode(mut whole: Vec<u8>) -> Option<Snapshot> {
    let count = usize::try_from(number(&mut whole)?).ok()?;
    // Each has its length behind it, so there are no more than that.
    if count < 2 || count > whole.len() / size_of::<u64>() {
        return None;
    }
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        lengths.push(usize::try_from(number(&mut whole)?).ok()?);
    }
    // From the end on, so that the update, by far the largest, stays where it is.
    let mut parts = Vec::with_capacity(count - 1);
    let update = lengths.pop()?;
    for length in lengths {
        parts.push(whole.split_off(whole.len().checked_sub(length)?));
    }
    if whole.len() != update {
        return None;
    }
    parts.reverse();
    let held = parts.split_off(1);
    Some(Snapshot {
        update: whole,
        state_vector: parts.pop()?,
        held,
    })
}

/// Takes a number from the end.
fn number(whole: &mut Vec<u8>) -> Option<u64> {
    let at = whole.len().checked_sub(size_of::<u64>())?;
    let bytes = whole[at..].try_into().ok()?;
    whole.truncate(at);
    Some(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(update: usize, held: &[usize]) -> Snapshot {
        Snapshot {
            update: vec![1; update],
            state_vector: vec![2; 3],
            held: held.iter().map(|length| vec![3; *length]).collect(),
        }
    }

    fn joined(pieces: &Pieces) -> Vec<u8> {
        pieces.first.iter().chain([&pieces.last]).flatten().copied().collect()
    }

    #[test]
    fn a_body_comes_back_from_its_pieces() {
        for snapshot in [
            snapshot(0, &[]),
            snapshot(5, &[]),
            snapshot(5, &[0, 7]),
            snapshot(3 * PIECE_BYTES, &[9]),
        ] {
            let pieces = Pieces::of(&snapshot).expect("fits");
            assert_eq!(pieces.body.pieces as usize, pieces.first.len() + 1);
            assert!(pieces.first.iter().all(|piece| piece.len() == PIECE_BYTES));
            let whole = joined(&pieces);
            assert_eq!(pieces.body.bytes, whole.len() as u64);
            assert_eq!(decode(whole), Some(snapshot));
        }
    }

    #[test]
    fn what_is_no_body_is_none() {
        let whole = joined(&Pieces::of(&snapshot(20, &[4])).expect("fits"));
        for end in 0..whole.len() {
            // Cut short it is another one at best, with what is left.
            let found = decode(whole[..end].to_vec());
            assert_ne!(found, Some(snapshot(20, &[4])), "{end}");
        }
        for hostile in [u64::MAX, 1 << 40, 0, 1] {
            assert_eq!(decode(hostile.to_le_bytes().to_vec()), None);
            let twice = [hostile.to_le_bytes(), 2u64.to_le_bytes()].concat();
            assert_eq!(decode(twice), None);
        }
    }
}
