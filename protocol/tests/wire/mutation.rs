//! Hostile bytes: whatever arrives, the decoders answer with a frame or a refusal, never with a panic.
//!
//! Each run draws a new seed and prints it; `SEED=... cargo test -p starling-protocol --test wire hostile` repeats it.

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use starling_protocol::frame::{Decoder, decode_client, decode_server, encode_client, encode_server};
use starling_protocol::limits;

use crate::cases;

/// Mutated bodies a run tries; in a debug build they take less than a second.
const BODIES: usize = 200_000;

/// Streams of mutated frames a run tries.
const STREAMS: usize = 20_000;

/// Longest body to start from: what is wrong in a long one is wrong in a short one, only slower.
const BODY_BYTES_MAX: usize = 1024;

#[test]
fn hostile_bodies_are_refused_or_mean_what_they_say() {
    let mut rng = seeded();
    let bodies = bodies();
    let mut taken = 0;
    for _ in 0..BODIES {
        let body = Bytes::from(hostile(&mut rng, &bodies));
        // What is taken must survive the way back: otherwise two nodes could disagree on what a client said.
        if let Ok(frame) = decode_client(body.clone()) {
            taken += 1;
            assert_eq!(decode_client(encode_client(frame.clone()).message()), Ok(frame));
        }
        if let Ok(frame) = decode_server(body) {
            taken += 1;
            assert_eq!(decode_server(encode_server(frame.clone()).message()), Ok(frame));
        }
    }
    assert!(
        taken > BODIES / 100,
        "{taken} taken: the mutations are so harsh that they test nothing but refusals"
    );
}

#[test]
fn hostile_streams_are_cut_within_the_limit() {
    let mut rng = seeded();
    let bodies = bodies();
    for _ in 0..STREAMS {
        let mut stream = vec![];
        for _ in 0..rng.usize(1..4) {
            let body = Bytes::copy_from_slice(&bodies[rng.usize(..bodies.len())]);
            prost::encoding::encode_varint(body.len() as u64, &mut stream);
            stream.extend_from_slice(&body);
        }
        if rng.bool() {
            mutate(&mut rng, &mut stream, &bodies);
        }
        let whole = cut(&stream, || stream.len().max(1));
        let pieces = cut(&stream, || rng.usize(1..16));
        assert_eq!(whole, pieces, "how a stream is read does not change what is in it");
    }
}

/// The bodies found in a stream that is read in pieces of `piece()` bytes, and the refusal that ends it.
fn cut(stream: &[u8], mut piece: impl FnMut() -> usize) -> (Vec<Bytes>, Option<&'static str>) {
    let decoder = Decoder::new(limits::HELLO_BYTES_MAX);
    let (mut buffer, mut rest, mut bodies) = (BytesMut::new(), stream, vec![]);
    loop {
        match decoder.decode(&mut buffer) {
            Ok(Some(body)) => {
                assert!((1..=limits::HELLO_BYTES_MAX).contains(&body.len()));
                bodies.push(body);
            }
            Err(error) => return (bodies, Some(error.name())),
            Ok(None) if rest.is_empty() => {
                return (bodies, decoder.finish(&buffer).err().map(|error| error.name()));
            }
            Ok(None) => {
                let (read, left) = rest.split_at(piece().min(rest.len()));
                buffer.extend_from_slice(read);
                assert!(
                    buffer.capacity() <= 4 * limits::HELLO_BYTES_MAX + stream.len(),
                    "room follows the limit"
                );
                rest = left;
            }
        }
    }
}

fn seeded() -> Rng {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    Rng::with_seed(seed)
}

fn bodies() -> Vec<Bytes> {
    let client = cases::client()
        .into_iter()
        .map(|case| encode_client(case.body).message());
    let server = cases::server()
        .into_iter()
        .map(|case| encode_server(case.body).message());
    client
        .chain(server)
        .filter(|body| body.len() <= BODY_BYTES_MAX)
        .collect()
}

/// Noise, or a body with one to four changes.
fn hostile(rng: &mut Rng, bodies: &[Bytes]) -> Vec<u8> {
    if rng.u8(..16) == 0 {
        return (0..rng.usize(..64)).map(|_| rng.u8(..)).collect();
    }
    let mut body = bodies[rng.usize(..bodies.len())].to_vec();
    for _ in 0..rng.usize(1..=4) {
        mutate(rng, &mut body, bodies);
    }
    body
}

/// One change, of the kinds that parsers get wrong.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, bodies: &[Bytes]) {
    let at = rng.usize(..=bytes.len());
    let end = rng.usize(at..=bytes.len());
    match rng.u8(..8) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, rng.u8(..)),
        2 => drop(bytes.drain(at..end)),
        3 => bytes.extend_from_within(at..end),
        // A number that is too long, or as large as can be.
        4 => drop(bytes.splice(at..at, std::iter::repeat_n(0xff, rng.usize(1..12)))),
        5 => {
            let other = &bodies[rng.usize(..bodies.len())];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
        }
        6 if at < bytes.len() => bytes[at] = rng.u8(..),
        _ if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        _ => {}
    }
}
