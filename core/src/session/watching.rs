//! Presence, as one session has to do with it: where its client is, and which channels it watches.
//!
//! Being in a channel and watching it are apart, and neither needs an attach. What becomes of an entry is decided by
//! [`crate::presence`]; here it is decided whether the session may ask at all.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use super::answer::Answer;
use super::places::Held;
use super::request::RequestId;
use super::turn::Effect;
use super::{Beside, ChannelId, PLACES_MAX, Place, Session};
use crate::access::Operation;
use crate::channel::{Limit, Refusal};
use crate::id::ChannelName;
use crate::presence::message::Ephemeral;
use crate::presence::{ClientId, Mode, Settings, gateway};
use crate::rate::Rate;

/// A channel that is watched.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) channel: ChannelName,
    /// As the node numbered it; `None` before it has.
    pub(super) channel_id: Option<ChannelId>,
    /// Requests to watch it that are not answered.
    asked: Vec<RequestId>,
}

/// What a session needs that is present anywhere, or watches.
#[derive(Debug, Default)]
pub(super) struct Presence {
    rate: Rate,
    ephemeral_rate: Rate,
    /// Where the client is, and the number of the newest ephemeral state that was taken from it there.
    entered: BTreeMap<ChannelName, u64>,
    /// What is asked for and not answered, and whether it enters a channel that it was not in.
    asked: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    request: RequestId,
    channel: ChannelName,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Enter,
    Update,
    Leave,
}

