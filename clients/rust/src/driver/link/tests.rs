use futures_util::{Sink, SinkExt, StreamExt, sink, stream};
use starling_protocol::frame::encode_client;
use starling_protocol::v1;
use tokio::sync::mpsc;

use super::*;
use crate::Transport;
use crate::transport::{Activity, Incoming, Outgoing};

fn link(incoming: Incoming, outgoing: Outgoing) -> Link {
    Link::new(Connection {
        transport: Transport::WebSocket,
        incoming,
        outgoing,
        activity: Activity::new(),
    })
}

fn ping(nonce: u64) -> Encoded {
    encode_client(v1::Ping { nonce })
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
    assert_eq!(link.next().await.expect("a frame"), Bytes::from_static(b"frame"));
    assert_eq!(
        (written.recv().await, written.recv().await),
        (Some(ping(1)), Some(ping(2)))
    );
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
    assert_eq!(
        quiet.next().await.expect("what came before"),
        Bytes::from_static(b"goodbye")
    );

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
