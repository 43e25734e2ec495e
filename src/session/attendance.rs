//! Where the client of a session is, and what it watches: from the session to the shards of presence, and from their boards
//! to the connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use starling_core::id::{ChannelName, SlotId, Subject, slot_of};
use starling_core::presence::message::Ephemeral;
use starling_core::presence::shard::Input as ShardInput;
use starling_core::presence::{Client, ClientId, ConnectionId, Mode, gateway, watch};
use starling_core::session::Place;
use starling_core::session::request::RequestId;

use super::deliver::Room;
use super::task::Task;
use super::view::{Step, View, Writing};
use super::{Beginning, Mailbox};
use crate::actor::presence::{Message, ShardId, Watcher, WatcherId};
use crate::actor::registry::Registry;
use crate::actor::reply::Reply;
use crate::metrics::FrameKind;
use crate::transport::Connection;

/// What a session has to do with presence. However the session ends, its entries and watches end with it.
pub(super) struct Attendance {
    registry: Registry,
    mailbox: Arc<Mailbox>,
    connection: ConnectionId,
    client: Client,
    /// A bit for each shard that knows of this connection.
    shards: u32,
    how: gateway::End,
    /// By how much too late the end was noticed.
    late: Duration,
    watches: u32,
    seats: BTreeMap<u8, Seat>,
}

/// A channel that is watched.
struct Seat {
    channel: ChannelName,
    slot: SlotId,
    watcher: Watcher,
    view: Option<View>,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        for seat in std::mem::take(&mut self.seats).into_values() {
            self.tell_unwatch(&seat);
        }
        let (connection, how, late) = (self.connection, self.how, self.late);
        for shard in ShardId::all().filter(|shard| self.shards >> shard.0 & 1 == 1) {
            let ended = ShardInput::Client(gateway::Input::Ended { connection, how, late });
            // There is one for each shard and session: it takes no room.
            let _ = self.registry.presence(shard).post_single(Message::Happened(ended));
        }
    }
}

impl Attendance {
    fn new(registry: Registry, mailbox: Arc<Mailbox>, number: u64, client: Client) -> Self {
        Self {
            registry,
            mailbox,
            connection: ConnectionId(number),
            client,
            shards: 0,
            how: gateway::End::Lost,
            late: Duration::ZERO,
            watches: 0,
            seats: BTreeMap::new(),
        }
    }

    /// As whom others see its client.
    pub(super) const fn shown_as(&self) -> ClientId {
        self.client.id
    }

    /// The session is about to end like this. Otherwise it was lost.
    pub(super) const fn ends(&mut self, how: gateway::End) {
        self.how = how;
    }

    /// That it ends is noticed so much too late.
    pub(super) const fn is_late(&mut self, late: Duration) {
        self.late = late;
    }

    pub(super) fn enter(&mut self, request: RequestId, channel: ChannelName, state: Bytes) -> Request {
        let slot = self.slot(&channel);
        let shard = ShardId::of(slot);
        self.shards |= 1 << shard.0;
        let input = gateway::Input::Enter {
            connection: self.connection,
            client: self.client.clone(),
            channel,
            slot,
            state,
        };
        let to = Reply::to_presence(Arc::clone(&self.mailbox), request);
        (shard, Message::Asked { to, input })
    }

    pub(super) fn leave_channel(&self, request: RequestId, channel: ChannelName) -> Request {
        let shard = ShardId::of(self.slot(&channel));
        let connection = self.connection;
        let input = gateway::Input::Leave { connection, channel };
        let to = Reply::to_presence(Arc::clone(&self.mailbox), request);
        (shard, Message::Asked { to, input })
    }

    /// Passes an ephemeral state on, if there is room.
    pub(super) fn pass(&self, channel: ChannelName, ephemeral: Ephemeral) {
        let shard = ShardId::of(self.slot(&channel));
        let input = gateway::Input::Ephemeral {
            connection: self.connection,
            channel,
            ephemeral,
        };
        let message = Message::Happened(ShardInput::Client(input));
        let _ = self.registry.presence(shard).try_send(message, 1); // the next is on its way
    }

    pub(super) fn watch(&mut self, request: RequestId, place: Place, channel: ChannelName, mode: Mode) -> Request {
        let slot = self.slot(&channel);
        let seat = self.seats.entry(place.0).or_insert_with(|| {
            self.watches = self.watches.wrapping_add(1);
            let id = WatcherId {
                session: self.connection.0,
                watch: self.watches,
            };
            Seat {
                channel: channel.clone(),
                slot,
                watcher: Watcher::session(id, Arc::clone(&self.mailbox), place),
                view: None,
            }
        });
        let message = Message::Watch {
            to: Reply::to_watch(Arc::clone(&self.mailbox), request, place),
            watcher: seat.watcher.clone(),
            channel,
            slot,
            mode,
        };
        (ShardId::of(slot), message)
    }

    pub(super) fn unwatch(&mut self, place: Place) {
        if let Some(seat) = self.seats.remove(&place.0) {
            self.tell_unwatch(&seat);
        }
    }

