//! What fuzz targets do with bytes of a link.

use bytes::BytesMut;
use starling_core::id::{Generation, NodeId, NodeName};

use super::codec;
use super::frame::parse;
use super::hello::{Agreement, Answer, Hello};

/// The bytes of a lane: what its frames say they take is what they take.
pub fn frames(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    let mut left = bytes.len();
    while let Ok(Some(frame)) = parse(&mut buffer) {
        let parts: usize = frame.payloads.iter().map(bytes::Bytes::len).sum();
        assert!(frame.header.len() + parts < frame.bytes);
        left -= frame.bytes;
    }
    assert!(buffer.len() <= left);
}

/// The first that a peer says, as the node that is dialled reads it, and as the one that dials.
pub fn hello(bytes: &[u8]) {
    let name = |text| NodeName::parse(text).expect("a name");
    let me = NodeId {
        name: name("b"),
        generation: Generation(7),
    };
    if let Ok(hello) = codec::decode::<Hello>(bytes)
        && let Ok((node, wire)) = hello.check(&agreement(), &me, Some(&name("a")))
    {
        assert_eq!((node.name, wire), (name("a"), 1));
    }
    let _ = codec::decode::<Answer>(bytes);
}

fn agreement() -> Agreement {
    Agreement {
        cluster: "prod".to_owned(),
        slots: 1_024,
        hash_seed: 7,
        wire: (1, 1),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::frame::{LANES, Lane, Outgoing};
    use super::super::hello::GoingOn;
    use super::*;
    use crate::fuzz::replay::replay;

    #[test]
    fn frames_of_a_lane_take_what_they_say() {
        let frame = |payloads: &[&'static [u8]]| {
            let payloads = payloads.iter().map(|payload| Bytes::from_static(payload));
            let outgoing = Outgoing::new(Lane::Slot(513), &(7u64, "lobby".to_owned()), payloads).expect("it is short");
            outgoing.chunks(1).concat()
        };
        let (bare, one, two) = (frame(&[]), frame(&[b"payload"]), frame(&[b"", b"payload"]));
        let long = [&u32::MAX.to_le_bytes()[..], &one[4..]].concat();
        let cut = one[..one.len() - 3].to_vec();
        let seeds = [
            ("bare", bare.clone()),
            ("one payload", one.clone()),
            ("two payloads", two.clone()),
            ("three frames", [bare, one, two].concat()),
            ("too long", long),
            ("cut short", cut),
        ];
        replay("link_frames", frames, seeds.map(|(name, seed)| (name.to_owned(), seed)));
    }

    #[test]
    fn a_hello_is_understood_or_refused() {
        let going_on = |yours| GoingOn {
            mine: 5,
            yours,
            taken: [3; LANES],
        };
        let hello = Hello {
            agreement: agreement(),
            from: ("a".to_owned(), 3),
            to: ("b".to_owned(), 7),
            going_on: going_on(None),
        };
        let other = Hello {
            agreement: Agreement {
                cluster: "staging".to_owned(),
                ..agreement()
            },
            ..hello.clone()
        };
        let welcome = Answer::Welcome {
            wire: 1,
            goes_on: true,
            going_on: going_on(Some(9)),
        };
        let seeds = [
            ("hello", codec::encode(&hello)),
            ("hello of another cluster", codec::encode(&other)),
            ("welcome", codec::encode(&welcome)),
            ("refused", codec::encode(&Answer::Refused(11))),
        ];
        let seeds = seeds.map(|(name, seed)| (name.to_owned(), seed.expect("it is short")));
        replay("link_hello", super::hello, seeds);
    }
}
