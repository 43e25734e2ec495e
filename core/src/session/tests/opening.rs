//! Hello: what comes before it, and when it must come.

use super::*;

#[test]
fn nothing_is_taken_before_hello() {
    for request in [
        Request::Ping { nonce: 1 },
        Request::Malformed,
        Request::Credit { bytes: 1 },
    ] {
        let mut harness = Harness::new(|_| {});
        assert_eq!(*farewell(&harness.receive(request)), Farewell::HelloFirst);
    }
    let mut harness = Harness::new(|_| {});
    harness.receive(Request::Hello(hello()));
    assert_eq!(
        *farewell(&harness.receive(Request::Pong)),
        Farewell::HelloFirst,
        "not even while it is checked"
    );
}

#[test]
fn a_second_hello_ends_the_session() {
    assert_eq!(
        *farewell(&Harness::open().receive(Request::Hello(hello()))),
        Farewell::HelloTwice
    );
}

#[test]
fn hello_has_a_deadline() {
    let mut harness = Harness::new(|_| {});
    assert_eq!(harness.session.wake_at(), Some(harness.start + 5 * SECOND));
    harness.at(5 * SECOND - Duration::from_nanos(1));
    assert!(harness.handle(Input::Wake).is_empty());
    harness.at(5 * SECOND);
    assert_eq!(*farewell(&harness.handle(Input::Wake)), Farewell::HelloLate);
    assert!(harness.session.is_closed() && harness.session.wake_at().is_none());
}

#[test]
fn the_time_for_hello_began_before_the_session() {
    let harness = Harness::new(|_| {});
    let later = harness.start + 3 * SECOND;
    let session = Session::new(Arc::clone(&harness.session.settings), harness.start, later);
    assert_eq!(session.wake_at(), Some(harness.start + 5 * SECOND));
}

#[test]
fn a_refused_hello_ends_the_session_and_nothing_is_taken_after() {
    let mut harness = Harness::new(|_| {});
    harness.receive(Request::Hello(hello()));
    let verdict = Input::Authenticated(Err(Farewell::Unauthorized("no".to_owned())));
    assert!(matches!(farewell(&harness.handle(verdict)), Farewell::Unauthorized(_)));
    assert!(harness.receive(Request::Ping { nonce: 1 }).is_empty());
}

#[test]
fn a_hello_is_printed_without_its_token() {
    assert!(!format!("{:?}", hello()).contains("secret"));
}
