//! chitchat's messages over a UDP socket of our own, sealed.
//!
//! What a stranger sends ends here: it is received into one buffer of fixed size, refused by [`Opener`], or by [`Screen`] if
//! it has the key and makes things up, counted, and logged once in a while. chitchat, which trusts what it reads, sees what
//! nodes with a certificate have signed. Nothing here ever waits but for a datagram, and nothing ends the socket:
//! chitchat would never gossip again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{ChitchatMessage, Serializable as _};
use tokio::net::UdpSocket;

use super::key::KeyRing;
use super::open::{Opener, Refused};
use super::screen::{Now, Screen};
use super::seal::Sealer;
use crate::instruments::Instruments;

/// One byte more than a datagram may hold, so that the system cannot cut one to fit.
const BUFFER_BYTES: usize = 65_536;

/// How often a refusal of one kind is logged. A flood is told by the metric.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How often some process is told that a later start has its name: as often as it gossips. Whoever has the key can make it be
/// told to somebody else; so it is one datagram at a time.
const SUCCESSOR_TOLD_INTERVAL: Duration = Duration::from_millis(250);

/// Opens the one socket of a node.
pub(super) struct Sealed {
    socket: Mutex<Option<SealedSocket>>,
}

/// See the module.
pub(super) struct SealedSocket {
    bound: Bound,
    /// Where others reach it. A start of this node before had the same address, so chitchat may send there.
    own: Option<SocketAddr>,
    ring: Arc<ArcSwap<KeyRing>>,
    sealer: Sealer,
    opener: Opener,
    screen: Screen,
    /// Of the datagram that was received last.
    refused: Vec<Refused>,
    instruments: Arc<dyn Instruments>,
    outgoing: Vec<u8>,
    incoming: Box<[u8]>,
    logged: [Option<Instant>; Refused::COUNT],
    /// When a process was told last that a later start has its name.
    told_at: Option<Instant>,
}

/// A socket is bound before chitchat starts, and belongs to the runtime that chitchat runs in.
enum Bound {
    Waiting(Option<std::net::UdpSocket>),
    Running(UdpSocket),
}

impl Sealed {
    /// Over `socket`, which is bound and does not block.
    pub(super) fn new(
        socket: std::net::UdpSocket,
        sealer: Sealer,
        opener: Opener,
        screen: Screen,
        ring: Arc<ArcSwap<KeyRing>>,
        instruments: Arc<dyn Instruments>,
    ) -> Self {
        let socket = SealedSocket {
            opener,
            screen,
            refused: Vec::new(),
            bound: Bound::Waiting(Some(socket)),
            own: None,
            ring,
            sealer,
            instruments,
            outgoing: Vec::with_capacity(BUFFER_BYTES),
            incoming: vec![0; BUFFER_BYTES].into(),
            logged: [None; Refused::COUNT],
            told_at: None,
        };
        Self {
            socket: Mutex::new(Some(socket)),
        }
    }
}

#[async_trait]
impl Transport for Sealed {
    async fn open(&self, own: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut socket = socket.ok_or_else(|| anyhow::anyhow!("the socket of gossip was opened before"))?;
        if let Bound::Waiting(bound) = &mut socket.bound
            && let Some(bound) = bound.take()
        {
            socket.bound = Bound::Running(UdpSocket::from_std(bound)?);
            socket.own = Some(own);
        }
        Ok(Box::new(socket))
    }
}

#[async_trait]
impl Socket for SealedSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        // It would only come back.
        if self.own == Some(to) {
            return Ok(());
        }
        if let Err(dropped) = self.try_send(to, |out| message.serialize(out)) {
            self.instruments.gossip_dropped(dropped);
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            let Bound::Running(socket) = &self.bound else {
                return Err(anyhow::anyhow!("the socket of gossip was not opened"));
            };
            // Between this wait and the return nothing waits, so a call that is dropped loses no datagram.
            match socket.recv_from(&mut self.incoming).await {
                Ok((length, from)) => {
                    self.instruments.gossip_received(length);
                    let opened = self.open(length);
                    for refused in std::mem::take(&mut self.refused) {
                        self.refuse(refused, from, length);
                    }
                    match opened {
                        Ok(message) => return Ok((from, message)),
                        Err(refused) => self.refuse(refused, from, length),
                    }
                    self.tell_of_successor(from);
                }
                // A peer's port that is closed is told here, by ICMP, and so is a moment without memory.
                Err(error) => {
                    tracing::debug!(%error, "gossip received nothing");
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

impl SealedSocket {
    fn try_send(&mut self, to: SocketAddr, message: impl FnOnce(&mut Vec<u8>)) -> Result<(), &'static str> {
        let Bound::Running(socket) = &self.bound else {
            return Err("closed");
        };
        let ring = self.ring.load();
        if let Err(oversize) = self.sealer.seal(&ring, now_ms(), message, &mut self.outgoing) {
            tracing::error!(
                bytes = oversize.bytes,
                "what this node knows of the cluster does not fit a datagram; are there more than a hundred nodes?"
            );
            return Err("oversize");
        }
        // A datagram that has no room now is made anew in a quarter of a second.
        match socket.try_send_to(&self.outgoing, to) {
            Ok(bytes) => {
                self.instruments.gossip_sent(bytes);
                Ok(())
            }
            Err(error) => {
                tracing::debug!(%to, %error, "gossip was not sent");
                Err("unsent")
            }
        }
    }

    fn open(&mut self, length: usize) -> Result<ChitchatMessage, Refused> {
        let datagram = &mut self.incoming[..length];
        let now = Now {
            instant: Instant::now(),
            wall_ms: now_ms(),
        };
        let (ring, proven) = (self.ring.load(), self.screen.proven());
        let message = self.opener.open(&ring, proven, now.wall_ms, datagram)?;
        self.screen.pass(message, now, &mut self.refused)
    }

    /// A process whose name a later start has is told so: nobody hears it any more, so it would ask in vain.
    fn tell_of_successor(&mut self, from: SocketAddr) {
        let Some(name) = self.opener.take_outdated() else {
            return;
        };
        if self.told_at.is_some_and(|at| at.elapsed() < SUCCESSOR_TOLD_INTERVAL) {
            return;
        }
        self.told_at = Some(Instant::now());
        if let Some(message) = self.screen.of_successor(&name)
            && let Err(dropped) = self.try_send(from, |out| out.extend(message))
        {
            self.instruments.gossip_dropped(dropped);
        }
    }

    fn refuse(&mut self, refused: Refused, from: SocketAddr, length: usize) {
        self.instruments.gossip_refused(refused.name());
        if refused == Refused::Busy {
            self.instruments.limit_reached("cluster.gossip_statements");
        }
        let logged = &mut self.logged[refused as usize];
        if logged.is_some_and(|at| at.elapsed() < REFUSAL_LOG_INTERVAL) {
            return;
        }
        *logged = Some(Instant::now());
        let (reason, advice) = (refused.name(), refused.advice());
        tracing::warn!(reason, %from, bytes = length, "a datagram of gossip was refused: {advice}");
    }
}

fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since_1970.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
