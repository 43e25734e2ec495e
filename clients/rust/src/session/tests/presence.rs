//! Being in a channel and watching one, over connections.

use super::*;

mod entering;
mod ephemeral;
mod watching;

/// Enters the lobby as the first that is held, and is answered.
fn entered(state: &'static str) -> Bench {
    let mut bench = Bench::open();
    let request = bench.enter(LOBBY, state).request();
    let did = bench.frame(taken(request));
    assert_eq!(did.present, [(0, Ok(()))]);
    bench
}

/// Watches the lobby as the first that is held, and is shown a client.
fn watching() -> Bench {
    let mut bench = Bench::open();
    let request = bench.watch(LOBBY, WatchOptions::default()).request();
    assert_eq!(bench.frame(watched(request)).present, [(0, Ok(()))]);
    assert_eq!(bench.frame(roster(&[1])).told.len(), 1);
    bench
}

fn watched(request: u64) -> v1::Watched {
    v1::Watched {
        request,
        channel_id: 9,
        channel: LOBBY.into(),
    }
}

fn roster(clients: &[u8]) -> v1::Roster {
    let present = |client: &u8| v1::Present {
        client: Bytes::copy_from_slice(&[*client; 16]),
        node: "a".into(),
        ..v1::Present::default()
    };
    v1::Roster {
        channel_id: 9,
        first: true,
        last: true,
        clients: clients.iter().map(present).collect(),
    }
}

/// The states that were said, by Enter.
fn states(did: &Did) -> Vec<String> {
    let state = |frame: &client_frame::Body| match frame {
        client_frame::Body::Enter(enter) => Some(String::from_utf8_lossy(&enter.state).into_owned()),
        _ => None,
    };
    did.sent.iter().filter_map(state).collect()
}

#[test]
fn closing_tells_everybody() {
    let mut bench = entered("");
    let request = bench.watch(LOBBY, WatchOptions::default()).request();
    bench.frame(watched(request));
    bench.enter("demo:other", "");
    let did = bench.feed(Input::Close);
    assert_eq!(did.farewell(), 1000);
    let closed = || PresenceError::Closed(CloseReason::Application);
    assert_eq!(did.out, [(0, closed()), (2, closed())]);
    assert_eq!(
        (did.unwatched.as_slice(), did.present),
        (&[1][..], vec![(2, Err(closed()))])
    );
}

/// An answer to Enter, as a node gives it.
pub(super) fn taken(request: u64) -> v1::Entered {
    v1::Entered {
        request,
        client: vec![7; 16].into(),
    }
}
