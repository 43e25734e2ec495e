//! The turn of a relay.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use starling_core::channel::{Range, Refusal, Request};
use starling_core::id::{ChannelName, NodeId, Position, Term};
use starling_core::relay::{Asked, Effect, Input, Relay};
use starling_runtime::mailbox::{Address, Envelope, Permit, Room};
use tokio::time::Instant;

use super::asker::Asker;
use crate::actor::alarm::Rings;
use crate::actor::channel::Message;
use crate::actor::channel::feeding::Feeding;
use crate::actor::registry::Registry;
use crate::actor::reply::Reply;
use crate::actor::slot::Route;

/// See [the module](super).
pub struct RelayActor;

/// What a relay starts with.
pub struct Arguments {
    /// Of which channel.
    pub channel: ChannelName,
    /// Where its slot is.
    pub route: Route,
    /// Where the rest of the node is found.
    pub registry: Registry,
    /// The bound of its mailbox.
    pub room: Room,
}

/// What a relay is while it runs.
pub struct State {
    /// `None` once the channel's own actor has its place.
    rules: Option<Relay<Asker>>,
    effects: Vec<Effect<Asker>>,
    feeding: Feeding,
    used: Instant,
    channel: ChannelName,
    registry: Registry,
    me: Address<Message>,
}

impl Actor for RelayActor {
    type Msg = Envelope<Message>;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, me: ActorRef<Self::Msg>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let Arguments {
            channel,
            route,
            registry,
            room,
        } = arguments;
        let feeding = Feeding::adopt(&channel, registry.services());
        let fed = feeding.feed().map(|feed| Position {
            epoch: feed.epoch(),
            seq: feed.span().head,
            term: Term(0), // not known, and not compared
        });
        // A change since then is in the mailbox already.
        let mut state = State {
            rules: Some(Relay::new(registry.next_relay(), None, fed)),
            effects: Vec::new(),
            feeding,
            used: Instant::now(),
            channel,
            registry,
            me: Address::new(me, room),
        };
        state.turn(Input::Route(route.owner().cloned()));
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
        if state.rules.is_none() && message.is_request() {
            state.registry.pass_on(&state.channel, message, permit);
            return Ok(());
        }
        let permit = Arc::new(permit);
        match message {
            Message::Publish(publishes) => {
                for publish in publishes {
                    state.request(Request::Publish(publish), &permit);
                }
            }
            Message::Skip(skip) => state.request(Request::Skip(skip), &permit),
            Message::Attach { to, from } => state.request(Request::Attach { to, from }, &permit),
            Message::Inspect { to, question } => state.request(Request::Inspect { to, question }, &permit),
            Message::Read { to, range } if to.wants_messages() => state.request(Request::Read { to, range }, &permit),
            Message::Read { to, range } => state.read(to, range, permit),
            Message::Told {
                from,
                told,
                room: _room,
            } => state.turn(Input::Told { from, told: *told }),
            Message::Reset => state.turn(Input::Reset),
            Message::Route(Route::Here) => {
                state.give_way();
                state.look(&me);
            }
            Message::Route(route) => state.turn(Input::Route(route.owner().cloned())),
            Message::Wake => state.turn(Input::Wake),
            Message::Look => state.look(&me),
            // Of an actor that was here before.
            Message::Left { .. }
            | Message::Notified { .. }
            | Message::Committed { .. }
            | Message::Refused { .. }
            | Message::Standing(_)
            | Message::Confirmed { .. }
            | Message::Closed { .. }
            | Message::Fetched { .. }
            | Message::Due => {}
        }
        Ok(())
    }
}

impl State {
    fn request(&mut self, request: Request<Reply>, permit: &Arc<Permit>) {
        self.used = Instant::now();
        let request = request.map(|to| Asker::One(to, Arc::clone(permit)));
        self.turn(Input::Request(request));
    }

