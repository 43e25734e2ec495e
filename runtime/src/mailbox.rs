//! A bound for ractor's unbounded mailboxes.
//!
//! Who sends takes a [`Permit`] from a semaphore of known size; the permit travels inside the
//! [`Envelope`] and is given back when whoever holds it lets go. An actor that passes work on hands
//! the permit on with it, so the room stays taken until the whole way is done, and the answer that
//! comes back needs no room of its own: it can neither be refused nor lost.
//!
//! Edges wait for room ([`Address::send`]): a client's stream is then not read, and flow control
//! does the rest. Actors never wait for one another: they use [`Address::try_send`] and decide what
//! a full mailbox means.

use std::sync::Arc;

use ractor::{ActorId, ActorRef};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Room in a mailbox, taken until it is dropped. `None` is the room of messages that are bounded
/// by construction (one timer, one shutdown).
#[derive(Debug)]
pub struct Permit {
    _room: Option<OwnedSemaphorePermit>,
}

/// A message and the room it takes.
#[derive(Debug)]
pub struct Envelope<M> {
    /// What is to be done.
    pub message: M,
    /// Hand it on with the work, or drop it when the work is done.
    pub permit: Permit,
}

/// Why a message was not taken. It comes back with the error.
#[derive(Debug, Error)]
pub enum SendError<M> {
    /// The mailbox holds as much as it may.
    #[error("mailbox is full; try again")]
    Full(M),
    /// The actor is retiring: it is about to be forgotten, in the turn it is in.
    #[error("actor is retiring; look it up again")]
    Closed(M),
    /// The actor has stopped, in order or not.
    #[error("actor has stopped; look it up again")]
    Gone(M),
}

/// The bound of one mailbox. Made before its actor, which needs it to know its own address.
#[derive(Debug, Clone)]
pub struct Room {
    permits: Arc<Semaphore>,
    size: u32,
}

impl Room {
    /// Room for `size` messages.
    #[must_use]
    pub fn new(size: u32) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size as usize)),
            size,
        }
    }
}

/// How others reach an actor. Cheap to clone.
#[derive(Debug)]
pub struct Address<M: Send + 'static> {
    actor: ActorRef<Envelope<M>>,
    room: Room,
}

impl<M: Send + 'static> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            room: self.room.clone(),
        }
    }
}

