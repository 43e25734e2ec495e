//! Who may write which slot (rule R14).

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};
use starling_core::id::{SlotId, Term};
use starling_core::slot::{Lease, StoreFailure};

use super::Shared;
use super::head::claimed;
use super::row::Failure;
use crate::storage::sum::signed;
use crate::storage::{Claim, Fence, Owned, lineage};

/// What is to be taken over.
pub(super) enum Wanted {
    /// Every slot, by a node that stands alone.
    All { owner: Arc<str>, generation: u64 },
    /// One slot, by its owner in the slot table.
    One(Owned),
}

/// Takes slots over. A refusal comes back inside.
pub(super) fn claim(
    connection: &Connection,
    shared: &Shared,
    wanted: &Wanted,
) -> Result<Result<Vec<Claim>, StoreFailure>, Failure> {
    match wanted {
        Wanted::All { owner, generation } => {
            let mut claims = Vec::with_capacity(usize::from(shared.slots));
            for slot in 0..shared.slots {
                claims.push(take(connection, shared, SlotId(slot), Term(0), owner, *generation)?);
            }
            Ok(Ok(claims))
        }
        Wanted::One(Owned {
            slot,
            term: rank,
            owner,
            generation,
        }) => {
            if let Some(known) = rank_of(connection, *slot)? {
                let held = claimed(connection, *slot)?;
                let is_mine = held.is_some_and(|(_, name, start)| name == **owner && start == *generation);
                if *rank < known || (*rank == known && !is_mine) {
                    return Ok(Err(StoreFailure::Fenced));
                }
            }
            Ok(Ok(vec![take(connection, shared, *slot, *rank, owner, *generation)?]))
        }
    }
}

fn take(
    connection: &Connection,
    shared: &Shared,
    slot: SlotId,
    rank: Term,
    owner: &Arc<str>,
    generation: u64,
) -> Result<Claim, Failure> {
    let term = claimed(connection, slot)?.map_or(Term(0), |(term, ..)| term).next();
    let mut write = connection.prepare_cached(
        "INSERT OR REPLACE INTO slot (slot, term, owner, generation, rank) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    write.execute((slot.0, signed(term.0), &**owner, signed(generation), signed(rank.0)))?;
    let mut count = connection.prepare_cached("SELECT count(*) FROM channel WHERE slot = ?1")?;
    let channels: i64 = count.query_row([slot.0], |row| row.get(0))?;
    Ok(Claim {
        fence: Fence {
            slot,
            term,
            owner: Arc::clone(owner),
            generation,
        },
        lease: Lease {
            term,
            lineage: lineage(shared.incarnation),
            channels: usize::try_from(channels).unwrap_or(usize::MAX),
        },
    })
}

fn rank_of(connection: &Connection, slot: SlotId) -> Result<Option<Term>, Failure> {
    let mut statement = connection.prepare_cached("SELECT rank FROM slot WHERE slot = ?1")?;
    let rank = statement.query_row([slot.0], |row| row.get::<_, i64>(0)).optional()?;
    Ok(rank.map(|rank| Term(rank.cast_unsigned())))
}