    /// Sessions share pages: what one has asked for is asked for once.
    fn read(&mut self, to: Reply, range: Range, permit: Arc<Permit>) {
        self.used = Instant::now();
        if let Some(page) = self.feeding.known_page(&range) {
            return to.page(page);
        }
        let Some(permit) = Arc::into_inner(permit) else {
            return to.refuse(Refusal::Busy);
        };
        let Some((to, permit)) = self.feeding.join_fetch(&range, to, permit) else {
            return;
        };
        let Some(epoch) = range.epoch.clone() else {
            return to.refuse(Refusal::Busy); // a session reads in the history it is attached to
        };
        let place = (epoch, range.after);
        self.feeding.wait_for(place.clone(), to, permit);
        let to = Asker::Page(place);
        self.turn(Input::Request(Request::Read { to, range }));
    }

    fn turn(&mut self, input: Input<Asker>) {
        let Some(rules) = &mut self.rules else {
            return;
        };
        let now = self.registry.services().clock.now().instant;
        let mut effects = std::mem::take(&mut self.effects);
        rules.handle(input, now, &mut effects);
        let mut unsent = Vec::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { to, asked } => unsent.extend(self.send(&to, &asked)),
                Effect::Answer { to, answer } => to.answer(answer, &mut self.feeding),
                Effect::Begin(head) => self.feeding.begin(&head),
                Effect::Push(message) => self.feeding.push(&message),
                Effect::Restart(head) => self.feeding.restart(head),
                Effect::Dismiss => self.feeding.dismiss(),
                Effect::Wake { at } => {
                    let alarm = Arc::new(Rings(self.me.clone(), || Message::Wake));
                    self.registry.services().windows.set(Instant::from_std(at), alarm);
                }
            }
        }
        self.effects = effects;
        self.feeding.tell();
        for number in unsent {
            self.turn(Input::Unsent { number });
        }
    }

    /// Sends something to the owner. The number of what could not be sent.
    fn send(&self, owner: &NodeId, asked: &Asked) -> Option<u64> {
        let peers = self.registry.peers()?;
        let failed = peers.ask(owner, &self.channel, asked).is_err();
        match asked {
            Asked::Request(request) if failed => Some(request.number()),
            _ => None,
        }
    }

    /// This node owns the channel: what was not answered is asked of its own actor.
    fn give_way(&mut self) {
        let Some(rules) = self.rules.take() else {
            return;
        };
        self.registry.forget(&self.channel, self.me.id());
        let (requests, joining) = rules.into_requests();
        let address = self.registry.channel(&self.channel);
        for request in requests {
            let (asker, request) = split(request);
            match asker {
                Asker::One(to, permit) => {
                    let message = Message::from(request.map(|_| to));
                    let _ = match Arc::into_inner(permit) {
                        Some(permit) => address.post(message, permit),
                        // One of several publishes that came together.
                        None => address.post_single(message),
                    };
                }
                page @ Asker::Page(_) => page.give_back(&mut self.feeding),
            }
        }
        joining.into_iter().for_each(|asker| asker.give_back(&mut self.feeding));
        self.feeding.let_go();
    }

    /// Lets go of the feed when nobody reads it, and of the actor when nobody uses it.
    fn look(&mut self, me: &ActorRef<Envelope<Message>>) {
        let services = self.registry.services();
        let was_attended = self.feeding.is_attended();
        self.feeding.tidy(services.linger);
        if was_attended && !self.feeding.is_attended() {
            self.turn(Input::Unread);
        }
        let services = self.registry.services();
        let unused = self.used.elapsed() >= services.channel_idle && !self.feeding.is_attended();
        let idle = self.rules.as_ref().is_none_or(|rules| unused && rules.is_idle());
        if !idle || !self.me.close_if_idle() {
            return self.look_later();
        }
        self.registry.forget(&self.channel, self.me.id());
        me.stop(Some("retired".to_owned()));
    }

    fn look_later(&self) {
        let services = self.registry.services();
        let wait = match &self.rules {
            Some(_) => services.linger.min(services.channel_idle),
            None => Duration::ZERO,
        };
        let at = Instant::now() + wait.max(Duration::from_millis(100));
        services
            .timers
            .set(at, Arc::new(Rings(self.me.clone(), || Message::Look)));
    }
}

/// A request, and whom its answer is for.
fn split(request: Request<Asker>) -> (Asker, Request<()>) {
    let mut asker = None;
    let request = request.map(|to| asker = Some(to));
    (asker.expect("a request has one asker"), request)
}