impl<M: Send + 'static> Address<M> {
    /// The address of `actor`, whose mailbox is bounded by `room`.
    #[must_use]
    pub const fn new(actor: ActorRef<Envelope<M>>, room: Room) -> Self {
        Self { actor, room }
    }

    /// Sends once there is room for `count` messages, which this one stands for.
    ///
    /// # Errors
    /// [`SendError::Closed`] or [`SendError::Gone`].
    pub async fn send(&self, message: M, count: u32) -> Result<(), SendError<M>> {
        match Arc::clone(&self.room.permits).acquire_many_owned(count).await {
            Ok(room) => self.post(message, Permit { _room: Some(room) }),
            Err(_closed) => Err(SendError::Closed(message)),
        }
    }

    /// Sends if there is room for `count` messages, which this one stands for.
    ///
    /// # Errors
    /// Any [`SendError`].
    pub fn try_send(&self, message: M, count: u32) -> Result<(), SendError<M>> {
        match Arc::clone(&self.room.permits).try_acquire_many_owned(count) {
            Ok(room) => self.post(message, Permit { _room: Some(room) }),
            Err(TryAcquireError::NoPermits) => Err(SendError::Full(message)),
            Err(TryAcquireError::Closed) => Err(SendError::Closed(message)),
        }
    }

    /// Sends in room that is already taken: an answer to work that came with `permit`.
    ///
    /// # Errors
    /// [`SendError::Gone`] when the actor has stopped.
    pub fn post(&self, message: M, permit: Permit) -> Result<(), SendError<M>> {
        self.actor
            .cast(Envelope { message, permit })
            .map_err(|error| match error {
                ractor::MessagingErr::SendErr(envelope) => SendError::Gone(envelope.message),
                ractor::MessagingErr::ChannelClosed | ractor::MessagingErr::InvalidActorType => {
                    unreachable!("a cast to an actor of this type either sends or returns the message")
                }
            })
    }

    /// Sends a message of which there is never more than one: it takes no room.
    ///
    /// # Errors
    /// [`SendError::Gone`] when the actor has stopped.
    pub fn post_single(&self, message: M) -> Result<(), SendError<M>> {
        self.post(message, Permit { _room: None })
    }

    /// Stops taking messages, if none is queued or being worked on. From then on every send answers
    /// [`SendError::Closed`], so whoever still holds the address looks the actor up again.
    #[must_use]
    pub fn close_if_idle(&self) -> bool {
        let Room { permits, size } = &self.room;
        let Ok(all) = permits.try_acquire_many(*size) else {
            return false;
        };
        permits.close();
        all.forget();
        true
    }

    /// Messages queued or being worked on.
    #[must_use]
    pub fn depth(&self) -> usize {
        (self.room.size as usize).saturating_sub(self.room.permits.available_permits())
    }

    /// Which actor it reaches.
    #[must_use]
    pub fn id(&self) -> ActorId {
        self.actor.get_id()
    }

    /// Stops the actor after the message it is working on.
    pub fn stop(&self, reason: &str) {
        self.actor.stop(Some(reason.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use ractor::{Actor, ActorProcessingErr};
    use tokio::sync::mpsc;

    use super::*;

    /// Hands every envelope to the test, which thereby holds its permit.
    struct Recorder;

    impl Actor for Recorder {
        type Msg = Envelope<u32>;
        type State = mpsc::Sender<Envelope<u32>>;
        type Arguments = mpsc::Sender<Envelope<u32>>;

        async fn pre_start(
            &self,
            _: ActorRef<Self::Msg>,
            seen: Self::Arguments,
        ) -> Result<Self::State, ActorProcessingErr> {
            Ok(seen)
        }

        async fn handle(
            &self,
            _: ActorRef<Self::Msg>,
            envelope: Self::Msg,
            seen: &mut Self::State,
        ) -> Result<(), ActorProcessingErr> {
            seen.send(envelope).await.map_err(Into::into)
        }
    }

    async fn recorder(size: u32) -> (Address<u32>, mpsc::Receiver<Envelope<u32>>) {
        let (sender, seen) = mpsc::channel(16);
        let (actor, _) = Actor::spawn(None, Recorder, sender).await.expect("starts");
        (Address::new(actor, Room::new(size)), seen)
    }

    #[tokio::test]
    async fn room_is_taken_until_the_permit_is_dropped() {
        let (address, mut seen) = recorder(2).await;
        address.send(1, 1).await.expect("room for one");
        address.try_send(2, 1).expect("room for two");
        assert!(matches!(address.try_send(3, 1), Err(SendError::Full(3))));
        let first = seen.recv().await.expect("delivered");
        assert!(
            matches!(address.try_send(3, 1), Err(SendError::Full(3))),
            "still being worked on"
        );
        drop(first);
        address.try_send(3, 1).expect("room again");
        assert_eq!(address.depth(), 2);
    }

    #[tokio::test]
    async fn a_message_that_stands_for_several_takes_the_room_of_all() {
        let (address, mut seen) = recorder(4).await;
        address.try_send(1, 3).expect("room for three");
        assert!(matches!(address.try_send(2, 2), Err(SendError::Full(2))));
        address.try_send(3, 1).expect("room for one more");
        drop(seen.recv().await);
        assert_eq!(address.depth(), 1, "all three are given back at once");
        address.send(4, 3).await.expect("room again");
    }

    #[tokio::test]
    async fn an_answer_travels_in_the_room_of_its_question() {
        let (address, mut seen) = recorder(1).await;
        address.send(1, 1).await.expect("room");
        let question = seen.recv().await.expect("delivered");
        address.post(2, question.permit).expect("needs no room");
        let answer = seen.recv().await.expect("delivered");
        assert_eq!((answer.message, address.depth()), (2, 1));
        drop(answer);
        assert_eq!(address.depth(), 0);
    }

    #[tokio::test]
    async fn an_idle_mailbox_closes_and_a_busy_one_does_not() {
        let (address, mut seen) = recorder(2).await;
        address.send(1, 1).await.expect("room");
        assert!(!address.close_if_idle());
        drop(seen.recv().await);
        assert!(address.close_if_idle());
        assert!(matches!(address.try_send(2, 1), Err(SendError::Closed(2))));
        assert!(matches!(address.send(2, 1).await, Err(SendError::Closed(2))));
    }
}
