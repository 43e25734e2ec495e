use std::cell::{Cell, RefCell};
use std::future::{Ready, ready};

use starling_client::Position;
use tokio::sync::oneshot;

use super::*;

fn published(seq: u64) -> Result<Published, PublishError> {
    let position = Position {
        epoch: "e".into(),
        seq,
        term: 1,
    };
    Ok(Published {
        position,
        serial: seq,
        copies: 1,
        duplicate: false,
    })
}

/// Lines that are all there already.
fn lines(all: Vec<io::Result<Line>>) -> mpsc::Receiver<io::Result<Line>> {
    let (sender, lines) = mpsc::channel(all.len().max(1));
    for line in all {
        sender.try_send(line).expect("there is room for all");
    }
    lines
}

fn data(text: &'static str) -> io::Result<Line> {
    Ok(Line::Data(Bytes::from_static(text.as_bytes())))
}

/// Publishes to a server that answers each payload at once; gives what was told of which line.
async fn run(
    input: Vec<io::Result<Line>>,
    answer: impl Fn(&[u8]) -> Result<Published, PublishError>,
) -> (Result<Exit, Failure>, Vec<(u64, bool)>) {
    let told = RefCell::new(Vec::new());
    let send = async |payload: Bytes| -> Result<Ready<_>, PublishError> { Ok(ready(answer(&payload))) };
    let tell = |line, outcome: &Result<Published, PublishError>| {
        told.borrow_mut().push((line, outcome.is_ok()));
        Ok(())
    };
    let exit = publish(lines(input), None, send, tell).await;
    (exit, told.into_inner())
}

#[tokio::test]
async fn every_line_is_told_in_its_place() {
    let refuses_b = |payload: &[u8]| {
        if payload == b"b" {
            Err(PublishError::OutcomeUnknown)
        } else {
            published(1)
        }
    };
    let (exit, told) = run(vec![data("a"), data("b"), Ok(Line::TooLong), data("c")], refuses_b).await;
    assert_eq!(told, [(1, true), (2, false), (3, false), (4, true)]);
    assert!(matches!(exit, Ok(Exit::Unacknowledged)));

    let (exit, told) = run(vec![data("a")], |_| published(1)).await;
    assert!(matches!(exit, Ok(Exit::Done)) && told == [(1, true)]);
    let (exit, told) = run(Vec::new(), |_| published(1)).await;
    assert!(matches!(exit, Ok(Exit::Done)) && told.is_empty());
}

#[tokio::test]
async fn outcomes_are_told_in_the_order_of_the_lines() {
    let answers = RefCell::new(Vec::new());
    let told = RefCell::new(Vec::new());
    let send = async |_: Bytes| {
        let (answer, pending) = oneshot::channel();
        answers.borrow_mut().push(answer);
        if answers.borrow().len() == 3 {
            // All are on their way: answer the last one first.
            for (seq, answer) in answers.borrow_mut().drain(..).enumerate().rev() {
                answer.send(published(seq as u64 + 1)).expect("it is awaited");
            }
        }
        Ok(async move { pending.await.expect("it is answered") })
    };
    let tell = |line, outcome: &Result<Published, PublishError>| {
        told.borrow_mut()
            .push((line, outcome.as_ref().map(|published| published.position.seq).ok()));
        Ok(())
    };
    let exit = publish(lines(vec![data("a"), data("b"), data("c")]), None, send, tell).await;
    assert!(matches!(exit, Ok(Exit::Done)));
    assert_eq!(told.into_inner(), [(1, Some(1)), (2, Some(2)), (3, Some(3))]);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_on_their_way_than_a_session_may_have() {
    let open = Cell::new(0_usize);
    let most = Cell::new(0_usize);
    let send = async |_: Bytes| {
        open.set(open.get() + 1);
        most.set(most.get().max(open.get()));
        Ok(async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            open.set(open.get() - 1);
            published(1)
        })
    };
    let input = (0..200).map(|_| data("x")).collect();
    let exit = publish(lines(input), None, send, |_, _| Ok(())).await;
    assert!(matches!(exit, Ok(Exit::Done)));
    assert_eq!(most.get(), IN_FLIGHT_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_rate_spaces_the_lines() {
    let start = tokio::time::Instant::now();
    let at = RefCell::new(Vec::new());
    let send = async |_: Bytes| {
        at.borrow_mut().push(start.elapsed().as_millis());
        Ok(ready(published(1)))
    };
    let input = vec![data("a"), data("b"), data("c")];
    let rate = NonZeroU32::new(20);
    assert!(matches!(
        publish(lines(input), rate, send, |_, _| Ok(())).await,
        Ok(Exit::Done)
    ));
    assert_eq!(at.into_inner(), [0, 50, 100]);
}

#[tokio::test]
async fn a_client_that_closed_ends_the_reading() {
    let closed = || PublishError::Closed {
        reason: CloseReason::Application,
        sent: false,
    };
    // The other end stays open: without the end of the client, more would be waited for.
    let (sender, lines) = mpsc::channel(2);
    sender.try_send(data("a")).expect("there is room");
    let send = async |_: Bytes| -> Result<Ready<_>, _> { Err(closed()) };
    let exit = publish(lines, None, send, |_, _| Ok(())).await;
    assert!(matches!(exit, Err(Failure::Server(_))));
    drop(sender);
}

#[tokio::test]
async fn input_that_cannot_be_read_and_output_that_is_closed_end_it() {
    let (exit, _) = run(vec![data("a"), Err(io::ErrorKind::InvalidData.into())], |_| {
        published(1)
    })
    .await;
    assert!(matches!(exit, Err(Failure::Io { .. })));
    let send = async |_: Bytes| Ok(ready(published(1)));
    let exit = publish(lines(vec![data("a")]), None, send, |_, _| Err(Failure::OutputClosed)).await;
    assert!(matches!(exit, Err(Failure::OutputClosed)));
}
