//! Proof of who is calling, and what becomes of it.

use super::*;

#[test]
fn a_provider_is_asked_when_a_token_is_needed() {
    let mut bench = Bench::new(&[A], "", true);
    assert_eq!(bench.feed(Input::Start).asked, [TokenRequest::First]);
    assert_eq!(bench.feed(Input::Token(Ok(Token("t1".into())))).dialed.len(), 1);
    let did = bench.dialed();
    assert!(matches!(&did.sent[..], [client_frame::Body::Hello(hello)] if hello.token == "t1"));
    bench.frame(welcome());
    bench.lost();
    let did = bench.reconnect();
    assert!(
        did.asked.is_empty() && did.names() == ["hello"],
        "the token still holds"
    );
}

#[test]
fn a_token_that_is_not_accepted_is_replaced_once() {
    let mut bench = Bench::new(&[A], "t1", true);
    bench.feed(Input::Start);
    bench.dialed();
    bench.goodbye(4401);
    assert_eq!(bench.wake(600).asked, [TokenRequest::Replace]);
    bench.feed(Input::Token(Ok(Token("t2".into()))));
    bench.dialed();
    assert!(matches!(
        bench.goodbye(4401).closed(),
        CloseReason::Server { code: 4401, .. }
    ));

    let mut bench = Bench::new(&[A], "t1", false);
    bench.feed(Input::Start);
    bench.dialed();
    assert!(
        matches!(bench.goodbye(4401).closed(), CloseReason::Server { code: 4401, .. }),
        "there is no other"
    );
}

#[test]
fn a_token_that_expired_is_replaced() {
    let mut bench = Bench::new(&[A], "t1", true);
    bench.feed(Input::Start);
    bench.dialed();
    bench.frame(welcome());
    bench.goodbye(4505);
    assert_eq!(bench.wake(600).asked, [TokenRequest::Replace]);
}

#[test]
fn a_token_is_refreshed_before_it_expires() {
    let mut bench = Bench::new(&[A], "t1", true);
    bench.feed(Input::Start);
    bench.dialed();
    bench.frame(v1::Welcome {
        expires_ms: 1_005_000,
        ..welcome()
    });
    assert_eq!(bench.wakes_at(), 4_000);
    assert_eq!(bench.wake(4_000).asked, [TokenRequest::Refresh]);
    bench.feed(Input::Token(Err(TokenError::Unavailable("later".into()))));
    assert_eq!(bench.wakes_at(), 9_000);
    assert_eq!(bench.wake(9_000).asked, [TokenRequest::Refresh]);
    let did = bench.feed(Input::Token(Ok(Token("t2".into()))));
    assert!(matches!(&did.sent[..], [client_frame::Body::Refresh(refresh)] if refresh.token == "t2"));
    bench.frame(v1::Refreshed {
        request: did.request(),
        expires_ms: 1_010_000,
    });
    assert_eq!(
        bench.wakes_at(),
        17_000,
        "four fifths of what is left by the server's clock"
    );
}

#[test]
fn a_refused_refresh_leaves_the_session_and_forgets_the_token() {
    let mut bench = Bench::new(&[A], "t1", true);
    bench.feed(Input::Start);
    bench.dialed();
    bench.frame(v1::Welcome {
        expires_ms: 1_005_000,
        ..welcome()
    });
    bench.wake(4_000);
    let request = bench.feed(Input::Token(Ok(Token("t2".into())))).request();
    assert!(!bench.frame(refusal(request, 0, ErrorCode::Unauthorized)).hung_up);
    bench.lost();
    assert_eq!(bench.wake(5_000).asked, [TokenRequest::Replace]);
}

#[test]
fn a_provider_can_stop_the_client() {
    let mut bench = Bench::new(&[A], "", true);
    bench.feed(Input::Start);
    bench.feed(Input::Token(Err(TokenError::Unavailable("later".into()))));
    assert_eq!(bench.wake(600).asked, [TokenRequest::First]);
    let did = bench.feed(Input::Token(Err(TokenError::Denied("signed out".into()))));
    assert_eq!(*did.closed(), CloseReason::Denied("signed out".into()));

    for bad in [String::new(), "t".repeat(limits::TOKEN_BYTES_MAX + 1)] {
        let mut bench = Bench::new(&[A], "", true);
        bench.feed(Input::Start);
        assert!(bench.feed(Input::Token(Ok(Token(bad)))).dialed.is_empty());
    }
}
