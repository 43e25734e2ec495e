//! The client's task: it feeds the rules of [`Session`] with what happens, and carries out what they decide.
//!
//! It waits for one thing at a time to happen, named in [`Happened`], and nothing it does on the way waits: frames go
//! to the [`Link`]'s outbox, events to the queues of the subscriptions, outcomes to whoever waits for them.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use starling_protocol::frame;
use starling_protocol::limits;
use starling_protocol::v1::server_frame;
use tokio::runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use self::callers::{Answering, Attaching, Callers, Outcome};
use self::link::{Link, Received};
use crate::builder::Settings;
use crate::client::Handle;
use crate::entry::PATIENCE;
use crate::queue::{News, Queue, Signals};
use crate::roster::Told;
use crate::session::{Effect, Ending, Identity, Input, Session, SubscriptionId};
use crate::tls::{self, Tls};
use crate::token::{Token, TokenProvider};
use crate::transport::TransportError;
use crate::transport::dial::{DialError, Dialed, Dialer};
use crate::{
    BuildError, Client, PresenceError, PublishOptions, State, Stats, SubscribeOptions, TokenError, WatchOptions,
};

mod callers;
mod link;

/// Commands of the application that the task has not taken yet.
///
/// Publishes are bounded by their permits; this many fit here, so that whoever has a permit rarely waits again.
const COMMANDS_MAX: usize = limits::PUBLISHES_IN_FLIGHT_DEFAULT as usize;

/// What the application asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Subscribe {
        id: SubscriptionId,
        channel: Arc<str>,
        options: SubscribeOptions,
        queue: Arc<Queue>,
        done: Attaching,
    },
    Enter {
        id: SubscriptionId,
        channel: Arc<str>,
        state: Bytes,
        /// Whoever holds the entry hears by it that it has ended.
        ended: watch::Sender<Option<PresenceError>>,
        done: Answering,
    },
    Update {
        id: SubscriptionId,
        state: Bytes,
        done: Answering,
    },
    Leave {
        id: SubscriptionId,
        done: oneshot::Sender<()>,
    },
    Watch {
        id: SubscriptionId,
        channel: Arc<str>,
        options: WatchOptions,
        queue: Arc<Queue<Told>>,
        done: Answering,
    },
    Publish {
        options: PublishOptions,
        /// Room among the publishes without an outcome; dropped when this one has its outcome.
        permit: OwnedSemaphorePermit,
        done: Outcome,
    },
    Close,
}

/// Starts the task of a client.
pub(crate) fn start(settings: Settings, runtime: &runtime::Handle) -> Result<Client, BuildError> {
    let Settings {
        bases,
        token,
        provider,
        transports,
        agent,
        client,
        roots,
    } = settings;
    let publisher = tls::secret().ok_or(BuildError::NoRandomness)?;
    let client = client.map(|secret| secret.0).or_else(tls::secret);
    let client = client.ok_or(BuildError::NoRandomness)?;
    let identity = Identity {
        publisher,
        client,
        agent,
        token,
        has_provider: provider.is_some(),
    };

    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let (state, watcher) = watch::channel(State::Connecting);
    let signals = Arc::new(Signals::default());
    let stats = Arc::new(Mutex::new(Stats::default()));
    let driver = Driver {
        session: Session::new(identity, bases, fastrand::u64(..)),
        effects: Vec::new(),
        dialer: Arc::new(Dialer::new(transports, Tls::new(roots))),
        provider,
        commands: Some(inbox),
        signals: Arc::clone(&signals),
        callers: Callers::default(),
        dialing: None,
        asking: None,
        link: None,
        partings: JoinSet::new(),
        state,
        stats: Arc::clone(&stats),
    };
    runtime.spawn(driver.run());

    let in_flight = Arc::new(Semaphore::new(limits::PUBLISHES_IN_FLIGHT_DEFAULT as usize));
    let ids = Default::default();
    Ok(Client::new(Arc::new(Handle {
        commands,
        signals,
        in_flight,
        state: watcher,
        stats,
        ids,
    })))
}

