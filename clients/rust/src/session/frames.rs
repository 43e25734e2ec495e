//! What the server sent, and whose business it is.

use std::time::{Duration, Instant};

use starling_protocol::v1::server_frame::Body;
use starling_protocol::v1::{self};

use super::{Effect, Ending, Phase, Request, Session, Turn, Violation};
use crate::Refusal;

impl Session {
    /// A frame came, with a body of so many bytes.
    pub(super) fn frame(&mut self, frame: Body, bytes: usize, now: Instant, effects: &mut Vec<Effect>) {
        let outcome = match (&mut self.phase, frame) {
            (Phase::Greeting { .. } | Phase::Open(_), Body::Goodbye(goodbye)) => {
                self.lost(Ending::from_wire(goodbye), now, effects);
                Ok(())
            }
            (Phase::Greeting { .. }, Body::Welcome(welcome)) => self.welcomed(welcome, now, effects),
            (Phase::Greeting { .. }, _) => Err(Violation("a frame before welcome")),
            (Phase::Open(open), frame) => {
                open.alive.heard(now);
                if !matches!(frame, Body::Pong(_)) {
                    open.alive.flowed(now);
                }
                self.open_frame(frame, bytes, now, effects)
            }
            // Of a connection that was given up.
            (Phase::New | Phase::Asking | Phase::Dialing | Phase::Waiting { .. } | Phase::Closed, _) => Ok(()),
        };
        if let Err(violation) = outcome {
            self.violated(violation.0, now, effects);
        }
    }

    /// Ephemeral states came in a datagram. Of a watch that has just ended, or is not known to have begun, they mean nothing.
    pub(super) fn datagram(&mut self, frame: v1::Ephemerals, now: Instant, effects: &mut Vec<Effect>) {
        let Phase::Open(open) = &mut self.phase else { return };
        open.alive.heard(now);
        let mut turn = Turn {
            now,
            effects,
            common: &mut self.common,
        };
        if let Ok(Some(roster)) = self.presence.watches().route(frame.channel_id) {
            // What is wrong in it is not worth a connection.
            let _understood = roster.ephemerals(frame, &mut turn);
        }
    }

