//! The turn of a channel.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use starling_core::channel::{Channel, Durability, Effect, Input, Page, Proposal, Refusal, Request, View};
use starling_core::id::{ChannelName, Position};
use starling_core::slot::StoreFailure;
use starling_runtime::mailbox::{Address, Envelope, Permit, Room};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Message;
use super::feeding::Feeding;
use super::followers::Followers;
use crate::actor::alarm::Rings;
use crate::actor::registry::Registry;
use crate::actor::reply::Reply;
use crate::actor::slot::{self, Route};
use crate::fanout::EncodedPage;
use crate::storage::{PageFailure, Wanted};

/// See [the module](super).
pub struct ChannelActor;

/// What a channel starts with.
pub struct Arguments {
    /// Which.
    pub channel: ChannelName,
    /// Where the rest of the node is found.
    pub registry: Registry,
    /// The bound of its mailbox.
    pub room: Room,
    /// Its slot.
    pub slot: Address<slot::Message>,
}

/// What a channel is while it runs.
pub struct State {
    standing: Standing,
    effects: Vec<Effect<Reply>>,
    feeding: Feeding,
    followers: Followers,
    used: Instant,
    channel: ChannelName,
    registry: Registry,
    me: Address<Message>,
    slot: Address<slot::Message>,
}

/// Whether the channel can be worked on.
#[expect(clippy::large_enum_variant, reason = "one for each actor, and nearly all are open")]
enum Standing {
    Open(Channel<Reply>),
    /// It is set aside, its slot is gone, or it has retired: all who ask are refused.
    Closed(Refusal),
    /// Another node owns it: what is asked is passed on to the relay that has taken this one's place.
    Moved,
}

impl Actor for ChannelActor {
    type Msg = Envelope<Message>;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, me: ActorRef<Self::Msg>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let Arguments {
            channel,
            registry,
            room,
            slot,
        } = arguments;
        let (reply, opening) = oneshot::channel();
        let open = slot::Message::Open {
            channel: channel.clone(),
            reply,
        };
        // Once per actor, so it needs no room.
        let _ = slot.post_single(open);
        let services = registry.services();
        let now = services.clock.now().instant;
        let standing = match opening.await {
            Ok(Ok(opening)) => {
                let config = services.settings.namespaces.channel(&channel).clone();
                // Loading took time.
                let now = if config.durability == Durability::Stored {
                    services.clock.now().instant
                } else {
                    now
                };
                Standing::Open(Channel::new(channel.clone(), config, *opening, now))
            }
            Ok(Err(refusal)) => Standing::Closed(refusal),
            Err(_) => Standing::Closed(Refusal::Unavailable),
        };
        let feeding = match &standing {
            Standing::Open(rules) => Feeding::resume(&channel, rules.view(), services),
            Standing::Closed(refusal) => Feeding::wait(&channel, refusal, services),
            Standing::Moved => unreachable!("it has just started"),
        };
        let state = State {
            standing,
            effects: Vec::new(),
            feeding,
            followers: Followers::new(&channel, registry.peers().cloned(), Arc::clone(&services.metrics)),
            used: Instant::now(),
            channel,
            registry,
            me: Address::new(me, room),
            slot,
        };
        state.look_later();
        Ok(state)
    }

    async fn handle(
        &self,
        me: ActorRef<Self::Msg>,
        envelope: Envelope<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Envelope { message, permit } = envelope;
        if matches!(state.standing, Standing::Moved) && message.is_request() {
            state.registry.pass_on(&state.channel, message, permit);
            return Ok(());
        }
        let input = match message {
            Message::Publish(publishes) => {
                state.turn(
                    publishes.into_iter().map(|publish| Request::Publish(publish).into()),
                    permit,
                );
                return Ok(());
            }
            Message::Skip(skip) => Request::Skip(skip).into(),
            Message::Attach { to, from } => Request::Attach { to, from }.into(),
            Message::Read { to, range } if to.wants_messages() => Request::Read { to, range }.into(),
            Message::Read { to, range } => match state.feeding.known_page(&range) {
                Some(page) => {
                    to.page(page);
                    return Ok(());
                }
                None => match state.feeding.join_fetch(&range, to, permit) {
                    None => return Ok(()),
                    Some((to, back)) => {
                        state.turn([Request::Read { to, range }.into()], back);
                        return Ok(());
                    }
                },
            },
            Message::Inspect { to, question } => Request::Inspect { to, question }.into(),
            Message::Committed { through, copies } => Input::Committed { through, copies },
            Message::Refused { reason, opening } => Input::Refused { reason, opening },
            Message::Standing(standing) => Input::Standing(standing),
            Message::Confirmed { through } => Input::Confirmed { through },
            Message::Closed { reason } => {
                state.close(reason);
                return Ok(());
            }
            Message::Fetched { wanted, page } => {
                state.fetched(&wanted, page);
                return Ok(());
            }
            Message::Left { gateway } => {
                state.followers.remove(&gateway);
                return Ok(());
            }
            Message::Notified { gateway } => {
                let head = state.head();
                state.followers.notified(&gateway, head.as_ref(), &state.me);
                return Ok(());
            }
            Message::Route(route) => {
                if route != Route::Here {
                    state.moved();
                    state.look(&me);
                }
                return Ok(());
            }
            // Said to a relay that was here before.
            Message::Told { .. } | Message::Reset | Message::Wake => return Ok(()),
            Message::Due => Input::Due {
                attended: state.is_attended(),
            },
            Message::Look => {
                state.look(&me);
                return Ok(());
            }
        };
        state.turn([input], permit);
        Ok(())
    }
}

