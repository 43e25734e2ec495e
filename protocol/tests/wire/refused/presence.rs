//! Fields about presence that must not be sent.

use bytes::Bytes;
use starling_protocol::limits;
use starling_protocol::v1::{
    Absent, Certainty, Enter, Entered, Ephemeral, EphemeralState, Ephemerals, Leave, Left, Occupancy, PresenceChanges,
    Present, Roster, Watch, Watched,
};

use super::{Refused, client, server};

pub(super) fn bodies() -> Vec<Refused> {
    let mut bodies = requests();
    bodies.extend(answers());
    bodies.extend(told());
    bodies
}

fn requests() -> Vec<Refused> {
    let channel = || "chat:lobby".to_owned();
    let (request, too_long) = (7, "a".repeat(limits::CHANNEL_BYTES_MAX + 1));
    let ephemeral = Ephemeral {
        channel: channel(),
        number: 1,
        state: Bytes::new(),
    };
    vec![
        client(
            "enter without a request",
            "enter.request",
            Enter {
                channel: channel(),
                ..Enter::default()
            },
        ),
        client(
            "enter without a channel",
            "enter.channel",
            Enter {
                request,
                ..Enter::default()
            },
        ),
        client(
            "leave without a request",
            "leave.request",
            Leave {
                request: 0,
                channel: channel(),
            },
        ),
        client(
            "leave of a channel of 256 bytes",
            "leave.channel",
            Leave {
                request,
                channel: too_long,
            },
        ),
        client(
            "watch without a request",
            "watch.request",
            Watch {
                channel: channel(),
                ..Watch::default()
            },
        ),
        client(
            "watch without a channel",
            "watch.channel",
            Watch {
                request,
                ..Watch::default()
            },
        ),
        client(
            "ephemeral without a channel",
            "ephemeral.channel",
            Ephemeral {
                channel: String::new(),
                ..ephemeral.clone()
            },
        ),
        client(
            "ephemeral without a number",
            "ephemeral.number",
            Ephemeral {
                number: 0,
                ..ephemeral.clone()
            },
        ),
        client(
            "ephemeral with a state of 513 bytes",
            "ephemeral.state",
            Ephemeral {
                state: vec![1; limits::EPHEMERAL_BYTES_MAX + 1].into(),
                ..ephemeral
            },
        ),
    ]
}

fn answers() -> Vec<Refused> {
    let watched = Watched {
        request: 7,
        channel_id: 6,
        channel: "chat:lobby".into(),
    };
    vec![
        server("entered without a request", "entered.request", Entered::default()),
        server(
            "entered as nobody",
            "entered.client",
            Entered {
                request: 1,
                ..Entered::default()
            },
        ),
        server("left without a request", "left.request", Left { request: 0 }),
        server(
            "watched without a request",
            "watched.request",
            Watched {
                request: 0,
                ..watched.clone()
            },
        ),
        server(
            "watched without a number",
            "watched.channel_id",
            Watched {
                channel_id: 0,
                ..watched.clone()
            },
        ),
        server(
            "watched without a channel",
            "watched.channel",
            Watched {
                channel: String::new(),
                ..watched
            },
        ),
    ]
}

fn told() -> Vec<Refused> {
    let id = |bytes| Bytes::from(vec![1; bytes]);
    let present = || Present {
        client: id(16),
        member: "anna".into(),
        node: "b".into(),
        state: Bytes::new(),
    };
    let roster = |client| Roster {
        channel_id: 6,
        clients: vec![client],
        ..Roster::default()
    };
    let changes = PresenceChanges {
        channel_id: 6,
        ..PresenceChanges::default()
    };
    let states = |client, number| Ephemerals {
        channel_id: 6,
        states: vec![EphemeralState {
            client,
            number,
            state: Bytes::new(),
        }],
    };
    vec![
        server("roster of nothing", "roster.channel_id", Roster::default()),
        server(
            "roster with a client of 15 bytes",
            "roster.clients.client",
            roster(Present {
                client: id(15),
                ..present()
            }),
        ),
        server(
            "roster with a member of 129 bytes",
            "roster.clients.member",
            roster(Present {
                member: "a".repeat(limits::MEMBER_BYTES_MAX + 1),
                ..present()
            }),
        ),
        server(
            "roster with a client at no node",
            "roster.clients.node",
            roster(Present {
                node: String::new(),
                ..present()
            }),
        ),
        server(
            "presence changes of nothing",
            "presence_changes.channel_id",
            PresenceChanges {
                channel_id: 0,
                ..changes.clone()
            },
        ),
        server(
            "presence changes with a client that joins without a number",
            "presence_changes.clients.client",
            PresenceChanges {
                joined: vec![Present {
                    client: id(0),
                    ..present()
                }],
                ..changes.clone()
            },
        ),
        server(
            "presence changes with a client that leaves without a number",
            "presence_changes.left.client",
            PresenceChanges {
                left: vec![Absent { client: id(0) }],
                ..changes
            },
        ),
        server(
            "occupancy with more members than clients",
            "occupancy.members",
            Occupancy {
                channel_id: 6,
                members: 2,
                clients: 1,
            },
        ),
        server(
            "certainty with a node without a name",
            "certainty.uncertain",
            Certainty {
                channel_id: 6,
                stale: false,
                uncertain: vec![String::new()],
            },
        ),
        server(
            "ephemerals with a client of 17 bytes",
            "ephemerals.states.client",
            states(id(17), 1),
        ),
        server(
            "ephemerals without a number",
            "ephemerals.states.number",
            states(id(16), 0),
        ),
    ]
}
