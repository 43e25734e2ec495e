//! The corpora, replayed. Their seeds are the golden vectors.

use serde_json::Value;

use super::*;
use replay::replay;

#[path = "../../../fuzz/replay.rs"]
mod replay;

/// The vectors of a file: their names, and they.
fn vectors(file: &str) -> Vec<(String, Value)> {
    let path = format!("{}/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = json["vectors"].as_array().unwrap();
    let named = |vector: &Value| (vector["name"].as_str().unwrap().to_owned(), vector.clone());
    vectors.iter().map(named).collect()
}

/// Bytes as vectors note them: hexadecimal, or parts of it, some of which are repeated.
fn unhex(value: &Value) -> Vec<u8> {
    match value {
        Value::String(digits) => {
            let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            (0..digits.len()).step_by(2).map(pair).collect()
        }
        Value::Array(parts) => parts.iter().flat_map(unhex).collect(),
        run => unhex(&run["repeat"]).repeat(run["times"].as_u64().unwrap() as usize),
    }
}

/// Two of three frames from one side that are good, and every fourth that is not: the rest are their like.
fn bodies(side: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
    let good = vectors(side).into_iter().enumerate().filter(|(at, _)| at % 3 < 2);
    let from_it = move |(_, vector): &(String, Value)| vector["from"] == side;
    let others = [vectors("refused"), vectors("tolerated")].concat();
    let others: Vec<_> = others.into_iter().filter(from_it).step_by(4).collect();
    let all = good.map(|(_, one)| one).chain(others);
    all.map(|(name, vector)| (name, unhex(&vector["body"]))).take(60)
}

#[test]
fn frames_of_clients_neither_panic_nor_change_on_the_way_back() {
    replay("protocol_client", client, bodies("client"));
}

#[test]
fn frames_of_servers_neither_panic_nor_change_on_the_way_back() {
    replay("protocol_server", server, bodies("server"));
}

#[test]
fn streams_are_read_the_same_however_they_are_cut() {
    let streams = vectors("stream").into_iter();
    let seeds = streams.map(|(name, stream)| (name, [vec![3], unhex(&stream["reads"])].concat()));
    replay("protocol_stream", stream, seeds);
}
