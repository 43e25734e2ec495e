//! Datagrams as a node, and as somebody else, would send them.

use chitchat::{ChitchatMessage, Serializable as _};
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use starling_core::id::{Generation, NodeId};

use super::super::seal::Sealer;
use super::super::statement::Process;
use super::*;

const NOW: u64 = 1_700_000_000_000;
const MESSAGE: ChitchatMessage = ChitchatMessage::BadCluster;

fn ring(keys: &[&str]) -> KeyRing {
    let lines: Vec<_> = keys.iter().map(|digits| digits.repeat(32)).collect();
    KeyRing::parse(&lines.join("\n")).expect("keys")
}

fn node(name: &str, generation: u64) -> NodeId {
    NodeId {
        name: NodeName::parse(name).expect("a name"),
        generation: Generation(generation),
    }
}

fn sealer(name: &str, generation: u64, sender: u8) -> Sealer {
    Sealer::new(node(name, generation), "prod", [sender; 16])
}

fn opener() -> Opener {
    Opener::new("prod", [0; 16])
}

fn seal(sealer: &mut Sealer, ring: &KeyRing, at: u64) -> Vec<u8> {
    let mut out = Vec::new();
    sealer
        .seal(ring, at, |out| MESSAGE.serialize(out), &mut out)
        .expect("it fits");
    out
}

fn open(opener: &mut Opener, ring: &KeyRing, datagram: &[u8]) -> Result<Vec<u8>, Refused> {
    open_beside(&Proven::default(), opener, ring, datagram)
}

fn open_beside(proven: &Proven, opener: &mut Opener, ring: &KeyRing, datagram: &[u8]) -> Result<Vec<u8>, Refused> {
    opener
        .open(ring, proven, NOW, &mut datagram.to_vec())
        .map(<[u8]>::to_vec)
}

/// Somebody has signed that this start of a name is its newest.
fn prove(proven: &mut Proven, name: &str, generation: u64, sender: u8) {
    let process = Process {
        node: node(name, generation),
        gossip: ([127, 0, 0, 1], 1).into(),
    };
    proven.take(&process, [sender; 16], 1, "", NOW).expect("it is newer");
}

#[test]
fn what_a_node_seals_the_others_open_once() {
    let (ring, mut opener, mut sealer) = (ring(&["01"]), opener(), sealer("a", 1, 1));
    let datagrams: Vec<_> = (0..3).map(|_| seal(&mut sealer, &ring, NOW)).collect();
    for datagram in datagrams.iter().rev() {
        assert_eq!(open(&mut opener, &ring, datagram), Ok(MESSAGE.serialize_to_vec()));
    }
    for datagram in &datagrams {
        assert_eq!(open(&mut opener, &ring, datagram), Err(Refused::Replayed));
    }
}

#[test]
fn nothing_of_a_message_is_in_the_clear() {
    let datagram = seal(&mut sealer("secret-name", 1, 1), &ring(&["01"]), NOW);
    let message = MESSAGE.serialize_to_vec();
    assert!(!datagram.windows(11).any(|bytes| bytes == b"secret-name"));
    assert!(!datagram.windows(message.len()).any(|bytes| bytes == message));
}

#[test]
fn another_key_and_another_cluster_do_not_open() {
    let sealed = seal(&mut sealer("a", 1, 1), &ring(&["01"]), NOW);
    assert_eq!(open(&mut opener(), &ring(&["02"]), &sealed), Err(Refused::UnknownKey));
    let mut other = Opener::new("staging", [0; 16]);
    assert_eq!(open(&mut other, &ring(&["01"]), &sealed), Err(Refused::Forged));
}

#[test]
fn a_key_is_changed_without_a_gap_and_the_old_one_then_opens_nothing() {
    let (old, both, turned, new) = (ring(&["01"]), ring(&["01", "02"]), ring(&["02", "01"]), ring(&["02"]));
    let (mut opener, mut sealer) = (opener(), sealer("a", 1, 1));
    for (sealing, opening) in [
        (&old, &old),
        (&old, &both),
        (&turned, &both),
        (&turned, &new),
        (&new, &new),
    ] {
        let datagram = seal(&mut sealer, sealing, NOW);
        assert!(open(&mut opener, opening, &datagram).is_ok());
    }
    let late = seal(&mut sealer, &old, NOW);
    assert_eq!(open(&mut opener, &new, &late), Err(Refused::UnknownKey));
}

#[test]
fn a_capture_does_not_revive_the_dead() {
    let ring = ring(&["01"]);
    let before = seal(&mut sealer("a", 1, 1), &ring, NOW);
    let (mut opener, mut proven) = (opener(), Proven::default());
    prove(&mut proven, "a", 1, 1);
    assert!(open_beside(&proven, &mut opener, &ring, &before).is_ok());
    let restarted = seal(&mut sealer("a", 2, 2), &ring, NOW);
    assert!(open_beside(&proven, &mut opener, &ring, &restarted).is_ok());
    let again = open_beside(&proven, &mut opener, &ring, &before);
    assert_eq!(
        again,
        Err(Refused::Replayed),
        "that a later start is sealed proves nothing"
    );
    prove(&mut proven, "a", 2, 2);
    let again = open_beside(&proven, &mut opener, &ring, &before);
    assert_eq!(again, Err(Refused::OldGeneration));
    // A receiver that has just started knows no generations; time is what it has.
    let age = u64::try_from(AGE_MAX.as_millis()).expect("seconds");
    for at in [NOW - age - 1, NOW + age + 1] {
        let stale = seal(&mut sealer("a", 1, 1), &ring, at);
        assert_eq!(
            open(&mut Opener::new("prod", [0; 16]), &ring, &stale),
            Err(Refused::Stale)
        );
    }
}