impl State {
    /// Works off what came together: one proposal for all, one word to the readers.
    fn turn(&mut self, inputs: impl IntoIterator<Item = Input<Reply>>, permit: Permit) {
        let now = self.registry.services().clock.now();
        let mut effects = std::mem::take(&mut self.effects);
        for input in inputs {
            if !matches!(input, Input::Due { .. }) {
                self.used = Instant::from_std(now.instant);
            }
            match &mut self.standing {
                Standing::Open(rules) => rules.handle(input, now, &mut effects),
                Standing::Closed(refusal) => refuse(input, refusal),
                Standing::Moved => refuse(input, &Refusal::Moving),
            }
        }
        let mut proposals = Vec::new();
        let mut fetch = None;
        for effect in effects.drain(..) {
            match effect {
                Effect::Page {
                    to,
                    page: Page::Stored { .. },
                } if fetch.is_some() => to.refuse(Refusal::Busy), // one turn answers one read
                Effect::Page {
                    to,
                    page:
                        Page::Stored {
                            after,
                            through,
                            bytes_max,
                            messages_max,
                        },
                } => {
                    let wanted = Wanted {
                        channel: self.channel.clone(),
                        epoch: after.epoch,
                        after: after.seq,
                        through,
                        bytes_max,
                        messages_max,
                    };
                    fetch = Some((to, wanted));
                }
                effect => self.perform(effect, &mut proposals),
            }
        }
        self.effects = effects;
        self.feeding.tell();
        self.followers.tell(self.head().as_ref(), &self.me);
        if let Some((to, wanted)) = fetch {
            // In the room of the question, until the answer is back.
            match self.head().filter(|_| to.wants_messages()) {
                Some(head) => Feeding::read(to, permit, wanted, head, &self.me, &self.registry),
                None => self.feeding.fetch(to, permit, wanted, &self.me, &self.registry),
            }
        } else if !proposals.is_empty() {
            let propose = slot::Message::Propose {
                channel: self.channel.clone(),
                proposals,
            };
            // In the room of the message that caused it: it stays taken until the commit is back.
            // A slot that has stopped is started again by its supervisor, and this actor with it.
            let _ = self.slot.post(propose, permit);
        }
    }

    fn perform(&mut self, effect: Effect<Reply>, proposals: &mut Vec<Proposal>) {
        match effect {
            Effect::Propose(proposal) => proposals.push(proposal),
            Effect::Ack { to, ack } => to.acknowledge(ack),
            Effect::Refuse { to, refusal } => to.refuse(refusal),
            Effect::Attached { to, attachment } if to.gateway().is_some() => {
                // What it follows from is behind all that was fanned out in this turn.
                self.followers.tell(self.head().as_ref(), &self.me);
                self.followers.add(to.gateway());
                to.follows(attachment);
            }
            Effect::Attached { to, attachment } => {
                let feed = self.feeding.attend(&attachment.head);
                to.attached(feed, attachment);
            }
            Effect::Page { to, page } if to.wants_messages() => to.read(page),
            Effect::Page { to, page } => self.feeding.answer(to, page),
            Effect::Inspected { to, inspection } => to.inspected(inspection),
            Effect::FanOut(message) => {
                self.feeding.push(&message);
                self.followers.push(message);
            }
            Effect::Doubt { through } => {
                let channel = self.channel.clone();
                let _ = self.slot.post_single(slot::Message::Doubt { channel, through });
            }
            Effect::Used { at } => {
                let channel = self.channel.clone();
                let _ = self.slot.post_single(slot::Message::Used { channel, at });
            }
        }
    }

