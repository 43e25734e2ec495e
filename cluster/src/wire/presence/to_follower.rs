//! From the owner: to gateways, those that watch, and replicas.

use std::sync::Arc;
use std::time::Duration;

use bincode::{Decode, Encode};
use starling_core::id::SlotId;
use starling_core::presence::ConnectionId;
use starling_core::presence::digest::Set;
use starling_core::presence::message::{Delta, Step, ToGateway, ToReplica, ToWatch};

use super::value::{
    ChangeHead, ClientHead, CopiedHead, CountHead, DoubtsHead, EphemeralHead, HeadListHead, HeadsHead, Mirror,
    NodeHead, PresentHead, RangeHead, StampHead, all, all_back,
};
use crate::wire::{WireError, name};

#[derive(Debug, Encode, Decode)]
pub(super) enum GatewayHead {
    Compare,
    Differ(u64),
    List(Vec<RangeHead>),
}

impl Mirror for GatewayHead {
    type Core = ToGateway;

    fn of(told: &ToGateway) -> Self {
        match told {
            ToGateway::Compare => Self::Compare,
            ToGateway::Differ(groups) => Self::Differ(groups.0),
            ToGateway::List(ranges) => Self::List(all(ranges)),
        }
    }

    fn back(self) -> Result<ToGateway, WireError> {
        Ok(match self {
            Self::Compare => ToGateway::Compare,
            Self::Differ(groups) => ToGateway::Differ(Set(groups)),
            Self::List(ranges) => ToGateway::List(all_back(ranges)?),
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) enum WatchHead {
    Roster {
        channel: String,
        stamp: StampHead,
        part: u32,
        is_last: bool,
        rows: Vec<PresentHead>,
        doubts: DoubtsHead,
    },
    Delta {
        channel: String,
        stamp: StampHead,
        after: u64,
        changes: Vec<(ClientHead, Option<PresentHead>)>,
        doubts: DoubtsHead,
    },
    Count {
        channel: String,
        stamp: StampHead,
        count: CountHead,
        is_settled: bool,
    },
    Heads(HeadsHead),
    HeadList(HeadListHead),
    Ephemeral {
        channel: String,
        client: ClientHead,
        gateway: NodeHead,
        connection: u64,
        ephemeral: EphemeralHead,
    },
}

impl Mirror for WatchHead {
    type Core = ToWatch;

    fn of(told: &ToWatch) -> Self {
        match told {
            ToWatch::Roster {
                channel,
                stamp,
                part,
                is_last,
                rows,
                doubts,
            } => Self::Roster {
                channel: channel.as_str().into(),
                stamp: StampHead::of(stamp),
                part: *part,
                is_last: *is_last,
                rows: all(rows),
                doubts: DoubtsHead::of(doubts),
            },
            ToWatch::Delta(delta) => {
                let changes = delta.changes.iter();
                let changes = changes.map(|(client, row)| (ClientHead::of(client), row.as_ref().map(PresentHead::of)));
                Self::Delta {
                    channel: delta.channel.as_str().into(),
                    stamp: StampHead::of(&delta.stamp),
                    after: delta.after,
                    changes: changes.collect(),
                    doubts: DoubtsHead::of(&delta.doubts),
                }
            }
            ToWatch::Count {
                channel,
                stamp,
                count,
                is_settled,
            } => Self::Count {
                channel: channel.as_str().into(),
                stamp: StampHead::of(stamp),
                count: CountHead::of(count),
                is_settled: *is_settled,
            },
            ToWatch::Heads(heads) => Self::Heads(HeadsHead::of(heads)),
            ToWatch::HeadList(list) => Self::HeadList(HeadListHead::of(list)),
            ToWatch::Ephemeral {
                channel,
                client,
                of: (gateway, connection),
                ephemeral,
            } => Self::Ephemeral {
                channel: channel.as_str().into(),
                client: ClientHead::of(client),
                gateway: NodeHead::of(gateway),
                connection: connection.0,
                ephemeral: EphemeralHead::of(ephemeral),
            },
        }
    }

    fn back(self) -> Result<ToWatch, WireError> {
        Ok(match self {
            Self::Roster {
                channel,
                stamp,
                part,
                is_last,
                rows,
                doubts,
            } => ToWatch::Roster {
                channel: name::channel(&channel)?,
                stamp: stamp.back()?,
                part,
                is_last,
                rows: all_back(rows)?,
                doubts: doubts.back()?,
            },
            Self::Delta {
                channel,
                stamp,
                after,
                changes,
                doubts,
            } => {
                let changes = changes.into_iter();
                let changes =
                    changes.map(|(client, row)| Ok((client.back()?, row.map(PresentHead::back).transpose()?)));
                ToWatch::Delta(Arc::new(Delta {
                    channel: name::channel(&channel)?,
                    stamp: stamp.back()?,
                    after,
                    changes: changes.collect::<Result<_, WireError>>()?,
                    doubts: doubts.back()?,
                }))
            }
            Self::Count {
                channel,
                stamp,
                count,
                is_settled,
            } => ToWatch::Count {
                channel: name::channel(&channel)?,
                stamp: stamp.back()?,
                count: count.back()?,
                is_settled,
            },
            Self::Heads(heads) => ToWatch::Heads(heads.back()?),
            Self::HeadList(list) => ToWatch::HeadList(list.back()?),
            Self::Ephemeral {
                channel,
                client,
                gateway,
                connection,
                ephemeral,
            } => ToWatch::Ephemeral {
                channel: name::channel(&channel)?,
                client: client.back()?,
                of: (gateway.back()?, ConnectionId(connection)),
                ephemeral: ephemeral.back()?,
            },
        })
    }
}

#[derive(Debug, Encode, Decode)]
pub(super) enum ReplicaHead {
    Copy {
        slot: u16,
        stamp: StampHead,
        part: u32,
        is_last: bool,
        entries: Vec<CopiedHead>,
        seen: Vec<(NodeHead, u64)>,
    },
    Log {
        slot: u16,
        stamp: StampHead,
        after: u64,
        steps: Vec<StepHead>,
    },
    Heads(HeadsHead),
    HeadList(HeadListHead),
}

#[derive(Debug, Encode, Decode)]
pub(super) enum StepHead {
    Change { gateway: NodeHead, change: ChangeHead },
    Purge { gateway: NodeHead, after_ms: u64 },
}

impl Mirror for StepHead {
    type Core = Step;

    fn of(step: &Step) -> Self {
        match step {
            Step::Change { gateway, change } => Self::Change {
                gateway: NodeHead::of(gateway),
                change: ChangeHead::of(change),
            },
            Step::Purge { gateway, after } => Self::Purge {
                gateway: NodeHead::of(gateway),
                // Rounded up: a namespace with just this grace is meant, too.
                after_ms: u64::try_from(after.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX),
            },
        }
    }

    fn back(self) -> Result<Step, WireError> {
        Ok(match self {
            Self::Change { gateway, change } => Step::Change {
                gateway: gateway.back()?,
                change: change.back()?,
            },
            Self::Purge { gateway, after_ms } => Step::Purge {
                gateway: gateway.back()?,
                after: Duration::from_millis(after_ms),
            },
        })
    }
}

impl Mirror for ReplicaHead {
    type Core = ToReplica;

    fn of(told: &ToReplica) -> Self {
        match told {
            ToReplica::Copy {
                slot,
                stamp,
                part,
                is_last,
                entries,
                seen,
            } => Self::Copy {
                slot: slot.0,
                stamp: StampHead::of(stamp),
                part: *part,
                is_last: *is_last,
                entries: all(entries),
                seen: seen
                    .iter()
                    .map(|(node, counter)| (NodeHead::of(node), *counter))
                    .collect(),
            },
            ToReplica::Log {
                slot,
                stamp,
                after,
                steps,
            } => Self::Log {
                slot: slot.0,
                stamp: StampHead::of(stamp),
                after: *after,
                steps: all(steps.iter()),
            },
            ToReplica::Heads(heads) => Self::Heads(HeadsHead::of(heads)),
            ToReplica::HeadList(list) => Self::HeadList(HeadListHead::of(list)),
        }
    }

    fn back(self) -> Result<ToReplica, WireError> {
        Ok(match self {
            Self::Copy {
                slot,
                stamp,
                part,
                is_last,
                entries,
                seen,
            } => {
                let seen = seen.into_iter().map(|(node, counter)| Ok((node.back()?, counter)));
                ToReplica::Copy {
                    slot: SlotId(slot),
                    stamp: stamp.back()?,
                    part,
                    is_last,
                    entries: all_back(entries)?,
                    seen: seen.collect::<Result<_, WireError>>()?,
                }
            }
            Self::Log {
                slot,
                stamp,
                after,
                steps,
            } => ToReplica::Log {
                slot: SlotId(slot),
                stamp: stamp.back()?,
                after,
                steps: all_back::<_, Vec<_>>(steps)?.into(),
            },
            Self::Heads(heads) => ToReplica::Heads(heads.back()?),
            Self::HeadList(list) => ToReplica::HeadList(list.back()?),
        })
    }
}