    /// A channel is shown from the beginning, its ephemeral states perhaps in datagrams.
    pub(super) fn begin(&mut self, beginning: Beginning, by_datagram: bool) {
        let Beginning {
            place,
            watch,
            board,
            at,
            whole,
            certainty,
        } = beginning;
        let Some(seat) = self
            .seats
            .get_mut(&place.0)
            .filter(|seat| seat.watcher.id.watch == watch)
        else {
            return;
        };
        let listener = board.join(Arc::clone(&self.mailbox), place, by_datagram);
        seat.view = Some(View {
            board,
            listener,
            by_datagram,
            whole,
            certainty: Some(certainty),
            sent: 0,
            at,
            is_lost: false,
        });
    }

    /// Asks for the whole again. Whether the shard had room for that.
    fn again(&self, place: Place) -> bool {
        let Some(seat) = self.seats.get(&place.0) else {
            return true;
        };
        let again = watch::Input::Again {
            watcher: seat.watcher.clone(),
            channel: seat.channel.clone(),
        };
        let message = Message::Happened(ShardInput::Watcher(again));
        self.registry
            .presence(ShardId::of(seat.slot))
            .try_send(message, 1)
            .is_ok()
    }

    fn tell_unwatch(&self, seat: &Seat) {
        seat.watcher.give_up();
        let unwatch = watch::Input::Unwatch {
            watcher: seat.watcher.clone(),
            channel: seat.channel.clone(),
        };
        let message = Message::Happened(ShardInput::Watcher(unwatch));
        // There is one for each watch, whose request took room.
        let _ = self.registry.presence(ShardId::of(seat.slot)).post_single(message);
    }

    fn slot(&self, channel: &ChannelName) -> SlotId {
        slot_of(channel, self.registry.services().slots)
    }
}

/// A request of a session to a shard.
pub(super) type Request = (ShardId, Message);

/// What others see of a client: nobody finds the secret by it.
fn shown(subject: &Subject, secret: &[u8; 16]) -> ClientId {
    let mut context = Context::new(&SHA256);
    context.update(b"starling presence client");
    context.update(secret);
    context.update(subject.as_str().as_bytes());
    let digest = context.finish();
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_ref()[..16]);
    ClientId(id)
}

impl<C: Connection> Task<C> {
    /// What the session has to do with presence, from now on: most have nothing.
    pub(super) fn attend(&mut self) -> &mut Attendance {
        let Self {
            beside,
            registry,
            mailbox,
            number,
            rules,
            secret,
            ..
        } = self;
        let attendance = &mut beside.get_or_insert_default().attendance;
        attendance.get_or_insert_with(|| {
            let subject = rules.subject();
            // One that brings nothing is somebody new each time.
            let secret = secret.take().map_or_else(rand::random, |secret| *secret);
            let client = Client {
                id: shown(&subject, &secret),
                subject,
            };
            Attendance::new(registry.clone(), Arc::clone(mailbox), *number, client)
        })
    }

    /// Queues what is due of the presence that is watched at `place`; `None` if nothing is.
    pub(super) fn step_presence(&mut self, place: Place) -> Option<Room> {
        let attendance = self.beside.as_mut()?.attendance.as_mut()?;
        let view = attendance.seats.get_mut(&place.0)?.view.as_mut();
        let Some(view) = view.filter(|view| !view.is_lost) else {
            return Some(Room::Left);
        };
        let mut writing = Writing {
            connection: &mut self.connection,
            room: self.services.send_queue,
            frames: (0, 0),
            datagrams: (0, 0),
        };
        let done = view.write(&mut writing);
        let Writing { frames, datagrams, .. } = writing;
        let metrics = &self.services.metrics;
        metrics.sent(FrameKind::Presence, C::TRANSPORT, frames.0, frames.1);
        metrics.datagrams_sent(datagrams.0, datagrams.1);
        match done {
            Step::Done => return Some(Room::Left),
            Step::Full => return Some(Room::None),
            Step::Lost => {}
        }
        let is_asked = attendance.again(place);
        if let Some(view) = attendance.seats.get_mut(&place.0).and_then(|seat| seat.view.as_mut()) {
            view.is_lost = is_asked;
        }
        match is_asked {
            true => self.services.metrics.slow("shown_again"),
            false => self.retry_later(place), // the shard has no room
        }
        Some(Room::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_client_is_bound_to_its_subject_and_tells_nothing() {
        let (anna, bert) = (Subject::new("anna"), Subject::new("bert"));
        let of_anna = shown(&anna, &[7; 16]);
        assert_eq!(of_anna, shown(&anna, &[7; 16]), "the same over its reconnects");
        assert_ne!(
            of_anna,
            shown(&bert, &[7; 16]),
            "a secret that was stolen is no way to be somebody else"
        );
        assert_ne!(of_anna, shown(&anna, &[8; 16]));
        assert_ne!(of_anna.0, [7; 16]);
    }
}