    /// It cannot be worked on any more: it is opened anew when it is wanted again.
    fn close(&mut self, reason: Refusal) {
        let closed = Standing::Closed(reason.clone());
        if let Standing::Open(rules) = std::mem::replace(&mut self.standing, closed) {
            for to in rules.into_waiting() {
                to.refuse(reason.clone());
            }
            self.look_later();
        }
    }

    /// Another node owns it. The readers here wait for the relay, and gateways attach there.
    fn moved(&mut self) {
        self.close(Refusal::Moving);
        self.standing = Standing::Moved;
        self.followers.end();
        self.feeding.let_go();
        self.registry.forget(&self.channel, self.me.id());
        if self.registry.services().gateway.find(&self.channel).is_some() {
            let _ = self.registry.channel(&self.channel);
        }
    }

    /// The newest message, if the channel can be worked on and has begun.
    fn head(&self) -> Option<Position> {
        match &self.standing {
            Standing::Open(rules) => rules.view().map(View::head_position),
            Standing::Closed(_) | Standing::Moved => None,
        }
    }

    /// Whether anybody follows the channel, here or at another gateway.
    fn is_attended(&self) -> bool {
        self.feeding.is_attended() || !self.followers.is_empty()
    }

    /// The store has answered a page.
    fn fetched(&mut self, wanted: &Wanted, page: Result<EncodedPage, PageFailure>) {
        let head = self.head();
        if let Err(PageFailure::Store(StoreFailure::Corrupt)) = page {
            let (channel, reason) = (self.channel.clone(), Refusal::Quarantined);
            tracing::error!(%channel, after = wanted.after.0, "the store is damaged here; channel set aside until the node restarts");
            let _ = self.slot.post_single(slot::Message::Quarantine { channel });
            self.close(reason);
        }
        self.feeding.fetched(wanted, page, head);
    }

    /// Lets go of the feed when nobody reads it, and of the actor when nobody uses it.
    fn look(&mut self, me: &ActorRef<Envelope<Message>>) {
        let services = self.registry.services();
        self.feeding.tidy(services.linger);
        let unused = self.used.elapsed() >= services.channel_idle && !self.is_attended();
        let idle = match &self.standing {
            Standing::Open(rules) => unused && rules.is_idle(),
            Standing::Closed(_) | Standing::Moved => true,
        };
        if !idle || !self.me.close_if_idle() {
            return self.look_later();
        }
        let retired = Standing::Closed(Refusal::Unavailable);
        if let Standing::Open(rules) = std::mem::replace(&mut self.standing, retired) {
            let park = slot::Message::Park {
                channel: self.channel.clone(),
                retired: rules.retire(),
            };
            // Before the name is free: whoever opens the channel next finds what it left.
            let _ = self.slot.post_single(park);
        }
        self.registry.forget(&self.channel, self.me.id());
        me.stop(Some("retired".to_owned()));
        self.followers.end();
        if self.feeding.is_attended() {
            // Its readers would wait for somebody else to open it.
            let _ = self.registry.channel(&self.channel);
        }
    }

    fn look_later(&self) {
        let services = self.registry.services();
        let wait = services.linger.min(services.channel_idle);
        // One that is closed is opened anew once whoever was refused may come back.
        let wait = match &self.standing {
            Standing::Closed(refusal) => refusal.retry_after().map_or(wait, |after| wait.min(after)),
            Standing::Moved => Duration::ZERO,
            Standing::Open(_) => wait,
        };
        let wait = wait.max(Duration::from_millis(100));
        services.timers.set(
            Instant::now() + wait,
            Arc::new(Rings(self.me.clone(), || Message::Look)),
        );
    }
}

/// Answers what cannot be worked on.
fn refuse(input: Input<Reply>, refusal: &Refusal) {
    match input {
        Input::Request(request) => request.into_asker().refuse(refusal.clone()),
        Input::Committed { .. }
        | Input::Refused { .. }
        | Input::Standing(_)
        | Input::Confirmed { .. }
        | Input::Due { .. } => {}
    }
}
