//! The task of one peer: dials or waits, keeps one connection, and says what it thinks of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{MissedTickBehavior, sleep_until, timeout};

use super::dial::{self, Arrived, DialError, Dialled, Met};
use super::hello::{Answer, GoingOn, HANDSHAKE_TIME_MAX, Hello, said};
use super::links::{Event, Inner};
use super::liveness::{Cause, Effect, Liveness, PeerState, Probed};
use super::probe::probe;
use super::redial::Redial;
use super::session::{End, Session};
use super::shared::Shared;
use super::{Target, hello};

/// How often the round trip is told.
const ROUND_TRIP_INTERVAL: Duration = Duration::from_secs(1);

/// Connections of a peer that wait to take the place of the last. It dials one at a time.
pub(super) const ARRIVALS_MAX: usize = 1;

/// See the module.
pub(super) struct Peer {
    inner: Arc<Inner>,
    shared: Arc<Shared>,
    target: watch::Receiver<Option<Target>>,
    arrivals: mpsc::Receiver<Arrived>,
    dials: bool,
    liveness: Liveness,
    /// The number that the other end drew, once we met.
    yours: Option<u64>,
    session: Option<Running>,
    dialling: Option<JoinHandle<Result<Dialled, DialError>>>,
    probing: Option<JoinHandle<Probed>>,
    redial: Redial,
    round_trip_told: Instant,
    effects: Vec<Effect>,
}

struct Running {
    task: JoinHandle<End>,
    put_away: oneshot::Sender<()>,
    connection: quinn::Connection,
}

/// What woke the task.
enum Woke {
    Arrived(Option<Box<Arrived>>),
    Retargeted,
    Ended(Result<End, JoinError>),
    Dialled(Result<Result<Dialled, DialError>, JoinError>),
    Probed(Result<Probed, JoinError>),
    Redial,
    Tick,
}

impl Peer {
    pub(super) fn new(
        inner: Arc<Inner>,
        shared: Arc<Shared>,
        target: watch::Receiver<Option<Target>>,
        arrivals: mpsc::Receiver<Arrived>,
    ) -> Self {
        Self {
            dials: hello::dials(&inner.me.name, &shared.node.name),
            liveness: Liveness::new(inner.settings.heartbeats, Instant::now()),
            inner,
            shared,
            target,
            arrivals,
            yours: None,
            session: None,
            dialling: None,
            probing: None,
            redial: Redial::new(),
            round_trip_told: Instant::now(),
            effects: Vec::new(),
        }
    }