    fn open_frame(
        &mut self,
        frame: Body,
        bytes: usize,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Violation> {
        let mut turn = Turn {
            now,
            effects,
            common: &mut self.common,
        };
        match frame {
            Body::Publication(frame) => {
                turn.common.clock(frame.time_ms);
                let channel = self.subscriptions.route(frame.channel_id)?;
                channel.map_or(Ok(()), |channel| channel.publication(frame, &mut turn))
            }
            Body::Page(frame) => {
                frame.entries.iter().for_each(|entry| turn.common.clock(entry.time_ms));
                let credit = turn.common.credit.received(bytes)?;
                match self.subscriptions.route(frame.channel_id)? {
                    Some(channel) => channel.page(frame, credit, &mut turn)?,
                    None => turn.common.credit.give_back(credit),
                }
                Ok(())
            }
            Body::Snapshot(frame) => {
                let credit = turn.common.credit.received(bytes)?;
                match self.subscriptions.route(frame.channel_id)? {
                    Some(channel) => channel.snapshot(frame, credit, &mut turn)?,
                    None => turn.common.credit.give_back(credit),
                }
                Ok(())
            }
            Body::Skipped(frame) => {
                let channel = self.subscriptions.route(frame.channel_id)?;
                channel.map_or(Ok(()), |channel| channel.skipped(&frame, &mut turn))
            }
            Body::Lagged(frame) => {
                let channel = self.subscriptions.route(frame.channel_id)?;
                channel.map_or(Ok(()), |channel| channel.lagged(&frame, &mut turn))
            }
            Body::Discontinuity(frame) => self.subscriptions.discontinued(frame, &mut turn),
            Body::Attached(frame) => match turn.common.requests.answered(frame.request) {
                Some(Request::Attach(id)) => self.subscriptions.attached(id, frame, &mut turn),
                _ => Err(Violation("attached, in answer to nothing")),
            },
            Body::Detached(frame) => {
                let asked = turn.common.requests.answered(frame.request);
                if frame.request != 0 && asked != Some(Request::Detach(frame.channel_id)) {
                    return Err(Violation("detached, in answer to nothing"));
                }
                match self.presence.watches().knows(frame.channel_id) {
                    true => self.presence.watches().left(frame.channel_id, &mut turn),
                    false => self.subscriptions.left(frame.channel_id, &mut turn),
                }
                Ok(())
            }
            Body::Ack(frame) => {
                turn.common.clock(frame.time_ms);
                match turn.common.requests.answered(frame.request) {
                    Some(Request::Publish { channel, serial }) if serial == frame.serial => {
                        self.publisher.ack(&channel, frame, &mut turn)
                    }
                    _ => Err(Violation("an ack that answers nothing")),
                }
            }
            Body::DocumentPart(_) | Body::DocumentSaved(_) | Body::DocumentOpened(_) | Body::DocumentRefused(_) => {
                Err(Violation("of a document, and this client opens none"))
            }
            Body::Error(frame) => self.error(frame, now, effects),
            Body::Ping(frame) => {
                turn.send(v1::Pong {
                    nonce: frame.nonce,
                    time_ms: 0,
                });
                Ok(())
            }
            Body::Pong(frame) => {
                turn.common.clock(frame.time_ms);
                if let Phase::Open(open) = &mut self.phase {
                    open.alive.pong(frame.nonce, now);
                }
                Ok(())
            }
            Body::Refreshed(frame) => match turn.common.requests.answered(frame.request) {
                Some(Request::Refresh) => {
                    self.expires(frame.expires_ms, now);
                    Ok(())
                }
                _ => Err(Violation("refreshed, in answer to nothing")),
            },
            Body::Entered(frame) => match turn.common.requests.answered(frame.request) {
                Some(Request::Enter(id)) => {
                    self.presence.entered(id, &mut turn);
                    Ok(())
                }
                _ => Err(Violation("entered, in answer to nothing")),
            },
            Body::Left(frame) => match turn.common.requests.answered(frame.request) {
                Some(Request::Leave(id)) => {
                    self.presence.left(id, &mut turn);
                    Ok(())
                }
                _ => Err(Violation("left, in answer to nothing")),
            },
            Body::Watched(frame) => match turn.common.requests.answered(frame.request) {
                Some(Request::Watch(id)) => self.presence.watched(id, &frame, &mut turn),
                _ => Err(Violation("watched, in answer to nothing")),
            },
            Body::Roster(frame) => {
                let roster = self.presence.watches().route(frame.channel_id)?;
                roster.map_or(Ok(()), |roster| roster.part(frame, &mut turn))
            }
            Body::PresenceChanges(frame) => {
                let roster = self.presence.watches().route(frame.channel_id)?;
                roster.map_or(Ok(()), |roster| roster.changes(frame, &mut turn))
            }
            Body::Occupancy(frame) => {
                if let Some(roster) = self.presence.watches().route(frame.channel_id)? {
                    roster.occupancy(&frame, &mut turn);
                }
                Ok(())
            }
            Body::Certainty(frame) => {
                if let Some(roster) = self.presence.watches().route(frame.channel_id)? {
                    roster.certainty(frame, &mut turn);
                }
                Ok(())
            }
            Body::Ephemerals(frame) => {
                let roster = self.presence.watches().route(frame.channel_id)?;
                roster.map_or(Ok(()), |roster| roster.ephemerals(frame, &mut turn))
            }
            Body::Welcome(_) => Err(Violation("a second welcome")),
            Body::Goodbye(_) => Ok(()),
        }
    }

    /// A request was refused, or a channel has a fault.
    fn error(&mut self, frame: v1::Error, now: Instant, effects: &mut Vec<Effect>) -> Result<(), Violation> {
        let mut turn = Turn {
            now,
            effects,
            common: &mut self.common,
        };
        if frame.request == 0 {
            let channel_id = frame.channel_id;
            let channel = frame.channel.clone();
            let refusal = Refusal::from_wire(frame);
            if !channel.is_empty() {
                self.presence.taken_out(&channel, refusal, &mut turn);
            } else if channel_id == 0 {
                tracing::warn!(%refusal, "the server reports a fault of the session");
            } else if self.presence.watches().knows(channel_id) {
                self.presence.watches().faulted(channel_id, refusal, &mut turn);
            } else {
                self.subscriptions.faulted(channel_id, refusal, &mut turn);
            }
            return Ok(());
        }
        match turn.common.requests.answered(frame.request) {
            Some(Request::Publish { channel, serial }) => self.publisher.refused(&channel, serial, frame, &mut turn),
            Some(Request::Attach(id)) => self.subscriptions.refused(id, Refusal::from_wire(frame), &mut turn),
            // Not attached is what was wanted.
            Some(Request::Detach(channel_id)) if self.presence.watches().knows(channel_id) => {
                self.presence.watches().left(channel_id, &mut turn);
            }
            Some(Request::Detach(channel_id)) => self.subscriptions.left(channel_id, &mut turn),
            Some(request @ (Request::Enter(_) | Request::Leave(_) | Request::Watch(_))) => {
                self.presence.refused(request, Refusal::from_wire(frame), &mut turn);
            }
            Some(Request::Refresh) => {
                tracing::warn!(refusal = %Refusal::from_wire(frame), "the server did not take the new token");
                self.refresh_refused();
            }
            None => return Err(Violation("an error that answers nothing")),
        }
        Ok(())
    }
}

impl Ending {
    /// A connection that ended without a word from the server.
    pub(super) fn because(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            ..Self::default()
        }
    }

    fn from_wire(goodbye: v1::Goodbye) -> Self {
        Self {
            code: u16::try_from(goodbye.code).ok(),
            reason: goodbye.reason,
            retry_after: (goodbye.retry_after_ms > 0).then(|| Duration::from_millis(goodbye.retry_after_ms.into())),
            alternates: goodbye.alternates,
        }
    }
}
