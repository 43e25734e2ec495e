//! TCP connections. A dead direction is simply not read any more: whoever writes into it finds its buffers full, as on
//! a network that has lost the other side, and nobody is told.

use std::future::pending;
use std::net::SocketAddr;

use starling_mesh::transport::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Cut, Direction, Flow, Flows};

/// Bytes moved at once.
const CHUNK_BYTES: usize = 16 * 1024;

pub(super) async fn serve(listener: TcpListener, server: SocketAddr, flows: Flows) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("the proxy has descriptors left");
        let flow = Flow::new(Transport::WebSocket);
        let number = flows.add(&flow);
        let flows = flows.clone();
        connections.spawn(async move {
            // A server that is not there refuses through us, too.
            if let Ok(server) = TcpStream::connect(server).await {
                pass(client, server, flow).await;
            }
            flows.remove(number);
        });
    }
}

async fn pass(client: TcpStream, server: TcpStream, flow: Flow) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a TCP option");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let both = async {
        tokio::join!(
            pump(from_client, to_server, flow.cut.subscribe(), Direction::Up),
            pump(from_server, to_client, flow.cut.subscribe(), Direction::Down),
        )
    };
    let mut cut = flow.cut.subscribe();
    tokio::select! {
        _ = both => {}
        _ = cut.wait_for(|cut| *cut == Some(Cut::Close)) => {}
    }
}

/// Moves bytes one way until their end, which is passed on, or until the direction goes dead.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut cut: watch::Receiver<Option<Cut>>,
    direction: Direction,
) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let is_cut = async {
            cut.wait_for(|cut| cut.is_some_and(|cut| cut.stops(direction)))
                .await
                .is_ok()
        };
        let read = tokio::select! {
            biased;
            _ = is_cut => None,
            read = from.read(&mut buffer) => Some(read.unwrap_or_default()),
        };
        let Some(length) = read else {
            return pending().await;
        };
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            let _ = to.shutdown().await; // it may be gone already
            return;
        }
    }
}