    /// Runs until the peer is forgotten, which closes `arrivals`.
    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.inner.settings.heartbeats.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let may_dial = self.dials && self.session.is_none() && self.dialling.is_none();
            let woke = tokio::select! {
                biased;
                arrived = self.arrivals.recv() => Woke::Arrived(arrived.map(Box::new)),
                Ok(()) = self.target.changed() => Woke::Retargeted,
                ended = finished(self.session.as_mut().map(|running| &mut running.task)) => Woke::Ended(ended),
                dialled = finished(self.dialling.as_mut()) => Woke::Dialled(dialled),
                probed = finished(self.probing.as_mut()) => Woke::Probed(probed),
                () = sleep_until(self.redial.at), if may_dial => Woke::Redial,
                _ = ticks.tick() => Woke::Tick,
            };
            match woke {
                Woke::Arrived(Some(arrived)) => self.arrived(*arrived).await,
                Woke::Arrived(None) => return self.forget().await,
                Woke::Retargeted => self.redial.now(),
                Woke::Ended(ended) => self.ended(ended),
                Woke::Dialled(dialled) => self.dialled(dialled).await,
                Woke::Probed(answer) => self.probed(answer),
                Woke::Redial => self.dial(),
                Woke::Tick => self.tick(),
            }
            self.perform().await;
        }
    }

    fn going_on(&self) -> GoingOn {
        GoingOn {
            mine: self.shared.mine,
            yours: self.yours,
            taken: self.shared.taken(),
        }
    }

    fn dial(&mut self) {
        let Some(target) = self.target.borrow_and_update().clone() else {
            // Nobody has said where it is; when somebody does, that wakes.
            self.redial.later();
            return;
        };
        let hello = Hello {
            agreement: self.inner.agreement.clone(),
            from: said(&self.inner.me),
            to: said(&self.shared.node),
            going_on: self.going_on(),
        };
        let (endpoint, config) = (self.inner.endpoint.clone(), self.inner.client_config());
        let name = self.shared.node.name.clone();
        self.dialling = Some(tokio::spawn(dial::dial(endpoint, config, target.address, name, hello)));
    }

    async fn dialled(&mut self, dialled: Result<Result<Dialled, DialError>, JoinError>) {
        self.dialling = None;
        let dialled = dialled.unwrap_or_else(|panic| Err(DialError::Unreachable(panic.to_string())));
        match dialled {
            Ok(Dialled { met, goes_on }) => {
                self.inner.instruments.link_handshake("dialled");
                if !goes_on && self.yours.is_some() {
                    self.reset();
                }
                self.begin(met);
            }
            Err(error) => {
                self.inner.instruments.link_handshake(error.name());
                let node = &self.shared.node;
                if self.redial.is_first() {
                    tracing::warn!(%node, %error, "a node is not linked; it is dialled again");
                } else {
                    tracing::debug!(%node, %error, "a node is not linked");
                }
                if let DialError::Refused(refusal) = error {
                    self.inner.tell(Event::Refused(node.clone(), refusal));
                }
                self.redial.later();
            }
        }
    }

    /// The peer has dialled: its new connection takes the place of the last, which is put away first.
    async fn arrived(&mut self, arrived: Arrived) {
        self.put_away().await;
        let Arrived { mut met, .. } = arrived;
        let known = self.yours.is_some_and(|yours| yours == met.going_on.mine);
        let goes_on = match met.going_on.yours {
            Some(mine) => known && mine == self.shared.mine,
            // It never heard our answer, so it has taken nothing, and we began with it.
            None => known,
        };
        if !goes_on && self.yours.is_some() {
            self.reset();
        }
        let answer = Answer::Welcome {
            wire: met.wire,
            goes_on,
            going_on: self.going_on(),
        };
        // From now on it may have heard us, whether or not we learn that it did.
        self.yours = Some(met.going_on.mine);
        let told = timeout(HANDSHAKE_TIME_MAX, hello::write(&mut met.streams.0, &answer)).await;
        match told {
            Ok(Ok(())) => {
                self.inner.instruments.link_handshake("accepted");
                if !goes_on {
                    met.going_on.taken = Default::default();
                }
                self.begin(met);
            }
            Ok(Err(_)) | Err(_) => {
                self.inner.instruments.link_handshake("unreachable");
                if self.shared.state() == PeerState::Down {
                    self.inner.drop_unwanted(&self.shared);
                }
            }
        }
    }

    /// Both know where they are: the connection is served.
    fn begin(&mut self, met: Met) {
        let Met {
            connection,
            streams,
            going_on,
            wire,
        } = met;
        self.yours = Some(going_on.mine);
        let again: u64 = self
            .shared
            .lanes
            .iter()
            .zip(going_on.taken)
            .map(|(lane, taken)| lane.rewind(taken))
            .sum();
        if again > 0 {
            self.inner.instruments.link_resends(again);
        }
        let session = Session {
            connection: connection.clone(),
            beats: streams,
            shared: Arc::clone(&self.shared),
            doors: self.inner.doors.clone(),
            interval: self.inner.settings.heartbeats.interval,
        };
        let (put_away, told) = oneshot::channel();
        self.session = Some(Running {
            task: tokio::spawn(session.run(told)),
            put_away,
            connection,
        });
        self.redial.reset();
        tracing::info!(node = %self.shared.node, wire, again, "a node is linked");
        self.liveness.linked(Instant::now(), &mut self.effects);
    }

    /// Both begin anew: what was on its way is given up, and whoever sent it is told.
    fn reset(&mut self) {
        self.shared.reset();
        self.yours = None;
        self.inner.tell(Event::Reset(self.shared.node.clone()));
    }

    fn ended(&mut self, ended: Result<End, JoinError>) {
        self.session = None;
        let end = ended.unwrap_or_else(|panic| End::Broken(panic.to_string()));
        let node = &self.shared.node;
        match &end {
            End::Protocol(what) => tracing::error!(%node, what, "a node sent what cannot be; report this"),
            end => tracing::info!(%node, ?end, "a link ended"),
        }
        self.liveness.broken(end == End::Farewell, &mut self.effects);
        self.redial.later();
    }

    fn probed(&mut self, answer: Result<Probed, JoinError>) {
        self.probing = None;
        self.liveness
            .probed(answer.unwrap_or(Probed::Unclear), &mut self.effects);
    }

    fn tick(&mut self) {
        let (heard, deaf) = (self.shared.heard(), self.shared.deaf());
        self.liveness.tick(Instant::now(), heard, deaf, &mut self.effects);
        if let Some(running) = &self.session
            && self.round_trip_told.elapsed() >= ROUND_TRIP_INTERVAL
        {
            self.round_trip_told = Instant::now();
            self.inner
                .instruments
                .link_round_trip(&self.shared.node.name, running.connection.rtt());
        }
    }

    async fn perform(&mut self) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Probe => {
                    let address = self.target.borrow().as_ref().and_then(|target| target.probe);
                    self.probing = address.map(|address| tokio::spawn(probe(address)));
                    if self.probing.is_none() {
                        self.liveness.probed(Probed::Unclear, &mut self.effects);
                    }
                }
                Effect::Now(state, cause) => self.now(state, cause).await,
            }
        }
    }

    async fn now(&mut self, state: PeerState, cause: Option<Cause>) {
        let node = &self.shared.node;
        match state {
            PeerState::Up => tracing::info!(%node, "a peer is up"),
            PeerState::Suspect => tracing::warn!(%node, "a peer is suspected"),
            PeerState::Down => tracing::warn!(%node, ?cause, "a peer is down"),
        }
        self.inner.turn(&self.shared, state);
        let event = match (state, cause) {
            (PeerState::Up, _) => Event::Up(node.clone()),
            (PeerState::Suspect, _) => Event::Suspect(node.clone()),
            (PeerState::Down, cause) => Event::Down(node.clone(), cause.unwrap_or(Cause::Silent)),
        };
        self.inner.tell(event);
        if state == PeerState::Down {
            self.put_away().await;
            self.redial.now();
            self.inner.drop_unwanted(&self.shared);
        }
    }

    /// Ends the connection, and waits until nothing of it runs.
    async fn put_away(&mut self) {
        if let Some(running) = self.session.take() {
            // It may have ended by itself.
            let _ = running.put_away.send(());
            let _ = running.task.await;
        }
    }

    async fn forget(mut self) {
        self.put_away().await;
        if let Some(dialling) = self.dialling {
            dialling.abort();
        }
        self.shared.close();
    }
}

/// What a task returns, when there is one.
async fn finished<T>(task: Option<&mut JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}
