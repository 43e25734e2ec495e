//! Who may write which slot (rule R14).
//!
//! Claims have a connection of their own: a claim waits until the transaction of the owner before has ended, and nobody
//! else's publishes wait with it. Those that come together share a transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use starling_core::id::{SlotId, Term};
use starling_core::slot::{Lease, StoreFailure};
use tokio::sync::oneshot;

use super::Shared;
use super::row::{Failure, number};
use crate::storage::queue::{Bounds, Taken};
use crate::storage::sum::signed;
use crate::storage::{Claim, Fence, Owned, lineage};

/// Claims of one transaction: all slots that there may be.
const TRANSACTION: Bounds = Bounds {
    jobs: 1 << 15,
    bytes: usize::MAX,
};

/// What may wait: as many again, which is more than one for each slot.
pub(super) const WAITING: Bounds = Bounds {
    jobs: 1 << 16,
    bytes: usize::MAX,
};

/// How long claiming may take. An earlier owner's transaction is ended by the database after five seconds.
const CLAIM_TIME_MAX: Duration = Duration::from_secs(15);

/// What is to be taken over.
pub(super) enum Job {
    /// Every slot, by a node that stands alone.
    All {
        owner: Arc<str>,
        generation: u64,
        reply: oneshot::Sender<Result<Vec<Claim>, StoreFailure>>,
    },
    /// One slot, by its owner in the slot table.
    One {
        owned: Owned,
        reply: oneshot::Sender<Result<Claim, StoreFailure>>,
    },
}

impl Job {
    pub(super) fn fail(self, failure: StoreFailure) {
        // Whoever asked may have gone.
        match self {
            Self::All { reply, .. } => drop(reply.send(Err(failure))),
            Self::One { reply, .. } => drop(reply.send(Err(failure))),
        }
    }
}

/// Claims until the queue is closed and empty.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut jobs = Vec::new();
    while shared.claims.taken(TRANSACTION, &mut jobs).await != Taken::Closed {
        let mut ones = Vec::new();
        for job in jobs.drain(..) {
            match job {
                Job::All {
                    owner,
                    generation,
                    reply,
                } => {
                    let rows = (0..shared.slots).map(|slot| Owned {
                        slot: SlotId(slot),
                        term: Term(0),
                        owner: Arc::clone(&owner),
                        generation,
                    });
                    let claims = claim(&shared, TAKE, rows.collect()).await;
                    let _ = reply.send(claims.map(|claims| claims.into_values().collect())); // it may have gone
                }
                Job::One { owned, reply } => ones.push((owned, reply)),
            }
        }
        while !ones.is_empty() {
            ones = claim_ones(&shared, ones).await;
        }
    }
}

type One = (Owned, oneshot::Sender<Result<Claim, StoreFailure>>);

/// Claims slots in one transaction, each once. Answers with those that have to wait for the next.
async fn claim_ones(shared: &Shared, ones: Vec<One>) -> Vec<One> {
    let mut slots = BTreeSet::new();
    let (now, later): (Vec<_>, Vec<_>) = ones.into_iter().partition(|(owned, _)| slots.insert(owned.slot));
    let outcome = claim(shared, WIN, now.iter().map(|(owned, _)| owned.clone()).collect()).await;
    for (owned, reply) in now {
        let answer = match &outcome {
            Ok(claims) => claims.get(&owned.slot).cloned().ok_or(StoreFailure::Fenced),
            Err(failure) => Err(*failure),
        };
        let _ = reply.send(answer); // it may have gone
    }
    later
}

/// Takes slots, whoever has them.
const TAKE: &str = "INSERT INTO starling.slot AS held (slot, term, owner, generation, rank)
     SELECT slot, 1, owner, generation, rank
     FROM unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[]) AS wanted(slot, owner, generation, rank) ORDER BY slot
     ON CONFLICT (slot) DO UPDATE SET term = held.term + 1, owner = excluded.owner, generation = excluded.generation,
         rank = excluded.rank
     RETURNING slot, term";

/// Takes those that are not held by the owner of a later term, or by another of the same.
const WIN: &str = "INSERT INTO starling.slot AS held (slot, term, owner, generation, rank)
     SELECT slot, 1, owner, generation, rank
     FROM unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[]) AS wanted(slot, owner, generation, rank) ORDER BY slot
     ON CONFLICT (slot) DO UPDATE SET term = held.term + 1, owner = excluded.owner, generation = excluded.generation,
         rank = excluded.rank
     WHERE excluded.rank > held.rank OR (excluded.rank = held.rank AND excluded.owner = held.owner
         AND excluded.generation = held.generation)
     RETURNING slot, term";

/// Counted once the slots are held: nobody else adds channels any more.
const COUNT: &str = "SELECT slot, count(*) FROM starling.channel WHERE slot = ANY($1::int[]) GROUP BY slot";

async fn claim(shared: &Shared, statement: &str, wanted: Vec<Owned>) -> Result<BTreeMap<SlotId, Claim>, StoreFailure> {
    // That it is away was said once, and whoever claims asks again.
    let incarnation = shared.incarnation().ok_or(StoreFailure::Unavailable)?;
    let claimed = async {
        let mut client = shared.reading().await?;
        let written = tokio::time::timeout(CLAIM_TIME_MAX, write(&mut client, statement, &wanted, incarnation)).await;
        let written = written.unwrap_or(Err(Failure::Silent));
        if written.as_ref().is_err_and(Failure::is_lost) {
            drop(Object::take(client));
        }
        written
    };
    claimed.await.map_err(|failure| {
        shared.metrics.store_failed("claim");
        tracing::warn!(%failure, slots = wanted.len(), "slots could not be claimed in the store");
        StoreFailure::Unavailable
    })
}

async fn write(
    client: &mut Object,
    statement: &str,
    wanted: &[Owned],
    incarnation: u32,
) -> Result<BTreeMap<SlotId, Claim>, Failure> {
    let slots: Vec<i32> = wanted.iter().map(|owned| i32::from(owned.slot.0)).collect();
    let owners: Vec<&str> = wanted.iter().map(|owned| &*owned.owner).collect();
    let generations: Vec<i64> = wanted.iter().map(|owned| signed(owned.generation)).collect();
    let ranks: Vec<i64> = wanted.iter().map(|owned| signed(owned.term.0)).collect();
    let transaction = client.transaction().await?;
    let taken = transaction
        .query(statement, &[&slots, &owners, &generations, &ranks])
        .await?;
    let counted = transaction.query(COUNT, &[&slots]).await?;
    transaction.commit().await?;
    let mut channels = BTreeMap::new();
    for row in counted {
        channels.insert(row.try_get::<_, i32>(0)?, row.try_get::<_, i64>(1)?);
    }
    let by_slot: BTreeMap<i32, &Owned> = slots.iter().copied().zip(wanted).collect();
    let mut claims = BTreeMap::new();
    for row in taken {
        let slot: i32 = row.try_get(0)?;
        let Some(owned) = by_slot.get(&slot) else {
            continue;
        };
        let term = Term(number(&row, 1)?);
        let channels = channels.get(&slot).copied().unwrap_or_default();
        let claim = Claim {
            fence: Fence {
                slot: owned.slot,
                term,
                owner: Arc::clone(&owned.owner),
                generation: owned.generation,
            },
            lease: Lease {
                term,
                lineage: lineage(incarnation),
                channels: usize::try_from(channels).unwrap_or(usize::MAX),
            },
        };
        claims.insert(owned.slot, claim);
    }
    Ok(claims)
}