impl Session {
    pub(super) fn enter(
        &mut self,
        request: RequestId,
        channel: ChannelName,
        state: Bytes,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        let admitted = self.admit(&channel, "enter the presence of", now).and_then(|settings| {
            let (bytes, bytes_max) = (state.len(), settings.state_bytes_max);
            match bytes <= bytes_max {
                true => Ok(()),
                false => Err(Refusal::StateTooLarge { bytes, bytes_max }),
            }
        });
        let max = self.settings.entries_max;
        let presence = &mut self.beside.get_or_insert_default().presence;
        let is_new = !presence.entered.contains_key(&channel);
        let refusal = match admitted {
            Ok(()) if is_new && presence.entered.len() >= max => Refusal::TooManyEntries { max },
            Ok(()) => {
                presence.entered.entry(channel.clone()).or_default();
                presence.asked.push(Asked {
                    request,
                    channel: channel.clone(),
                    what: if is_new { What::Enter } else { What::Update },
                });
                return out.push(Effect::Enter {
                    request,
                    channel,
                    state,
                });
            }
            Err(refusal) => refusal,
        };
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    pub(super) fn leave_presence(
        &mut self,
        request: RequestId,
        channel: ChannelName,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        // It needs no right any more: who is there may go.
        let presence = &mut self.beside.get_or_insert_default().presence;
        let refusal = match presence.rate.take(self.settings.presence_interval, now) {
            Err(retry_after) => Refusal::RateLimited {
                limit: Limit::PresenceRate,
                retry_after,
            },
            Ok(()) if presence.entered.remove(&channel).is_none() => Refusal::NotEntered,
            Ok(()) => {
                let asked = Asked {
                    request,
                    channel: channel.clone(),
                    what: What::Leave,
                };
                presence.asked.push(asked);
                return out.push(Effect::LeavePresence { request, channel });
            }
        };
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    /// What was asked for is so, or is not.
    pub(super) fn presence_answered(
        &mut self,
        request: RequestId,
        answer: Option<Result<ClientId, gateway::Refusal>>,
        out: &mut Vec<Effect>,
    ) {
        let max = self.settings.entries_max;
        let Some(Beside { presence, .. }) = self.beside.as_deref_mut() else {
            return;
        };
        let Some(at) = presence.asked.iter().position(|one| one.request == request) else {
            return;
        };
        let Asked { channel, what, .. } = presence.asked.swap_remove(at);
        let refusal = match answer {
            Some(Ok(client)) => {
                return out.push(Effect::Send(match what {
                    What::Enter | What::Update => Answer::Entered { request, client },
                    What::Leave => Answer::Left { request },
                }));
            }
            Some(Err(refusal)) => match refusal {
                gateway::Refusal::NotEntered => Refusal::NotEntered,
                gateway::Refusal::TooManyEntries => Refusal::TooManyEntries { max },
                gateway::Refusal::StateTooLarge | gateway::Refusal::Overloaded => Refusal::PresenceFull,
            },
            None => Refusal::Unavailable,
        };
        // An entry that was refused is none. Of one that nobody answered for it is not known: it may be left.
        if what == What::Enter && refusal != Refusal::Unavailable {
            presence.entered.remove(&channel);
        }
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    pub(super) fn ephemeral(
        &mut self,
        channel: ChannelName,
        ephemeral: Ephemeral,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        let interval = self.settings.ephemeral_interval;
        let Some(Beside { presence, .. }) = self.beside.as_deref_mut() else {
            return;
        };
        // A datagram may be overtaken, or be the one that its client has said again.
        let newest = presence.entered.get_mut(&channel);
        let Some(newest) = newest.filter(|newest| ephemeral.number > **newest) else {
            return;
        };
        // Whatever comes too fast is dropped: the next is on its way. It is not the newest then, so that it may be said again.
        if presence.ephemeral_rate.take(interval, now).is_ok() {
            *newest = ephemeral.number;
            out.push(Effect::Ephemeral { channel, ephemeral });
        }
    }

    pub(super) fn watch(
        &mut self,
        request: RequestId,
        channel: ChannelName,
        mode: Mode,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        let place = self.places.place_of(&channel);
        let admitted = self.admit(&channel, "watch the presence of", now).and_then(|_| {
            let held = self.places.len() + self.attaching.len();
            let max = self.settings.channels_max;
            match place.is_some() || held < max.min(PLACES_MAX) {
                true => Ok(()),
                false => Err(Refusal::TooManyChannels { max }),
            }
        });
        if let Err(refusal) = admitted {
            return out.push(Effect::Send(Answer::Refused { request, refusal }));
        }
        let watched = place.and_then(|place| Some((place, self.places.watching_mut(place)?)));
        let place = match watched {
            Some((place, watching)) => {
                watching.asked.push(request);
                place
            }
            None => self.places.put(Held::Watched(Watching {
                channel: channel.clone(),
                channel_id: None,
                asked: vec![request],
            })),
        };
        out.push(Effect::Watch {
            request,
            place,
            channel,
            mode,
        });
    }

    pub(super) fn watched(&mut self, request: RequestId, place: Place, channel_id: ChannelId, out: &mut Vec<Effect>) {
        let Some(watching) = self.asked_at(place, request) else {
            return;
        };
        watching.channel_id = Some(channel_id);
        let channel = watching.channel.clone();
        out.push(Effect::Send(Answer::Watched {
            request,
            channel,
            channel_id,
        }));
    }

    pub(super) fn watch_refused(&mut self, request: RequestId, place: Place, refusal: Refusal, out: &mut Vec<Effect>) {
        let Some(watching) = self.asked_at(place, request) else {
            return;
        };
        if watching.channel_id.is_none() && watching.asked.is_empty() {
            self.places.take(place);
            out.push(Effect::Unwatch { place });
        }
        out.push(Effect::Send(Answer::Refused { request, refusal }));
    }

    /// Ends a watch. Whether there was one.
    pub(super) fn unwatch(&mut self, request: RequestId, channel_id: ChannelId, out: &mut Vec<Effect>) -> bool {
        let Some(place) = self.places.find_watched(channel_id) else {
            return false;
        };
        self.give_up_watch(place, out);
        out.push(Effect::Send(Answer::Detached { request, channel_id }));
        true
    }

    /// Who waits at a place for the answer to a request: an answer may come to where somebody else was before.
    fn asked_at(&mut self, place: Place, request: RequestId) -> Option<&mut Watching> {
        let watching = self.places.watching_mut(place)?;
        let at = watching.asked.iter().position(|asked| *asked == request)?;
        watching.asked.remove(at);
        Some(watching)
    }

    /// Ends a watch. What was asked about it and is not answered will not be.
    fn give_up_watch(&mut self, place: Place, out: &mut Vec<Effect>) {
        let held = self.places.take(place);
        out.push(Effect::Unwatch { place });
        if let Some(Held::Watched(watching)) = held {
            let refusal = Refusal::NotAttached;
            out.extend(watching.asked.into_iter().map(|request| {
                let refusal = refusal.clone();
                Effect::Send(Answer::Refused { request, refusal })
            }));
        }
    }

    /// Leaves whatever the grant does not cover any more.
    pub(super) fn withdraw_presence(&mut self, out: &mut Vec<Effect>) {
        let entered: Option<Vec<_>> = self
            .beside
            .as_ref()
            .map(|beside| beside.presence.entered.keys().cloned().collect());
        for channel in entered.unwrap_or_default() {
            if !self.allows(&channel, Operation::Presence) {
                self.take_out(channel, out);
            }
        }
        let watched = self.places.watched();
        let watched = watched.map(|(place, one)| (place, one.channel_id, one.channel.clone()));
        for (place, channel_id, channel) in watched.collect::<Vec<_>>() {
            if self.allows(&channel, Operation::Presence) {
                continue;
            }
            self.give_up_watch(place, out);
            if let Some(channel_id) = channel_id {
                let action = "watch the presence of";
                let refusal = Refusal::Forbidden { action, channel };
                out.push(Effect::Send(Answer::Withdrawn { channel_id, refusal }));
                let request = RequestId(0);
                out.push(Effect::Send(Answer::Detached { request, channel_id }));
            }
        }
    }

    /// Takes the client out of a channel. What it asked there and nobody has answered is refused, and after it was told so: an
    /// answer that comes later would say that it is there.
    fn take_out(&mut self, channel: ChannelName, out: &mut Vec<Effect>) {
        let Some(Beside { presence, .. }) = self.beside.as_deref_mut() else {
            return;
        };
        presence.entered.remove(&channel);
        let is_given_up = |asked: &mut Asked| asked.channel == channel && asked.what != What::Leave;
        let given_up: Vec<_> = presence.asked.extract_if(.., is_given_up).collect();
        let refusal = Refusal::Forbidden {
            action: "be in the presence of",
            channel: channel.clone(),
        };
        // One that has not heard that it is there learns from the refusal that it is not.
        if given_up.iter().all(|asked| asked.what != What::Enter) {
            out.push(Effect::Send(Answer::TakenOut {
                channel: channel.clone(),
                refusal: refusal.clone(),
            }));
        }
        out.extend(given_up.into_iter().map(|Asked { request, .. }| {
            let refusal = refusal.clone();
            Effect::Send(Answer::Refused { request, refusal })
        }));
        let request = RequestId(0); // nobody asked
        out.push(Effect::LeavePresence { request, channel });
    }

    /// What entering and watching need alike: a namespace, the right, and a moderate pace.
    fn admit(&mut self, channel: &ChannelName, action: &'static str, now: Instant) -> Result<Settings, Refusal> {
        let namespace = self.settings.namespaces.of(channel);
        let settings = namespace
            .ok_or_else(|| Refusal::UnknownNamespace(channel.clone()))?
            .presence;
        if !self.allows(channel, Operation::Presence) {
            let channel = channel.clone();
            return Err(Refusal::Forbidden { action, channel });
        }
        let interval = self.settings.presence_interval;
        let taken = self.beside.get_or_insert_default().presence.rate.take(interval, now);
        taken.map_err(|retry_after| Refusal::RateLimited {
            limit: Limit::PresenceRate,
            retry_after,
        })?;
        Ok(settings)
    }
}
