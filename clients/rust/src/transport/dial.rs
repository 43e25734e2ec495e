//! From a node's HTTP base to an open connection.

use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{self, Either};
use futures_util::stream::FuturesUnordered;
use thiserror::Error;
use tokio::time::timeout;
use url::Url;

use super::losers::{LOSERS, Losers};
use super::sockets::Sockets;
use super::{Connection, websocket, webtransport};
use crate::discovery::{self, FetchError};
use crate::tls::Tls;
use crate::{Transport, Transports};

/// The time for all of it with one node. Operating systems and QUIC would wait far longer for a host that does not answer.
const DIAL_DEADLINE: Duration = Duration::from_secs(5);

/// What WebTransport gets before the WebSocket is tried too: a round trip around the world, and one retransmission.
/// Where UDP is blocked, a connection costs this much more; [`Losers`] has the next one spared of it.
const HEAD_START: Duration = Duration::from_millis(500);

/// What a node gets before the next one is tried too. Discovery and a handshake take a tenth of it; the operating system
/// says nothing for long of a machine that is gone.
const NEXT_NODE: Duration = Duration::from_secs(1);

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Dialer {
    transports: Transports,
    tls: Tls,
    sockets: Sockets,
}

/// A connection, and the neighbours of its node.
pub(crate) struct Dialed {
    /// The node that it leads to.
    pub(crate) base: Url,
    pub(crate) connection: Connection,
    pub(crate) nodes: Vec<Url>,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    #[error("{base} did not answer within {} s", DIAL_DEADLINE.as_secs())]
    Late { base: Url },
    #[error(transparent)]
    Discovery(#[from] FetchError),
    #[error(transparent)]
    WebSocket(#[from] websocket::WebSocketError),
    #[error(transparent)]
    WebTransport(#[from] webtransport::WebTransportError),
    #[error("{base} offers no WebTransport; allow WebSocket")]
    NoWebTransport { base: Url },
    #[error("neither transport connects: {first}; {second}")]
    Neither { first: String, second: String },
    #[error("no node is reached: {}", .0.join("; "))]
    Nobody(Vec<String>),
}

impl Dialer {
    pub(crate) fn new(transports: Transports, tls: Tls) -> Self {
        Self {
            transports,
            tls,
            sockets: Sockets::default(),
        }
    }

    /// Connects to one of the nodes at these HTTP bases: to the first if it answers soon.
    pub(crate) async fn dial(&self, bases: Vec<Url>) -> Result<Dialed, DialError> {
        let dials = bases.into_iter().map(|base| async move {
            let dialed = timeout(DIAL_DEADLINE, self.connect(&base)).await;
            dialed.unwrap_or(Err(DialError::Late { base }))
        });
        stagger(dials.collect(), NEXT_NODE).await.map_err(nobody)
    }

    async fn connect(&self, base: &Url) -> Result<Dialed, DialError> {
        let (node, known) = discovery::fetch(base, &self.tls).await?;
        let websocket = async { Ok(websocket::connect(&node.websocket, &self.tls).await?) };
        let webtransport = node.webtransport.as_ref().map(|target| async move {
            let from = (&self.sockets, &self.tls);
            Ok(webtransport::connect(target, (base.host(), known), from).await?)
        });
        let connection = match (self.transports, webtransport) {
            (Transports::WebSocket, _) | (Transports::Auto, None) => websocket.await?,
            (Transports::WebTransport, Some(webtransport)) => webtransport.await?,
            (Transports::WebTransport, None) => return Err(DialError::NoWebTransport { base: base.clone() }),
            (Transports::Auto, Some(webtransport)) => contest(base, webtransport, websocket, &LOSERS).await?,
        };
        Ok(Dialed {
            base: base.clone(),
            connection,
            nodes: node.neighbours,
        })
    }
}

/// What can win a race.
trait Racer {
    fn is_webtransport(&self) -> bool;
}

impl Racer for Connection {
    fn is_webtransport(&self) -> bool {
        self.transport == Transport::WebTransport
    }
}

/// Races both transports to the node at `base`, and remembers how it went.
async fn contest<T: Racer>(
    base: &Url,
    webtransport: impl Future<Output = Result<T, DialError>>,
    websocket: impl Future<Output = Result<T, DialError>>,
    losers: &Losers,
) -> Result<T, DialError> {
    let is_even = losers.knows(base);
    let head_start = if is_even { Duration::ZERO } else { HEAD_START };
    let won = race(webtransport, head_start, websocket).await?;
    match (won.is_webtransport(), is_even) {
        (true, _) => losers.won(base),
        (false, false) => losers.lost(base),
        // Of an even race nobody learns anything: the loss is forgotten in its time, and then there is a head start.
        (false, true) => {}
    }
    Ok(won)
}

/// The first to succeed. The second starts after the head start, or as soon as the first has failed; the loser is
/// dropped, which closes it.
async fn race<T>(
    first: impl Future<Output = Result<T, DialError>>,
    head_start: Duration,
    second: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    let mut first = pin!(first);
    let second = pin!(second);
    match timeout(head_start, &mut first).await {
        Ok(Ok(won)) => return Ok(won),
        Ok(Err(lost)) => return second.await.map_err(|error| neither(lost, error)),
        Err(_) => {}
    }
    match future::select(first, second).await {
        Either::Left((Ok(won), _)) | Either::Right((Ok(won), _)) => Ok(won),
        Either::Left((Err(lost), second)) => second.await.map_err(|error| neither(lost, error)),
        Either::Right((Err(lost), first)) => first.await.map_err(|error| neither(error, lost)),
    }
}

/// The first to succeed. Each starts when those before it have had their time, or one of them has failed; the losers are
/// dropped, which closes them.
async fn stagger<T, E>(attempts: Vec<impl Future<Output = Result<T, E>>>, head_start: Duration) -> Result<T, Vec<E>> {
    let mut waiting = attempts.into_iter();
    let mut running = FuturesUnordered::new();
    let mut errors = Vec::new();
    loop {
        running.extend(waiting.next());
        let patience = if waiting.len() == 0 { Duration::MAX } else { head_start };
        match timeout(patience, running.next()).await {
            Ok(Some(Ok(won))) => return Ok(won),
            Ok(Some(Err(error))) => errors.push(error),
            Ok(None) => return Err(errors),
            Err(_) => {}
        }
    }
}

fn nobody(mut errors: Vec<DialError>) -> DialError {
    match errors.pop() {
        Some(only) if errors.is_empty() => only,
        last => DialError::Nobody(errors.iter().chain(&last).map(ToString::to_string).collect()),
    }
}

fn neither(first: impl Display, second: impl Display) -> DialError {
    DialError::Neither {
        first: first.to_string(),
        second: second.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    async fn after(ms: u64, outcome: Result<&'static str, ()>) -> Result<&'static str, DialError> {
        sleep(Duration::from_millis(ms)).await;
        outcome.map_err(|()| DialError::NoWebTransport {
            base: Url::parse("http://a").expect("a URL"),
        })
    }

    async fn raced(
        first: (u64, Result<&'static str, ()>),
        second: (u64, Result<&'static str, ()>),
    ) -> (Option<&'static str>, u128) {
        let started = Instant::now();
        let won = race(after(first.0, first.1), HEAD_START, after(second.0, second.1)).await;
        (won.ok(), started.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_success_wins() {
        assert_eq!(
            raced((100, Ok("wt")), (0, Ok("ws"))).await,
            (Some("wt"), 100),
            "within its head start"
        );
        assert_eq!(
            raced((9_000, Ok("wt")), (10, Ok("ws"))).await,
            (Some("ws"), 510),
            "after the head start"
        );
        assert_eq!(
            raced((600, Ok("wt")), (500, Ok("ws"))).await,
            (Some("wt"), 600),
            "still ahead"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_leaves_the_field_to_the_other() {
        assert_eq!(raced((20, Err(())), (10, Ok("ws"))).await, (Some("ws"), 30), "at once");
        assert_eq!(raced((600, Err(())), (300, Ok("ws"))).await, (Some("ws"), 800));
        assert_eq!(raced((900, Ok("wt")), (10, Err(()))).await, (Some("wt"), 900));
        assert_eq!(raced((900, Err(())), (10, Err(()))).await, (None, 900));
    }

    /// Which node was reached and when, of those that take so long.
    async fn staggered(nodes: &[(u64, Result<&'static str, ()>)]) -> (Option<&'static str>, u128) {
        let started = Instant::now();
        let dials = nodes.iter().map(|(ms, outcome)| after(*ms, *outcome)).collect();
        let won = stagger(dials, NEXT_NODE).await;
        (won.ok(), started.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_node_does_not_wait_for_one_that_is_dead() {
        assert_eq!(staggered(&[(900, Ok("a")), (0, Ok("b"))]).await, (Some("a"), 900));
        assert_eq!(staggered(&[(60_000, Ok("a")), (10, Ok("b"))]).await, (Some("b"), 1_010));
        assert_eq!(
            staggered(&[(60_000, Ok("a")), (60_000, Ok("b")), (10, Ok("c"))]).await,
            (Some("c"), 2_010)
        );
        assert_eq!(
            staggered(&[(20, Err(())), (10, Ok("b"))]).await,
            (Some("b"), 30),
            "refused: at once"
        );
        assert_eq!(
            staggered(&[(1_500, Ok("a")), (1_000, Ok("b"))]).await,
            (Some("a"), 1_500),
            "a slow one may win"
        );
        assert_eq!(
            staggered(&[(5_000, Err(())), (10, Err(())), (10, Err(()))]).await,
            (None, 5_000),
            "each has its time"
        );
    }

    #[test]
    fn what_stood_in_the_way_is_told_of_each_node() {
        let error = || DialError::NoWebTransport {
            base: Url::parse("http://a").expect("a URL"),
        };
        assert_eq!(nobody(vec![error()]).to_string(), error().to_string());
        let two = nobody(vec![error(), error()]).to_string();
        assert_eq!(two.matches("http://a").count(), 2, "{two}");
    }

    impl Racer for &str {
        fn is_webtransport(&self) -> bool {
            *self == "wt"
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_lost_gets_no_head_start_again_until_it_is_forgotten() {
        let (base, losers) = (Url::parse("https://a.example").expect("a URL"), Losers::new());
        let contest = async |webtransport: u64, websocket: u64| {
            let started = Instant::now();
            let (webtransport, websocket) = (after(webtransport, Ok("wt")), after(websocket, Ok("ws")));
            let won = contest(&base, webtransport, websocket, &losers).await;
            (won.expect("both connect"), started.elapsed().as_millis())
        };
        let blocked = 60_000;
        assert_eq!(contest(blocked, 10).await, ("ws", 510), "a head start for nothing");
        assert_eq!(contest(blocked, 10).await, ("ws", 10));
        sleep(Duration::from_secs(200)).await;
        assert_eq!(contest(blocked, 10).await, ("ws", 10));
        sleep(Duration::from_secs(200)).await;
        assert_eq!(contest(blocked, 10).await, ("ws", 510), "an even race renews nothing");
        assert_eq!(contest(20, 30).await, ("wt", 20), "it may win an even race");
        assert_eq!(contest(40, 10).await, ("wt", 40), "and then has its head start back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_down_teaches_nothing() {
        let (base, losers) = (Url::parse("https://a.example").expect("a URL"), Losers::new());
        let down = contest(&base, after(1, Err(())), after(1, Err(())), &losers).await;
        assert!(down.is_err() && !losers.knows(&base));
    }
}
