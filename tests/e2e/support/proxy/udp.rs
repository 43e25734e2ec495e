//! UDP flows: what one port of a client sends, and what comes back to it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use starling_mesh::transport::Transport;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::{Cut, Direction, Flow, Flows};

/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;

struct Way {
    flow: Flow,
    /// Our side towards the server: its port is the client's, as the server sees it.
    socket: Arc<UdpSocket>,
    down: AbortHandle,
    cut: watch::Receiver<Option<Cut>>,
}

pub(super) async fn serve(clients: Arc<UdpSocket>, server: SocketAddr, flows: Flows) {
    let mut ways: HashMap<SocketAddr, Way> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut open = async |client, flow: &Flow| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free UDP port");
        socket.connect(server).await.expect("an address of this machine");
        let socket = Arc::new(socket);
        let down = tasks.spawn(pass_down(
            Arc::clone(&socket),
            Arc::clone(&clients),
            client,
            flow.clone(),
        ));
        (socket, down)
    };
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An error here is an earlier datagram's that found nobody.
        let Ok((length, client)) = clients.recv_from(&mut buffer).await else {
            continue;
        };
        #[expect(clippy::map_entry, reason = "an entry cannot be held across the await")]
        if !ways.contains_key(&client) {
            let flow = Flow::new(Transport::WebTransport);
            flows.add(&flow);
            let (socket, down) = open(client, &flow).await;
            let cut = flow.cut.subscribe();
            ways.insert(
                client,
                Way {
                    flow,
                    socket,
                    down,
                    cut,
                },
            );
        }
        let way = ways.get_mut(&client).expect("inserted above if it was missing");
        *way.flow.heard() = Instant::now();
        let is_new = way.cut.has_changed().expect("the flow holds the sender");
        let cut = *way.cut.borrow_and_update();
        if is_new && cut == Some(Cut::Rebind) {
            way.down.abort();
            (way.socket, way.down) = open(client, &way.flow).await;
        }
        if !cut.is_some_and(|cut| cut.stops(Direction::Up)) {
            let _ = way.socket.send(&buffer[..length]).await; // UDP promises nothing
        }
    }
}

async fn pass_down(from: Arc<UdpSocket>, clients: Arc<UdpSocket>, client: SocketAddr, flow: Flow) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let Ok(length) = from.recv(&mut buffer).await else {
            continue;
        };
        let is_dead = flow.cut.borrow().is_some_and(|cut| cut.stops(Direction::Down));
        if !is_dead {
            let _ = clients.send_to(&buffer[..length], client).await; // UDP promises nothing
        }
    }
}
