//! Frames about presence.

use bytes::Bytes;
use starling_protocol::limits;
use starling_protocol::v1::client_frame::Body as Client;
use starling_protocol::v1::server_frame::Body as Server;
use starling_protocol::v1::{
    Absent, Certainty, Enter, Entered, Ephemeral, EphemeralState, Ephemerals, Leave, Left, Occupancy, PresenceChanges,
    Present, Roster, Watch, Watched,
};

use super::{Case, case, long, payload};

/// What a client sends.
pub(super) fn client() -> Vec<Case<Client>> {
    let mut cases = sized(|request, channel, full: bool, maximal: bool| Enter {
        request,
        channel,
        state: match (full, maximal) {
            (_, true) => payload(limits::STATE_BYTES_MAX),
            (true, _) => "{\"typing\":true}".into(),
            _ => Bytes::new(),
        },
    });
    cases.extend([
        case(
            "minimal",
            Ephemeral {
                channel: "a:b".into(),
                number: 1,
                state: Bytes::new(),
            },
        ),
        case(
            "full",
            Ephemeral {
                channel: "board:plan".into(),
                number: 300,
                state: "{\"x\":17,\"y\":4}".into(),
            },
        ),
        case(
            "maximal",
            Ephemeral {
                channel: long(limits::CHANNEL_BYTES_MAX),
                number: u64::MAX,
                state: payload(limits::EPHEMERAL_BYTES_MAX),
            },
        ),
    ]);
    cases.extend(sized(|request, channel, _, _| Leave { request, channel }));
    cases.extend(sized(|request, channel, count, _| Watch {
        request,
        channel,
        count,
    }));
    cases
}

/// What a server sends among what is frequent.
pub(super) fn frequent() -> Vec<Case<Server>> {
    let changes = PresenceChanges {
        channel_id: 6,
        joined: vec![anna()],
        updated: vec![somebody()],
        left: vec![Absent { client: id(3) }],
    };
    vec![
        case(
            "minimal",
            PresenceChanges {
                channel_id: 1,
                ..PresenceChanges::default()
            },
        ),
        case("full", changes),
        case(
            "maximal",
            PresenceChanges {
                channel_id: u32::MAX,
                joined: vec![largest(); 2],
                updated: vec![largest(); 2],
                left: vec![Absent { client: id(0xff) }; 3],
            },
        ),
        case(
            "minimal",
            Ephemerals {
                channel_id: 1,
                ..Ephemerals::default()
            },
        ),
        case(
            "full",
            Ephemerals {
                channel_id: 6,
                states: vec![
                    EphemeralState {
                        client: id(1),
                        number: 300,
                        state: "{\"x\":17,\"y\":4}".into(),
                    },
                    EphemeralState {
                        client: id(2),
                        number: 1,
                        state: Bytes::new(),
                    },
                ],
            },
        ),
        case(
            "maximal",
            Ephemerals {
                channel_id: u32::MAX,
                states: vec![
                    EphemeralState {
                        client: id(0xff),
                        number: u64::MAX,
                        state: payload(limits::EPHEMERAL_BYTES_MAX),
                    };
                    3
                ],
            },
        ),
        case("minimal", occupancy(1, 0, 0)),
        case("full", occupancy(6, 300, 420)),
        case("maximal", occupancy(u32::MAX, u64::MAX, u64::MAX)),
    ]
}

/// The rest of what a server sends.
pub(super) fn answers() -> Vec<Case<Server>> {
    let mut cases = vec![
        case("minimal", entered(1)),
        case("full", entered(300)),
        case("maximal", entered(u64::MAX)),
        case("minimal", Left { request: 1 }),
        case("full", Left { request: 300 }),
        case("maximal", Left { request: u64::MAX }),
    ];
    cases.extend([
        case("minimal", watched(1, 1, "a:b")),
        case("full", watched(300, 6, "chat:lobby")),
        case("maximal", watched(u64::MAX, u32::MAX, &long(limits::CHANNEL_BYTES_MAX))),
        // A part in between says neither that it is the first nor that it is the last, and may hold nobody.
        case(
            "minimal",
            Roster {
                channel_id: 1,
                ..Roster::default()
            },
        ),
        case(
            "full",
            Roster {
                channel_id: 6,
                first: true,
                last: true,
                clients: vec![anna(), somebody()],
            },
        ),
        case(
            "maximal",
            Roster {
                channel_id: u32::MAX,
                first: true,
                last: true,
                clients: vec![largest(); 2],
            },
        ),
        case(
            "minimal",
            Certainty {
                channel_id: 1,
                ..Certainty::default()
            },
        ),
        case(
            "full",
            Certainty {
                channel_id: 6,
                stale: true,
                uncertain: vec!["a".into(), "c".into()],
            },
        ),
        case(
            "maximal",
            Certainty {
                channel_id: u32::MAX,
                stale: true,
                uncertain: vec![long(limits::NAME_BYTES_MAX); 3],
            },
        ),
    ]);
    cases
}

/// A request in three sizes: `minimal`, `full` and `maximal`.
fn sized<T: Into<B>, B>(make: impl Fn(u64, String, bool, bool) -> T) -> Vec<Case<B>> {
    vec![
        case("minimal", make(1, "a:b".into(), false, false)),
        case("full", make(14, "chat:räume:küche".into(), true, false)),
        case("maximal", make(u64::MAX, long(limits::CHANNEL_BYTES_MAX), true, true)),
    ]
}

fn id(byte: u8) -> Bytes {
    vec![byte; limits::CLIENT_BYTES].into()
}

fn anna() -> Present {
    Present {
        client: id(1),
        member: "anna".into(),
        node: "b".into(),
        state: "{\"typing\":true}".into(),
    }
}

/// A client whose token names nobody.
fn somebody() -> Present {
    Present {
        client: id(2),
        member: String::new(),
        node: "a".into(),
        state: Bytes::new(),
    }
}

fn largest() -> Present {
    Present {
        client: id(0xff),
        member: long(limits::MEMBER_BYTES_MAX),
        node: long(limits::NAME_BYTES_MAX),
        state: payload(limits::STATE_BYTES_MAX),
    }
}

fn occupancy(channel_id: u32, members: u64, clients: u64) -> Occupancy {
    Occupancy {
        channel_id,
        members,
        clients,
    }
}

fn watched(request: u64, channel_id: u32, channel: &str) -> Watched {
    Watched {
        request,
        channel_id,
        channel: channel.into(),
    }
}

fn entered(request: u64) -> Entered {
    Entered {
        request,
        client: vec![7; 16].into(),
    }
}
