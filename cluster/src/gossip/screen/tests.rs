//! What is handed on of what nodes, and somebody with the key alone, say.

use starling_core::id::{Generation, NodeId};

use super::*;
use crate::ca::{Authority, NODE_TIME};
use crate::gossip::facts::tests::facts;
use crate::gossip::key::SenderId;
use crate::gossip::statement;
use crate::gossip::{NodeFacts, Phase};
use crate::proof::tests::{authority, credentials, name};

/// Somebody who says something.
struct Speaker {
    process: Process,
    sender: SenderId,
    credentials: Credentials,
}

fn process(text: &str, generation: u64) -> Process {
    Process {
        node: NodeId {
            name: name(text),
            generation: Generation(generation),
        },
        gossip: ([10, 0, 0, 1], 4_436).into(),
    }
}

impl Speaker {
    fn new(authority: &Authority, text: &str, generation: u64) -> Self {
        Self {
            process: process(text, generation),
            sender: [u8::try_from(generation % 251).expect("small"); 16],
            credentials: credentials(authority, &[authority], text),
        }
    }

    fn says(&self, number: u64, phase: Phase) -> Told {
        let keys = NodeFacts { phase, ..facts() }.to_keys().expect("they hold");
        let proof = &self.credentials.proof;
        let text = statement::say(proof, "prod", &self.process, number, &self.sender, &keys).expect("signed");
        Told {
            process: self.process.clone(),
            statement: Some((number, text)),
        }
    }

    fn heard(&self, heartbeat: u64) -> Heard {
        Heard {
            process: self.process.clone(),
            heartbeat,
            newest: 0,
        }
    }
}

fn screen(authority: &Authority) -> Screen {
    let credentials = credentials(authority, &[authority], "me");
    Screen::new(
        "prod",
        process("me", 5),
        Arc::new(ArcSwap::from_pointee(credentials)),
        watch::channel(None).0,
    )
}

fn now() -> Now {
    Now {
        instant: Instant::now(),
        wall_ms: UnixTime::now().as_secs() * 1_000,
    }
}

/// What is handed on of these, and why the rest is not.
fn keep(screen: &mut Screen, kind: Kind, digest: Vec<Heard>, told: Vec<Told>) -> (Message, Vec<Refused>) {
    let mut refused = Vec::new();
    let message = screen.keep(Message { kind, digest, told }, now(), &mut refused);
    (message, refused)
}

/// The same of one statement.
fn take(screen: &mut Screen, told: Told) -> Result<bool, Refused> {
    let (message, refused) = keep(screen, Kind::Ack, Vec::new(), vec![told]);
    match refused[..] {
        [] => Ok(!message.told.is_empty()),
        [why] => Err(why),
        _ => panic!("{refused:?}"),
    }
}

