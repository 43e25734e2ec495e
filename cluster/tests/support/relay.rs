//! A way between two sockets that can be cut, and loses what the dice say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::net::UdpSocket;

/// Passes datagrams on between whoever sends to it, and `to`.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    open: Arc<[AtomicBool; 2]>,
    loss_percent: Arc<AtomicU32>,
}

/// A direction.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    There,
    Back,
}

impl Relay {
    pub(crate) async fn start(to: SocketAddr, seed: u64) -> Self {
        let (front, back) = (bind().await, bind().await);
        let relay = Self {
            address: front.local_addr().expect("bound"),
            open: Arc::new([AtomicBool::new(true), AtomicBool::new(true)]),
            loss_percent: Arc::default(),
        };
        let (open, loss) = (relay.open.clone(), relay.loss_percent.clone());
        tokio::spawn(async move {
            let mut dice = SmallRng::seed_from_u64(seed);
            let (mut there, mut here) = (vec![0; 65_536], vec![0; 65_536]);
            let mut from = None;
            loop {
                let (way, bytes) = tokio::select! {
                    Ok((length, sender)) = front.recv_from(&mut there) => {
                        from = Some(sender);
                        (Way::There, &there[..length])
                    }
                    Ok((length, _)) = back.recv_from(&mut here) => (Way::Back, &here[..length]),
                };
                let lost = dice.random_range(0..100) < loss.load(Ordering::Relaxed);
                if lost || !open[way as usize].load(Ordering::Relaxed) {
                    continue;
                }
                // What cannot be passed on is lost, as on any way.
                let _ = match (way, from) {
                    (Way::There, _) => back.send_to(bytes, to).await,
                    (Way::Back, Some(from)) => front.send_to(bytes, from).await,
                    (Way::Back, None) => Ok(0),
                };
            }
        });
        relay
    }

    pub(crate) fn cut(&self, way: Way, cut: bool) {
        self.open[way as usize].store(!cut, Ordering::Relaxed);
    }

    pub(crate) fn cut_both(&self, cut: bool) {
        self.cut(Way::There, cut);
        self.cut(Way::Back, cut);
    }

    pub(crate) fn lose(&self, percent: u32) {
        self.loss_percent.store(percent, Ordering::Relaxed);
    }
}

async fn bind() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("a port")
}