struct Driver {
    session: Session,
    /// One buffer, reused.
    effects: Vec<Effect>,
    dialer: Arc<Dialer>,
    provider: Option<TokenProvider>,
    /// `None` once every handle is gone.
    commands: Option<mpsc::Receiver<Command>>,
    signals: Arc<Signals>,
    callers: Callers,
    dialing: Option<Dialing>,
    asking: Option<JoinHandle<Result<String, TokenError>>>,
    link: Option<Link>,
    /// Connections that say their last words.
    partings: JoinSet<()>,
    state: watch::Sender<State>,
    stats: Arc<Mutex<Stats>>,
}

/// A connection that is being made.
type Dialing = Pin<Box<dyn Future<Output = Result<Dialed, DialError>> + Send>>;

/// What the task woke for.
enum Happened {
    Command(Command),
    /// Nobody holds the client any more.
    Abandoned,
    News(News),
    Dialed(Result<Dialed, DialError>),
    Token(Result<Token, TokenError>),
    Received(Result<Received, TransportError>),
    Later,
}

impl Driver {
    async fn run(mut self) {
        self.feed(Input::Start);
        while !self.session.is_closed() {
            let happened = self.next().await;
            self.handle(happened);
        }
        // Whoever waits for the end waits for this, too: commands are refused only when the inbox is dropped.
        while self.partings.join_next().await.is_some() {}
    }

    async fn next(&mut self) -> Happened {
        let wake_at = self.session.wake_at();
        let Self {
            commands,
            signals,
            dialing,
            asking,
            link,
            ..
        } = self;
        tokio::select! {
            received = receive(link) => Happened::Received(received),
            command = take_command(commands) => command.map_or(Happened::Abandoned, Happened::Command),
            news = signals.news() => Happened::News(news),
            dialed = done(dialing) => Happened::Dialed(dialed),
            token = done(asking) => {
                let token = token.unwrap_or_else(|_| Err(TokenError::Unavailable("the provider panicked".into())));
                Happened::Token(token.map(Token))
            }
            () = sleep_until(wake_at.map_or_else(Instant::now, Instant::from_std)), if wake_at.is_some() => {
                Happened::Later
            }
        }
    }