#[test]
fn who_proves_itself_is_known_from_then_on() {
    let ours = authority();
    let (mut screen, a) = (screen(&ours), Speaker::new(&ours, "a", 5));
    let (message, _) = keep(&mut screen, Kind::Syn, vec![a.heard(9)], vec![]);
    assert_eq!(message.digest, [], "nothing is proven of it");
    let (message, refused) = keep(&mut screen, Kind::Ack, vec![], vec![a.says(1, Phase::Serving)]);
    assert!(refused.is_empty());
    // chitchat hears of it before it is told, and asks for nothing more.
    assert_eq!((message.kind, message.told.len()), (Kind::SynAck, 1));
    let lines = |message: &Message| {
        let mut lines: Vec<_> = message
            .digest
            .iter()
            .map(|it| (it.process.node.to_string(), it.heartbeat))
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(
        lines(&message),
        [("a@5".to_owned(), FIRST_HEARTBEAT), ("me@5".to_owned(), 0)]
    );
    let (message, _) = keep(
        &mut screen,
        Kind::SynAck,
        vec![a.heard(9)],
        vec![a.says(2, Phase::Draining)],
    );
    assert_eq!(
        (message.kind, lines(&message)),
        (Kind::SynAck, vec![("a@5".to_owned(), 9)])
    );
    let (message, _) = keep(&mut screen, Kind::Ack, vec![], vec![a.says(3, Phase::Serving)]);
    assert_eq!((message.kind, message.told.len()), (Kind::Ack, 1));
}

#[test]
fn nobody_is_believed_who_could_not_be_linked() {
    let (ours, theirs) = (authority(), authority());
    let mut screen = screen(&ours);
    let stranger = Speaker::new(&theirs, "a", 5);
    assert_eq!(
        take(&mut screen, stranger.says(1, Phase::Serving)),
        Err(Refused::Untrusted)
    );
    let other_name = Speaker {
        process: process("a", 5),
        ..Speaker::new(&ours, "b", 5)
    };
    assert_eq!(
        take(&mut screen, other_name.says(1, Phase::Serving)),
        Err(Refused::Untrusted)
    );
    let a = Speaker::new(&ours, "a", 5);
    let said = a.says(1, Phase::Serving);
    let late = Now {
        wall_ms: now().wall_ms + u64::try_from(NODE_TIME.as_millis()).expect("a year") + 60_000,
        ..now()
    };
    assert_eq!(screen.judge(&said, late).err(), Some(Refused::Untrusted), "out of time");
    let bare = Told {
        statement: None,
        ..said.clone()
    };
    assert_eq!(take(&mut screen, bare), Err(Refused::Statement));
    assert_eq!(take(&mut screen, said), Ok(true));
}

#[test]
fn what_was_signed_is_good_for_that_and_nothing_else() {
    let ours = authority();
    let (mut screen, a) = (screen(&ours), Speaker::new(&ours, "a", 5));
    let said = a.says(3, Phase::Serving);
    let (_, text) = said.statement.clone().expect("said");
    let elsewhere = Process {
        gossip: ([10, 0, 0, 9], 4_436).into(),
        ..a.process.clone()
    };
    for (process, number, text) in [
        (process("a", 6), 3, text.clone()),
        (process("a", 4), 3, text.clone()),
        (elsewhere, 3, text.clone()),
        (a.process.clone(), 4, text.clone()),
        (a.process.clone(), u64::MAX, text.clone()),
        (a.process.clone(), 3, text.replace("phase serving", "phase left")),
    ] {
        let statement = Some((number, text));
        assert_eq!(take(&mut screen, Told { process, statement }), Err(Refused::Signature));
    }
    let staging = Screen::new(
        "staging",
        process("me", 5),
        Arc::clone(&screen.credentials),
        watch::channel(None).0,
    );
    assert_eq!(
        take(&mut { staging }, said.clone()),
        Err(Refused::Signature),
        "another cluster"
    );
    assert_eq!(take(&mut screen, said), Ok(true));
    assert_eq!(take(&mut screen, a.says(2, Phase::Left)), Ok(false), "it is past");
    assert_eq!(take(&mut screen, a.says(3, Phase::Left)), Err(Refused::DuplicateName));
    assert_eq!(take(&mut screen, a.says(4, Phase::Left)), Ok(true));
}

#[test]
fn a_later_start_takes_its_name_and_an_earlier_one_is_passed_over() {
    let ours = authority();
    let mut screen = screen(&ours);
    let [a5, a6] = [5, 6].map(|generation| Speaker::new(&ours, "a", generation));
    assert_eq!(take(&mut screen, a5.says(1, Phase::Serving)), Ok(true));
    assert_eq!(take(&mut screen, a6.says(1, Phase::Serving)), Ok(true));
    assert_eq!(take(&mut screen, a5.says(2, Phase::Serving)), Ok(false));
    let (message, _) = keep(&mut screen, Kind::Syn, vec![a5.heard(9), a6.heard(9)], vec![]);
    assert_eq!(message.digest, [a6.heard(9)]);
    let [me4, me5, me6] = [4, 5, 6].map(|generation| Speaker::new(&ours, "me", generation));
    for mine in [me4, me5] {
        assert_eq!(take(&mut screen, mine.says(9, Phase::Serving)), Ok(false));
    }
    assert_eq!(
        take(&mut screen, me6.says(1, Phase::Serving)),
        Ok(true),
        "this node has to know"
    );
}

#[test]
fn of_two_processes_of_one_generation_the_first_stays() {
    let ours = authority();
    let (mut screen, a) = (screen(&ours), Speaker::new(&ours, "a", 5));
    assert_eq!(take(&mut screen, a.says(1, Phase::Serving)), Ok(true));
    let elsewhere = Process {
        gossip: ([10, 0, 0, 9], 4_436).into(),
        ..a.process.clone()
    };
    for twin in [
        Speaker {
            process: elsewhere,
            ..Speaker::new(&ours, "a", 5)
        },
        Speaker {
            sender: [9; 16],
            ..Speaker::new(&ours, "a", 5)
        },
    ] {
        assert_eq!(
            take(&mut screen, twin.says(2, Phase::Left)),
            Err(Refused::DuplicateName)
        );
    }
    assert_eq!(take(&mut screen, a.says(2, Phase::Serving)), Ok(true));
}

#[test]
fn a_flood_is_checked_so_often_and_what_is_known_passes_it() {
    let (ours, theirs) = (authority(), authority());
    let (mut screen, a) = (screen(&ours), Speaker::new(&ours, "a", 5));
    let said = a.says(1, Phase::Serving);
    assert_eq!(take(&mut screen, said.clone()), Ok(true));
    let lie = Speaker::new(&theirs, "a", 6).says(1, Phase::Left);
    let most = CHECKS_PER_SECOND_MAX as usize;
    let instant = Instant::now();
    let mut flood = |after: Duration, count: usize| {
        let message = Message {
            kind: Kind::Ack,
            digest: vec![],
            told: [vec![lie.clone(); count], vec![said.clone()]].concat(),
        };
        let now = Now {
            instant: instant + after,
            ..now()
        };
        let mut refused = Vec::new();
        let kept = screen.keep(message, now, &mut refused);
        assert_eq!((kept.told.len(), refused.len()), (1, count));
        refused.iter().filter(|why| **why == Refused::Busy).count()
    };
    let first = flood(Duration::ZERO, 2 * most);
    assert!((most - 1..=most + 1).contains(&first), "{first}");
    assert_eq!(flood(Duration::ZERO, most), most);
    let later = flood(Duration::from_millis(500), most);
    assert!((most / 2 - 1..=most / 2 + 1).contains(&later), "{later}");
}

#[test]
fn an_authority_that_is_added_and_taken_out_counts_from_then_on() {
    let (old, new) = (authority(), authority());
    let mut screen = screen(&old);
    let [a, b] = ["a", "b"].map(|text| Speaker::new(&new, text, 5));
    assert_eq!(take(&mut screen, a.says(1, Phase::Serving)), Err(Refused::Untrusted));
    let renew = |screen: &Screen, trusted: &[&Authority]| {
        screen.credentials.store(Arc::new(credentials(&old, trusted, "me")));
    };
    renew(&screen, &[&old, &new]);
    assert_eq!(take(&mut screen, a.says(1, Phase::Serving)), Ok(true));
    renew(&screen, &[&old]);
    assert_eq!(take(&mut screen, b.says(1, Phase::Serving)), Err(Refused::Untrusted));
    assert_eq!(take(&mut screen, a.says(2, Phase::Serving)), Err(Refused::Untrusted));
    assert!(screen.proven().is_current(&a.process), "what was believed stays");
}

#[test]
fn a_later_start_of_this_nodes_name_is_told_of_if_it_has_proven_itself() {
    let (ours, others) = (authority(), authority());
    let (mut screen, mut there) = (screen(&ours), screen(&ours));
    let successor = screen.successor.subscribe();
    let is_told = || successor.borrow().clone();
    for (authority, generation) in [(&others, 6), (&ours, 5), (&ours, 4)] {
        let speaker = Speaker::new(authority, "me", generation);
        let _ = take(&mut screen, speaker.says(1, Phase::Serving));
        assert_eq!(is_told(), None, "me@{generation}");
    }
    let later = Speaker::new(&ours, "me", 7);
    assert_eq!(there.of_successor(&name("me")), None, "it knows of none");
    // Another node has heard what the later start signed, and passes it on.
    there.me = process("a", 1);
    assert_eq!(take(&mut there, later.says(1, Phase::Serving)), Ok(true));
    let message = there.of_successor(&name("me")).expect("it has proven itself");
    let mut refused = Vec::new();
    assert!(screen.pass(&message, now(), &mut refused).is_ok() && refused.is_empty());
    assert_eq!(is_told(), Some(later.process.node));
}