#[test]
fn of_two_processes_with_one_name_the_younger_is_heard_once_it_is_proven() {
    let (ring, mut opener, mut proven) = (ring(&["01"]), opener(), Proven::default());
    let (mut older, mut younger, mut twin) = (sealer("a", 1, 1), sealer("a", 2, 2), sealer("a", 2, 3));
    let mut open =
        |proven: &Proven, sealer: &mut Sealer| open_beside(proven, &mut opener, &ring, &seal(sealer, &ring, NOW)).err();
    for sealer in [&mut older, &mut younger, &mut twin] {
        assert_eq!(open(&proven, sealer), None);
    }
    prove(&mut proven, "a", 2, 2);
    assert_eq!(open(&proven, &mut older), Some(Refused::OldGeneration));
    assert_eq!(open(&proven, &mut twin), Some(Refused::DuplicateName));
    assert_eq!(open(&proven, &mut younger), None);
}

#[test]
fn who_has_the_key_cannot_have_a_node_refused() {
    let (ring, mut opener, mut proven) = (ring(&["01"]), opener(), Proven::default());
    prove(&mut proven, "a", 1, 1);
    let mut open = |sealer: &mut Sealer, at: u64| {
        let mut datagram = seal(sealer, &ring, at);
        opener.open(&ring, &proven, NOW, &mut datagram).map(|_| ())
    };
    let (mut genuine, mut forger) = (sealer("a", 1, 1), sealer("a", 1, 1));
    assert_eq!(open(&mut genuine, NOW), Ok(()));
    // It takes the sender's counters before it, seals later starts of its name, and as the sender under other names.
    for _ in 0..1_000 {
        assert_eq!(open(&mut forger, NOW + 1), Ok(()));
    }
    for generation in 2..500 {
        assert_eq!(open(&mut sealer("a", generation, 2), NOW), Ok(()));
        assert_eq!(open(&mut sealer("b", generation, 1), NOW), Ok(()));
    }
    for _ in 0..2_000 {
        assert_eq!(open(&mut genuine, NOW), Ok(()));
    }
}

#[test]
fn our_own_datagrams_are_not_taken_from_a_mirror() {
    let (ring, mut opener) = (ring(&["01"]), Opener::new("prod", [9; 16]));
    let own = seal(&mut sealer("me", 1, 9), &ring, NOW);
    assert_eq!(open(&mut opener, &ring, &own), Err(Refused::Reflected));
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let ring = ring(&["01"]);
    let sealed = seal(&mut sealer("a", 1, 1), &ring, NOW);
    let mut opener = opener();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 0x10;
        let expected = match at {
            0 => Refused::Version,
            1..5 => Refused::UnknownKey,
            _ => Refused::Forged,
        };
        assert_eq!(open(&mut opener, &ring, &changed), Err(expected), "byte {at}");
    }
    for length in 0..sealed.len() {
        assert!(open(&mut opener, &ring, &sealed[..length]).is_err(), "{length} bytes");
    }
    assert!(
        open(&mut opener, &ring, &sealed).is_ok(),
        "what was refused left no trace"
    );
}

#[test]
fn garbage_of_any_size_is_refused_and_remembered_nowhere() {
    let (ring, mut opener) = (ring(&["01"]), opener());
    let genuine = seal(&mut sealer("a", 1, 1), &ring, NOW);
    for seed in 0..2_000 {
        let mut dice = SmallRng::seed_from_u64(seed);
        let length = match seed % 4 {
            0 => 65_507,
            1 => dice.random_range(0..64),
            _ => dice.random_range(0..2_000),
        };
        let mut garbage = vec![0; length];
        if seed % 3 != 0 {
            dice.fill_bytes(&mut garbage);
        }
        // Half of it gets as far as the cipher.
        if seed % 2 == 0 && length > 21 {
            garbage[..5].copy_from_slice(&genuine[..5]);
        }
        let opened = opener.open(&ring, &Proven::default(), NOW, &mut garbage);
        assert!(opened.is_err(), "seed {seed}");
    }
    assert_eq!(opener.replays.kept(), 0);
}

#[test]
fn a_message_that_fits_no_datagram_is_known_before_it_is_sent() {
    let (ring, mut sealer, mut opener) = (ring(&["01"]), sealer("a", 1, 1), opener());
    let syn = |length: usize| ChitchatMessage::Syn {
        cluster_id: "x".repeat(length),
        digest: Default::default(),
    };
    let mut out = Vec::new();
    sealer
        .seal(&ring, NOW, |out| syn(65_000).serialize(out), &mut out)
        .expect("it fits");
    assert!(open(&mut opener, &ring, &out).is_ok());
    let refused = sealer.seal(&ring, NOW, |out| syn(65_500).serialize(out), &mut out);
    assert!(refused.is_err_and(|oversize| oversize.bytes > 65_507));
}