    fn handle(&mut self, happened: Happened) {
        match happened {
            Happened::Command(command) => self.obey(command),
            Happened::Abandoned => {
                self.commands = None;
                self.feed(Input::Close);
            }
            Happened::News(news) => {
                for id in news.taken {
                    if let Some(taken) = self.callers.taken(id) {
                        self.feed(Input::Taken { id, taken });
                    }
                }
                for (id, state) in news.ephemerals {
                    self.feed(Input::Ephemeral { id, state });
                }
                for id in news.dropped {
                    self.callers.dropped(id);
                    self.feed(Input::Unsubscribe(id));
                }
            }
            Happened::Dialed(dialed) => {
                self.dialing = None;
                match dialed {
                    Ok(Dialed {
                        base,
                        connection,
                        nodes,
                    }) => {
                        let transport = connection.transport;
                        self.link = Some(Link::new(connection));
                        self.feed(Input::Dialed { base, transport, nodes });
                    }
                    Err(error) => self.feed(Input::DialFailed(error.to_string())),
                }
            }
            Happened::Token(token) => {
                self.asking = None;
                self.feed(Input::Token(token));
            }
            Happened::Received(received) => {
                if let Some(input) = read(received) {
                    self.feed(input);
                }
            }
            Happened::Later => {
                let heard = self.link.as_ref().map(|link| link.heard().into_std());
                self.feed(Input::Wake { heard });
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Subscribe {
                id,
                channel,
                options,
                queue,
                done,
            } => {
                self.callers.subscribe(id, queue, done);
                self.feed(Input::Subscribe { id, channel, options });
            }
            Command::Enter {
                id,
                channel,
                state,
                ended,
                done,
            } => {
                self.callers.enter(id, ended, done);
                self.feed(Input::Enter {
                    id,
                    channel,
                    state,
                    timeout: PATIENCE,
                });
            }
            Command::Update { id, state, done } => {
                self.callers.update(id, done);
                self.feed(Input::Update {
                    id,
                    state,
                    timeout: PATIENCE,
                });
            }
            Command::Leave { id, done } => {
                self.callers.leave(id, done);
                self.feed(Input::Unsubscribe(id));
            }
            Command::Watch {
                id,
                channel,
                options,
                queue,
                done,
            } => {
                self.callers.watch(id, queue, done);
                self.feed(Input::Watch { id, channel, options });
            }
            Command::Publish { options, permit, done } => {
                let ticket = self.callers.publish(done, permit);
                self.feed(Input::Publish { ticket, options });
            }
            Command::Close => self.feed(Input::Close),
        }
    }

    /// Gives the rules something to handle, and does what they say.
    fn feed(&mut self, input: Input) {
        let mut effects = std::mem::take(&mut self.effects);
        self.session.handle(input, Instant::now().into_std(), &mut effects);
        effects.drain(..).for_each(|effect| self.perform(effect));
        self.effects = effects;
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = self.session.stats();
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Dial(bases) => {
                tracing::debug!(?bases, "connecting");
                let dialer = Arc::clone(&self.dialer);
                self.dialing = Some(Box::pin(async move { dialer.dial(bases).await }));
            }
            Effect::AskToken(why) => {
                // In a task of its own: a provider that panics is not the end of the client.
                self.asking = self
                    .provider
                    .clone()
                    .map(|provider| tokio::spawn(async move { provider.ask(why).await }));
            }
            Effect::Send(frame) => {
                if let Some(link) = &mut self.link {
                    link.send(frame::encode_client(frame));
                }
            }
            Effect::SendDatagram(frame) => {
                if let Some(link) = &mut self.link {
                    link.send_datagram(frame::encode_client(frame));
                }
            }
            Effect::Hangup => {
                // Those that are done are of no more interest.
                while self.partings.try_join_next().is_some() {}
                if let Some(link) = self.link.take() {
                    self.partings.spawn(link.part());
                }
            }
            Effect::Subscribed { id, outcome } => self.callers.subscribed(id, outcome),
            Effect::Deliver { to, item } => self.callers.deliver(to, item),
            Effect::End(id) => self.callers.end(id),
            Effect::Present { id, outcome } => self.callers.present(id, outcome),
            Effect::Tell { to, item } => self.callers.tell(to, item),
            Effect::Unwatched(id) => self.callers.unwatched(id),
            Effect::Out { id, error } => self.callers.out(id, error),
            Effect::Left(id) => self.callers.left(id),
            Effect::Answer { ticket, outcome } => self.callers.answer(ticket, outcome),
            Effect::Settled(ticket) => self.callers.settled(ticket),
            Effect::State(state) => {
                announce(&state);
                self.state.send_replace(state);
            }
        }
    }
}

/// What came from the connection, as an input of the rules. A datagram may be anything, and is only worth something if it holds
/// ephemeral states.
fn read(received: Result<Received, TransportError>) -> Option<Input> {
    let unreadable = |error: String| Input::BadFrame(format!("what cannot be read: {error}"));
    Some(match received {
        Ok(Received::Frame(body)) => {
            let bytes = body.len();
            match frame::decode_server(body) {
                Ok(frame) => Input::Frame { frame, bytes },
                Err(error) => unreadable(error.to_string()),
            }
        }
        Ok(Received::Datagram(body)) => match frame::decode_server(body) {
            Ok(server_frame::Body::Ephemerals(ephemerals)) => Input::Datagram(ephemerals),
            Ok(_) | Err(_) => return None,
        },
        Err(error) if error.is_violation() => unreadable(error.to_string()),
        Err(error) => Input::Lost(Ending {
            code: error.code(),
            reason: error.to_string(),
            ..Ending::default()
        }),
    })
}

fn announce(state: &State) {
    match state {
        State::Connecting => {}
        State::Connected {
            transport,
            node,
            session,
        } => tracing::info!(%transport, node, session, "connected"),
        State::Reconnecting { attempt, error } => tracing::warn!(attempt, error, "reconnecting"),
        State::Closed { reason } => tracing::info!(%reason, "closed"),
    }
}

async fn receive(link: &mut Option<Link>) -> Result<Received, TransportError> {
    match link {
        Some(link) => link.next().await,
        None => pending().await,
    }
}

async fn take_command(commands: &mut Option<mpsc::Receiver<Command>>) -> Option<Command> {
    match commands {
        Some(commands) => commands.recv().await,
        None => pending().await,
    }
}

async fn done<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}
