use std::net::Ipv4Addr;
use std::path::Path;
use std::task::Waker;
use std::{future, io};

use bytes::Bytes;
use starling_protocol::frame::encode_server;
use starling_protocol::v1::{Ping, server_frame};

use super::*;
use crate::auth::Auth;
use crate::config::Config;
use crate::fanout::Frame;
use crate::metrics::Metrics;
use crate::session::Serve;
use crate::transport::tcp::Tcp;
use crate::transport::websocket::WebSocket;
use crate::transport::{Ended, Transport};

/// What a session costs before its buffers: the figure that memory per idle connection grows
/// with. Raise it only for something that every session needs.
#[test]
fn an_idle_session_is_small() {
    let bytes = size_of::<Serve<WebSocket<Tcp>>>();
    assert!(bytes <= 800, "a session takes {bytes} bytes");
}

/// Takes all that is queued, as TLS does, and has written it when it is flushed again.
#[derive(Default)]
struct Buffering {
    queued: usize,
    taken: usize,
}

impl Connection for Buffering {
    const TRANSPORT: Transport = Transport::WebSocket;

    fn poll_receive(&mut self, _: &mut Context<'_>) -> Poll<Result<Bytes, Ended>> {
        Poll::Pending
    }

    fn queue(&mut self, frame: &Frame) {
        self.queued += frame.body_bytes();
    }

    fn queued_bytes(&self) -> usize {
        self.queued
    }

    fn is_written(&self) -> bool {
        self.queued + self.taken == 0
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.taken = std::mem::take(&mut self.queued);
        if self.taken > 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn limit_frames(&mut self, _: usize) {}

    fn close(self, _: u16, _: &str, _: Instant) -> impl Future<Output = ()> + Send {
        future::ready(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_transport_has_taken_is_flushed_until_it_is_written() {
    let config = Config::for_dev(0, Path::new("unused"));
    let auth = Auth::new(&config.auth).expect("a node without keys");
    let services = Services::new(config, auth, Arc::new(Metrics::new()), None, None);
    let registry = Registry::start(Arc::new(services), None).await.expect("starts");
    let from = (Ipv4Addr::LOCALHOST.into(), Instant::now());
    let mut task = Task::new(Buffering::default(), registry, Arc::default(), 1, from);
    let frame = encode_server(server_frame::Body::Ping(Ping { nonce: 1 }));
    task.connection.queue(&Frame::from(frame));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(task.poll(&mut cx).is_pending());
    assert!(!task.connection.is_written(), "its socket is full");
    assert!(task.poll(&mut cx).is_pending(), "woken, because it has room again");
    assert!(task.connection.is_written());
}
