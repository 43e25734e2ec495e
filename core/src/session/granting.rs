//! What a session may do, over its life: a grant ends, and a new token may go on from it.

use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::request::RequestId;
use super::turn::Effect;
use super::{ChannelId, Place, Session};
use crate::access::{Grant, Operation};
use crate::channel::Refusal;
use crate::id::ChannelName;
use crate::time::Now;

impl Session {
    /// Holds a grant from now on. Its end is fixed to the clock that does not step: whoever sets the wall
    /// clock back does not make tokens longer.
    pub(super) fn hold(&mut self, grant: Arc<Grant>, now: Now) {
        self.grant_ends = grant.expires.and_then(|expires| {
            let left = Duration::from_millis(expires.0.saturating_sub(now.wall.0));
            let end = now.instant.checked_add(left)?;
            end.checked_add(self.settings.token_leeway)
        });
        self.grant = Some(grant);
    }

    /// A new token was checked.
    pub(super) fn reauthenticated(
        &mut self,
        request: RequestId,
        verdict: Result<Arc<Grant>, String>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let is_same = |grant: &Grant| self.grant.as_ref().is_some_and(|held| held.subject == grant.subject);
        let verdict = match verdict {
            Ok(grant) if is_same(&grant) => Ok(grant),
            // What this session published and what it was told stay those of whom it began as.
            Ok(_) => Err("the new token names another subject, and a session keeps its own; the old token holds on, connect again to change the subject".to_owned()),
            Err(why) => Err(why),
        };
        match verdict {
            Ok(grant) => {
                let expires = grant.expires;
                self.hold(grant, now);
                out.push(Effect::Send(Answer::Refreshed { request, expires }));
                self.withdraw(out);
            }
            Err(why) => out.push(Effect::Send(Answer::Refused {
                request,
                refusal: Refusal::Unauthorized(why),
            })),
        }
    }

    /// Leaves the channels that the grant does not cover any more.
    fn withdraw(&mut self, out: &mut Vec<Effect>) {
        self.withdraw_presence(out);
        self.withdraw_documents(out);
        let held: Vec<_> = self
            .places
            .held()
            .map(|(place, one)| (place, one.channel_id, one.channel.clone()))
            .collect();
        for (place, channel_id, channel) in held {
            let reads_history = self.allows(&channel, Operation::History);
            if !self.allows(&channel, Operation::Subscribe) {
                self.withdraw_one(place, channel_id, forbidden("subscribe to", channel), out);
            } else if let Some(subscription) = self.places.get_mut(place)
                && !subscription.limit(reads_history)
            {
                // It is still on its way through the past. It may attach again, at the head.
                self.withdraw_one(place, channel_id, forbidden("read the history of", channel), out);
            }
        }
    }

    fn withdraw_one(&mut self, place: Place, channel_id: ChannelId, refusal: Refusal, out: &mut Vec<Effect>) {
        self.vacate(place, out);
        out.push(Effect::Send(Answer::Withdrawn { channel_id, refusal }));
        let request = RequestId(0); // nobody asked
        out.push(Effect::Send(Answer::Detached { request, channel_id }));
    }
}

const fn forbidden(action: &'static str, channel: ChannelName) -> Refusal {
    Refusal::Forbidden { action, channel }
}
