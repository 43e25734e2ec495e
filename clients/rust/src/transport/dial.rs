//! From a node's HTTP base to an open connection.

use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{self, Either};
use thiserror::Error;
use tokio::time::timeout;
use url::Url;

use super::losers::{LOSERS, Losers};
use super::{Connection, websocket, webtransport};
use crate::discovery::{self, FetchError};
use crate::tls::Tls;
use crate::{Transport, Transports};

/// The time for all of it. Operating systems and QUIC would wait far longer for a host that does not answer.
const DIAL_DEADLINE: Duration = Duration::from_secs(5);

/// What WebTransport gets before the WebSocket is tried too: a round trip around the world, and one retransmission.
/// Where UDP is blocked, a connection costs this much more; [`Losers`] has the next one spared of it.
const HEAD_START: Duration = Duration::from_millis(500);

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Dialer {
    transports: Transports,
    tls: Tls,
}

/// A connection, and the neighbours of its node.
pub(crate) struct Dialed {
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
}

impl Dialer {
    pub(crate) fn new(transports: Transports, tls: Tls) -> Self {
        Self { transports, tls }
    }

    /// Connects to the node at an HTTP base.
    pub(crate) async fn dial(&self, base: Url) -> Result<Dialed, DialError> {
        let dialed = timeout(DIAL_DEADLINE, self.connect(&base)).await;
        dialed.unwrap_or(Err(DialError::Late { base }))
    }

    async fn connect(&self, base: &Url) -> Result<Dialed, DialError> {
        let (node, known) = discovery::fetch(base, &self.tls).await?;
        let websocket = async { Ok(websocket::connect(&node.websocket, &self.tls).await?) };
        let webtransport = node
            .webtransport
            .as_ref()
            .map(|target| async move { Ok(webtransport::connect(target, (base.host(), known), &self.tls).await?) });
        let connection = match (self.transports, webtransport) {
            (Transports::WebSocket, _) | (Transports::Auto, None) => websocket.await?,
            (Transports::WebTransport, Some(webtransport)) => webtransport.await?,
            (Transports::WebTransport, None) => return Err(DialError::NoWebTransport { base: base.clone() }),
            (Transports::Auto, Some(webtransport)) => contest(base, webtransport, websocket, &LOSERS).await?,
        };
        Ok(Dialed {
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
