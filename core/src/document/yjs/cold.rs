//! Yjs documents in their bytes.

use yrs::updates::decoder::Decode as _;
use yrs::updates::encoder::Encode as _;
use yrs::{StateVector, Update};

use super::{decode, restore};
use crate::document::engine::{Cold, EngineError, FAN_IN};
use crate::document::scan::{self, Limits};

/// Yjs documents in their bytes.
#[derive(Debug, Clone, Copy)]
pub struct YjsBytes;

impl Cold for YjsBytes {
    const EMPTY: &'static [u8] = Update::EMPTY_V1;
    const NOTHING: &'static [u8] = &[0];

    fn is_empty_state_vector(bytes: &[u8]) -> bool {
        bytes == [0]
    }

    fn merge(updates: &[&[u8]], limits: &Limits) -> Result<Vec<u8>, EngineError> {
        if updates.is_empty() {
            return Ok(Self::EMPTY.to_vec());
        }
        let mut level = Vec::with_capacity(updates.len().div_ceil(FAN_IN));
        for some in updates.chunks(FAN_IN) {
            level.push(merge_some(some, limits)?);
        }
        while level.len() > 1 {
            let mut next = Vec::with_capacity(level.len().div_ceil(FAN_IN));
            for some in level.chunks(FAN_IN) {
                let some: Vec<_> = some.iter().map(Vec::as_slice).collect();
                next.push(merge_some(&some, &Limits::STORED)?);
            }
            level = next;
        }
        Ok(level.pop().unwrap_or_else(|| Self::EMPTY.to_vec()))
    }

    fn diff(update: &[u8], since: &[u8], limits: &Limits) -> Result<Vec<u8>, EngineError> {
        scan::state_vector(since, &Limits::CLIENT)?;
        if Self::is_empty_state_vector(since) {
            return Ok(update.to_vec());
        }
        scan::update(update, limits)?;
        yrs::diff_updates_v1(update, since).map_err(|error| EngineError::Undecodable(error.to_string()))
    }

    fn state_vector(update: &[u8], limits: &Limits) -> Result<Vec<u8>, EngineError> {
        scan::update(update, limits)?;
        Ok(decode(update)?.state_vector().encode_v1())
    }

    fn restore(now: &[u8], then: &[u8], dice: u64, limits: &Limits) -> Result<Vec<u8>, EngineError> {
        restore::restore(now, then, dice, limits)
    }

    fn covers(state_vector: &[u8], other: &[u8]) -> Result<bool, EngineError> {
        let (all, part) = (read(state_vector)?, read(other)?);
        let covers = part.iter().all(|(client, clock)| all.get(client) >= *clock);
        Ok(covers)
    }
}

/// At most [`FAN_IN`] updates.
fn merge_some(updates: &[&[u8]], limits: &Limits) -> Result<Vec<u8>, EngineError> {
    if let [one] = updates {
        scan::update(one, limits)?;
        return Ok(one.to_vec());
    }
    let mut decoded = Vec::with_capacity(updates.len());
    for update in updates {
        scan::update(update, limits)?;
        decoded.push(decode(update)?);
    }
    Ok(Update::merge_updates(decoded).encode_v1())
}

fn read(state_vector: &[u8]) -> Result<StateVector, EngineError> {
    scan::state_vector(state_vector, &Limits::STORED)?;
    StateVector::decode_v1(state_vector).map_err(|error| EngineError::Undecodable(error.to_string()))
}
