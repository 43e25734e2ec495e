//! The corpora, replayed. Their seeds are what Yjs and yrs write, what editors say, and bytes that once cost somebody.

use super::*;
use crate::document::golden::{self, Editors, bytes};
use crate::document::lib0::put_buffer;
use replay::replay;

#[path = "../../../fuzz/replay.rs"]
mod replay;

/// Buffers with their lengths before them.
fn framed(buffers: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    buffers.into_iter().for_each(|buffer| put_buffer(&mut out, &buffer));
    out
}

/// Hexadecimal buffers with their lengths before them.
fn said(frames: &[&str]) -> Vec<u8> {
    framed(frames.iter().map(|hex| bytes(hex)))
}

fn hostile() -> impl Iterator<Item = (String, Vec<u8>)> {
    let nested = [&bytes("01 01 01 00 08 01 01 61 01")[..], &[117, 1].repeat(300)].concat();
    let known = golden::hostile().map(|(name, hostile)| (format!("hostile {name}"), hostile));
    known.chain([("hostile values nested 300 deep".to_owned(), nested)])
}

/// What Yjs wrote, each document with its updates in order.
fn documents_of_yjs() -> Vec<(String, Vec<Vec<u8>>)> {
    let mut documents: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for (name, update) in golden::yjs() {
        let of = name.rsplit_once(' ').map_or(&*name, |(of, _)| of);
        match documents.last_mut() {
            Some((last, updates)) if last == of => updates.push(update),
            _ => documents.push((of.to_owned(), vec![update])),
        }
    }
    documents
}

#[test]
fn updates_are_taken_in_or_refused() {
    let yjs = golden::yjs().step_by(2);
    let yrs = (0..8).map(|seed| (format!("yrs {seed}"), Editors::new(seed, 2).edit()));
    replay("document_update", update, hostile().chain(yjs).chain(yrs));
}

#[test]
fn documents_survive_all_of_their_updates() {
    let yjs = documents_of_yjs().into_iter();
    let yjs = yjs.map(|(name, updates)| (name, framed(updates)));
    let yrs = (0..10).map(|seed| {
        let mut editors = Editors::new(seed, 3);
        let updates = (0..8).map(|step| if step % 4 == 3 { editors.hear() } else { editors.edit() });
        (format!("yrs {seed}"), framed(updates))
    });
    let backwards = documents_of_yjs().into_iter().take(6);
    let backwards = backwards.map(|(name, updates)| (format!("{name} backwards"), framed(updates.into_iter().rev())));
    let after = hostile().map(|(name, hostile)| (name, framed([golden::yjs_of("text whole"), hostile])));
    replay("document_edits", edits, yjs.chain(yrs).chain(backwards).chain(after));
}

#[test]
fn state_vectors_are_answered_or_refused() {
    let vectors = [
        "00",
        "01 01 05",
        "02 01 05 ff ff ff ff 0f 01",
        "01 01 ff ff ff ff 0f",
        "02 01 01 01 02",
        "01",
        "80 01",
    ];
    let vectors = vectors.into_iter().map(|hex| (hex.to_owned(), bytes(hex)));
    let yjs = [("two clients".to_owned(), golden::yjs_of("state vector of two"))];
    replay(
        "document_state_vector",
        state_vector,
        vectors.chain(yjs).chain(hostile()),
    );
}

#[test]
fn awareness_is_taken_or_refused_and_goes_with_its_connections() {
    let talks: [(&str, &[&str]); 7] = [
        ("one comes", &["01 01 00 02 7b 7d"]),
        (
            "one leaves",
            &["01 01 00 02 7b 7d", "00", "00", "01 01 01 04 6e 75 6c 6c"],
        ),
        (
            "an echo",
            &["01 01 00 02 7b 7d", "01 01 00 02 7b 7d", "01 01 05 02 7b 7d"],
        ),
        ("two at once", &["02 01 00 02 7b 7d 02 07 02 7b 7d"]),
        ("one twice", &["02 01 00 02 7b 7d 01 01 02 7b 7d"]),
        (
            "the last clock",
            &["01 01 ff ff ff ff 0f 02 7b 7d", "01 01 ff ff ff ff 0f 04 6e 75 6c 6c"],
        ),
        ("no text", &["01 01 00 02 c3 28"]),
    ];
    let talks = talks
        .into_iter()
        .map(|(name, messages)| (name.to_owned(), said(messages)));
    let hostile = hostile().map(|(name, hostile)| (name, framed([hostile])));
    replay("document_awareness", awareness, talks.chain(hostile));
}

