//! From a gateway or a follower to the owner.

use bincode::{Decode, Encode};
use starling_core::id::SlotId;
use starling_core::presence::digest::Set;
use starling_core::presence::message::{Kind, ToOwner};

use super::value::{
    ChangeHead, EntryHead, EphemeralHead, KeyHead, Mirror, RangeHead, ScopeHead, SlotsHead, SumsHead, TallyHead, all,
    all_back, mode, wants_roster,
};
use crate::wire::WireError;

#[derive(Debug, Encode, Decode)]
pub(super) enum OwnerHead {
    Changes {
        slot: u16,
        changes: Vec<ChangeHead>,
    },
    Digest {
        slots: SlotsHead,
        tally: TallyHead,
    },
    Cells {
        slots: SlotsHead,
        groups: Vec<(u8, SumsHead)>,
    },
    Listing {
        slots: SlotsHead,
        range: RangeHead,
        counter: u64,
        entries: Vec<(u16, EntryHead)>,
    },
    Follow {
        scope: ScopeHead,
        wants_roster: bool,
    },
    Unfollow(ScopeHead),
    AskHeads {
        of_slots: bool,
        groups: u64,
    },
    Ephemeral {
        slot: u16,
        key: KeyHead,
        ephemeral: EphemeralHead,
    },
}

impl Mirror for OwnerHead {
    type Core = ToOwner;

    fn of(asked: &ToOwner) -> Self {
        match asked {
            ToOwner::Changes { slot, changes } => Self::Changes {
                slot: slot.0,
                changes: all(changes),
            },
            ToOwner::Digest { slots, tally } => Self::Digest {
                slots: SlotsHead::of(slots),
                tally: TallyHead::of(tally),
            },
            ToOwner::Cells { slots, groups } => Self::Cells {
                slots: SlotsHead::of(slots),
                groups: groups
                    .iter()
                    .map(|(group, sums)| (*group, SumsHead::of(sums)))
                    .collect(),
            },
            ToOwner::Listing {
                slots,
                range,
                counter,
                entries,
            } => Self::Listing {
                slots: SlotsHead::of(slots),
                range: RangeHead::of(range),
                counter: *counter,
                entries: entries
                    .iter()
                    .map(|(slot, entry)| (slot.0, EntryHead::of(entry)))
                    .collect(),
            },
            ToOwner::Follow { scope, mode } => Self::Follow {
                scope: ScopeHead::of(scope),
                wants_roster: wants_roster(*mode),
            },
            ToOwner::Unfollow(scope) => Self::Unfollow(ScopeHead::of(scope)),
            ToOwner::AskHeads { of, groups } => Self::AskHeads {
                of_slots: *of == Kind::Slots,
                groups: groups.0,
            },
            ToOwner::Ephemeral { slot, key, ephemeral } => Self::Ephemeral {
                slot: slot.0,
                key: KeyHead::of(key),
                ephemeral: EphemeralHead::of(ephemeral),
            },
        }
    }

    fn back(self) -> Result<ToOwner, WireError> {
        Ok(match self {
            Self::Changes { slot, changes } => ToOwner::Changes {
                slot: SlotId(slot),
                changes: all_back(changes)?,
            },
            Self::Digest { slots, tally } => ToOwner::Digest {
                slots: slots.back()?,
                tally: tally.back()?,
            },
            Self::Cells { slots, groups } => {
                let groups = groups.into_iter().map(|(group, sums)| Ok((group, sums.back()?)));
                ToOwner::Cells {
                    slots: slots.back()?,
                    groups: groups.collect::<Result<_, WireError>>()?,
                }
            }
            Self::Listing {
                slots,
                range,
                counter,
                entries,
            } => {
                let entries = entries
                    .into_iter()
                    .map(|(slot, entry)| Ok((SlotId(slot), entry.back()?)));
                ToOwner::Listing {
                    slots: slots.back()?,
                    range: range.back()?,
                    counter,
                    entries: entries.collect::<Result<_, WireError>>()?,
                }
            }
            Self::Follow { scope, wants_roster } => ToOwner::Follow {
                scope: scope.back()?,
                mode: mode(wants_roster),
            },
            Self::Unfollow(scope) => ToOwner::Unfollow(scope.back()?),
            Self::AskHeads { of_slots, groups } => ToOwner::AskHeads {
                of: if of_slots { Kind::Slots } else { Kind::Channels },
                groups: Set(groups),
            },
            Self::Ephemeral { slot, key, ephemeral } => ToOwner::Ephemeral {
                slot: SlotId(slot),
                key: key.back()?,
                ephemeral: ephemeral.back()?,
            },
        })
    }
}
