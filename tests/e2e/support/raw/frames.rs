//! Frames of a client that are in order; a test changes what it wants to be wrong.

use std::time::SystemTime;

use bytes::Bytes;
use starling_protocol::v1::{self, attach};

/// A hello that is in order.
pub(crate) fn hello() -> v1::Hello {
    v1::Hello {
        version_min: 1,
        version_max: 1,
        publisher: fastrand::u128(..).to_be_bytes().to_vec().into(),
        agent: "starling-e2e".to_owned(),
        ..v1::Hello::default()
    }
}

/// An attach that starts `from` somewhere.
pub(crate) fn attach_to(request: u64, channel: &str, from: Option<attach::From>) -> v1::Attach {
    v1::Attach {
        request,
        channel: channel.to_owned(),
        from,
        ..v1::Attach::default()
    }
}

/// A publish under a serial that is its request, too.
pub(crate) fn publish(serial: u64, channel: &str, payload: impl Into<Bytes>) -> v1::Publish {
    v1::Publish {
        request: serial,
        channel: channel.to_owned(),
        serial,
        base: 1,
        since_ms: now_ms(),
        payload: payload.into(),
        ..v1::Publish::default()
    }
}

/// The clock of this machine, which is the node's too, in milliseconds since 1970.
fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_1970.expect("the clock is set").as_millis() as u64
}