#[test]
fn frames_of_y_websocket_are_understood_or_refused() {
    let frames: [(&str, &[&str]); 8] = [
        ("begins", &["00 00 01 00", "01 06 01 01 00 02 7b 7d"]),
        (
            "edits",
            &[
                "00 00 01 00",
                "00 02 0c 01 01 01 00 04 01 01 74 02 68 69 00",
                "00 01 02 00 00",
            ],
        ),
        ("several at once", &["03 01 08 01 02 01 04 6e 75 6c 6c 00 00 01 00"]),
        ("is denied", &["02 00 04 6e 6f 70 65"]),
        ("no message", &["07"]),
        ("no step", &["00 03 00"]),
        ("too long", &["00 02 ff ff ff ff 0f"]),
        ("no end of a number", &["ff ff ff ff ff ff ff ff ff ff 01"]),
    ];
    let frames = frames.into_iter().map(|(name, frames)| (name.to_owned(), said(frames)));
    let updates = hostile().map(|(name, hostile)| (name, framed([Message::Sync(Sync::Update(&hostile)).frame()])));
    let of_yjs = documents_of_yjs().into_iter().map(|(name, updates)| {
        let frames = updates.iter().map(|update| Message::Sync(Sync::Step2(update)).frame());
        (format!("document {name}"), framed(frames))
    });
    replay("editor_yjs", yjs, frames.chain(updates).chain(of_yjs));
}

#[test]
fn frames_of_hocuspocus_are_understood_or_refused() {
    let frames: [(&str, &[&str]); 10] = [
        (
            "begins",
            &[
                "01 64 02 00 04 67 6f 6f 64 05 34 2e 38 2e 30",
                "01 64 00 00 01 00",
                "01 64 03",
            ],
        ),
        (
            "edits",
            &[
                "01 64 00 02 0c 01 01 01 00 04 01 01 74 02 68 69 00",
                "01 64 00 00 01 00",
            ],
        ),
        ("replies", &["01 64 04 01 02 00 00"]),
        ("is there", &["01 64 01 06 01 01 00 02 7b 7d"]),
        ("says something else", &["01 64 05 03 68 65 79"]),
        ("closes", &["05 61 2f 62 00 37 07"]),
        ("pings", &["09", "0a"]),
        ("to all servers", &["01 64 06 01 61"]),
        ("without a message", &["01 64"]),
        ("too long", &["01 64 00 00 ff ff ff ff 0f"]),
    ];
    let frames = frames.into_iter().map(|(name, frames)| (name.to_owned(), said(frames)));
    let updates = documents_of_yjs().into_iter().map(|(name, updates)| {
        let head = [1, b'd', 0];
        let frames = updates.iter().map(|update| {
            let message = Message::Sync(Sync::Update(update)).frame();
            [&head[..], &message[1..]].concat()
        });
        (format!("document {name}"), framed(frames))
    });
    replay("editor_hocuspocus", hocuspocus, frames.chain(updates));
}

#[test]
fn patterns_read_back_and_match_by_segments() {
    let texts = [
        "*\na:b",
        "chat:*\nchat:a\nchat:a:b\nchat",
        "chat:*:log\nchat:a:log\nchat:a:b:log",
        "a*\na:b",
        "a::b\na:b",
        "doc:räume:küche\ndoc:räume:küche",
        ":",
        "a:b:c:d:e:f:g:h:i:j:k:l:m:n:o:p:q:r\na:b",
    ];
    let seeds = texts
        .into_iter()
        .enumerate()
        .map(|(at, text)| (at.to_string(), text.into()));
    replay("access_pattern", pattern, seeds);
}
