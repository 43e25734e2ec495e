use futures_util::{Sink, SinkExt, StreamExt, sink, stream};
use starling_protocol::frame::encode_client;
use starling_protocol::v1;
use tokio::sync::mpsc;

use super::*;
use crate::Transport;
use crate::transport::{Activity, Datagrams, Incoming, Outgoing};

fn link(incoming: Incoming, outgoing: Outgoing) -> Link {
    Link::new(Connection {
        transport: Transport::WebSocket,
        incoming,
        outgoing,
        datagrams: None,
        activity: Activity::new(),
    })
}

fn ping(nonce: u64) -> Encoded {
    encode_client(v1::Ping { nonce })
}

fn frame(body: &'static str) -> Received {
    Received::Frame(body.into())
}

/// Datagrams to and from the test; it takes so many.
struct Beside {
    coming: Vec<Bytes>,
    room: usize,
}

impl Datagrams for Beside {
    fn poll_receive(&mut self, _: &mut Context<'_>) -> Poll<Bytes> {
        self.coming.pop().map_or(Poll::Pending, Poll::Ready)
    }

    fn send(&mut self, _: &[u8]) -> bool {
        let has_room = self.room > 0;
        self.room = self.room.saturating_sub(1);
        has_room
    }
}

/// Takes frames into a channel.
fn taking() -> (
    impl Sink<Encoded, Error = TransportError> + Send + 'static,
    mpsc::Receiver<Encoded>,
) {
    let (sender, receiver) = mpsc::channel(8);
    let outgoing = sink::unfold(sender, |sender, frame| async move {
        sender.try_send(frame).expect("the test listens");
        Ok::<_, TransportError>(sender)
    });
    (outgoing, receiver)
}

/// Takes nothing.
fn stuck() -> impl Sink<Encoded, Error = TransportError> + Send + 'static {
    sink::unfold((), |(), _| std::future::pending::<Result<(), TransportError>>())
}

#[tokio::test]
async fn what_was_sent_is_written_while_the_task_waits_for_frames() {
    let (outgoing, mut written) = taking();
    let one = stream::iter([Ok(Bytes::from_static(b"frame"))]).chain(stream::pending());
    let mut link = link(Box::pin(one), Box::pin(outgoing));
    link.send(ping(1));
    link.send(ping(2));
    assert_eq!(link.next().await.expect("a frame"), frame("frame"));
    assert_eq!(
        (written.recv().await, written.recv().await),
        (Some(ping(1)), Some(ping(2)))
    );
}

#[tokio::test]
async fn what_no_datagram_takes_goes_with_the_frames() {
    let (outgoing, mut written) = taking();
    let mut link = link(Box::pin(stream::pending()), Box::pin(outgoing));
    link.connection.datagrams = Some(Box::new(Beside {
        coming: vec!["cursor".into()],
        room: 1,
    }));
    for nonce in 1..=2 {
        link.send_datagram(ping(nonce));
    }
    let datagram = link.next().await.expect("a datagram");
    assert_eq!(datagram, Received::Datagram("cursor".into()));
    assert_eq!(written.recv().await, Some(ping(2)), "the first is on its way beside");

    link.connection.datagrams = None;
    link.send_datagram(ping(3));
    poll_fn(|context| link.poll_write(context)).await.expect("written");
    assert_eq!(written.recv().await, Some(ping(3)));
}

#[tokio::test]
async fn a_connection_that_takes_nothing_is_given_up_before_memory_is() {
    let mut link = link(Box::pin(stream::pending()), Box::pin(stuck()));
    for nonce in 0..=OUTBOX_FRAMES_MAX as u64 {
        link.send(ping(nonce));
    }
    assert!(matches!(link.next().await, Err(TransportError::Stuck)));
}

#[tokio::test]
async fn the_servers_last_word_is_read_before_a_write_fails() {
    let broken = || sink::unfold((), |(), _| async { Err(TransportError::Broken("broken pipe".into())) });
    let told = || stream::iter([Ok(Bytes::from_static(b"goodbye"))]);
    let mut quiet = link(Box::pin(told().chain(stream::pending())), Box::pin(broken()));
    quiet.send(ping(1));
    assert_eq!(quiet.next().await.expect("what came before"), frame("goodbye"));

    let mut ended = link(Box::pin(told()), Box::pin(broken()));
    ended.send(ping(1));
    ended.next().await.expect("what came before");
    assert!(matches!(
        ended.next().await,
        Err(TransportError::Closed { code: None, .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn parting_writes_what_is_left_and_takes_no_longer_than_it_may() {
    let (outgoing, mut written) = taking();
    let mut parting = link(
        Box::pin(stream::pending()),
        Box::pin(outgoing.sink_map_err(|error| error)),
    );
    parting.send(ping(1));
    parting.part().await;
    assert_eq!(written.recv().await, Some(ping(1)));

    let started = Instant::now();
    let mut hanging = link(Box::pin(stream::pending()), Box::pin(stuck()));
    hanging.send(ping(1));
    hanging.part().await;
    assert_eq!(started.elapsed(), PARTING);
}
