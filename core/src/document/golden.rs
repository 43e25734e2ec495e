//! Real updates for tests: some that Yjs wrote, and as many as one likes that yrs writes from a seed.

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use yrs::types::Attrs;
use yrs::updates::decoder::Decode as _;
use yrs::{
    Any, Array as _, ArrayPrelim, ClientID, Doc, Map as _, MapPrelim, OffsetKind, Options, ReadTxn as _, StateVector,
    Text as _, TextPrelim, Transact as _, TransactionMut, Update, WriteTxn as _, XmlElementPrelim, XmlFragment as _,
    XmlTextPrelim, any,
};

/// What Yjs wrote: a name, and bytes.
pub(crate) fn yjs() -> impl Iterator<Item = (String, Vec<u8>)> {
    let lines = include_str!("golden/yjs13.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (name, hex) = line.split_once(": ").expect("a name and bytes");
        (name.to_owned(), bytes(hex))
    })
}

/// One of them.
pub(crate) fn yjs_of(name: &str) -> Vec<u8> {
    let (_, bytes) = yjs()
        .find(|(other, _)| other == name)
        .expect("there is one of this name");
    bytes
}

/// Bytes in hexadecimal.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect()
}

/// A few clients that edit one document in every way, and hear of each other now and then.
pub(crate) struct Editors {
    docs: Vec<Doc>,
    dice: SmallRng,
    /// How many subdocuments they made, if they make any. None is removed again: yrs would use it after it was freed.
    subdocuments: Option<u32>,
}

impl Editors {
    pub(crate) fn new(seed: u64, clients: u64) -> Self {
        let mut dice = SmallRng::seed_from_u64(seed);
        let docs = (0..clients).map(|_| {
            let options = Options {
                offset_kind: OffsetKind::Utf16,
                ..Options::with_guid_and_client_id("".into(), ClientID::new(dice.random::<u64>() >> 11))
            };
            Doc::with_options(options)
        });
        Self {
            docs: docs.collect(),
            dice,
            subdocuments: None,
        }
    }

    /// Who put documents into documents, too.
    pub(crate) fn with_subdocuments(self) -> Self {
        Self {
            subdocuments: Some(0),
            ..self
        }
    }

    /// One edit: the update it made.
    pub(crate) fn edit(&mut self) -> Vec<u8> {
        let doc = self.docs[self.dice.random_range(0..self.docs.len())].clone();
        let mut transaction = doc.transact_mut();
        for _ in 0..self.dice.random_range(1..4) {
            self.change(&mut transaction);
        }
        transaction.encode_update_v1()
    }

    /// One client hears of all that another knows.
    pub(crate) fn hear(&mut self) -> Vec<u8> {
        let from = self.dice.random_range(0..self.docs.len());
        let to = self.dice.random_range(0..self.docs.len());
        let since = self.docs[to].transact().state_vector();
        let update = self.docs[from].transact().encode_state_as_update_v1(&since);
        let decoded = Update::decode_v1(&update).expect("yrs reads what it wrote");
        self.docs[to]
            .transact_mut()
            .apply_update(decoded)
            .expect("an honest update is applied");
        update
    }

    /// A whole document, as one client has it.
    pub(crate) fn whole(&self, client: usize) -> Vec<u8> {
        self.docs[client]
            .transact()
            .encode_state_as_update_v1(&StateVector::default())
    }

    fn change(&mut self, transaction: &mut TransactionMut<'_>) {
        let dice = &mut self.dice;
        let text = transaction.get_or_insert_text("text");
        let map = transaction.get_or_insert_map("map");
        let array = transaction.get_or_insert_array("array");
        let xml = transaction.get_or_insert_xml_fragment("xml");
        let length = text.len(transaction);
        let at = dice.random_range(0..=length);
        let some = dice.random_range(0..=(length - at).min(5));
        // No editor cuts a surrogate pair in two; where one is, yrs shows it differently in different orders.
        let words = ["a", "hello ", "grüße", "漢字", "line\n", ""];
        let word = words[dice.random_range(0..words.len())];
        let key = ["a", "b", "long key"][dice.random_range(0..3)];
        match dice.random_range(0..16) {
            0..=4 => text.insert(transaction, length.min(at), word),
            5 => text.remove_range(transaction, at, some),
            6 => {
                let attributes = Attrs::from([("bold".into(), true.into()), ("link".into(), any!({"href": "x"}))]);
                text.format(transaction, at, some, attributes);
            }
            7 => {
                let bold = Attrs::from([("bold".into(), Any::Null)]);
                text.insert_with_attributes(transaction, at, word, bold);
            }
            8 => drop(text.insert_embed(transaction, at, any!({"image": "a.png"}))),
            9 => drop(map.insert(
                transaction,
                key,
                any!({"x": [1, 2.5, true, null, {"y": "z"}], "big": 12345678901i64}),
            )),
            10 => drop(map.remove(transaction, key)),
            11 => {
                let nested = map.insert(transaction, key, MapPrelim::from([("in", "side")]));
                nested.insert(transaction, "list", ArrayPrelim::from([1, 2, 3]));
            }
            12 => {
                let index = dice.random_range(0..=array.len(transaction));
                array.insert_range(
                    transaction,
                    index,
                    [Any::from(1), Any::Undefined, Any::from(vec![1u8, 2, 3])],
                );
            }
            13 => {
                let entry = array.push_back(transaction, TextPrelim::new("in an array"));
                entry.push(transaction, word);
                let length = array.len(transaction);
                array.remove(transaction, dice.random_range(0..length));
            }
            14 => {
                let paragraph = xml.push_back(transaction, XmlElementPrelim::empty("paragraph"));
                paragraph.push_back(transaction, XmlTextPrelim::new("😀"));
                if dice.random_bool(0.3) {
                    xml.remove_range(transaction, 0, 1);
                }
            }
            _ => {
                if let Some(made) = &mut self.subdocuments {
                    *made += 1;
                    map.insert(
                        transaction,
                        made.to_string(),
                        Doc::with_client_id(dice.random::<u64>() >> 11),
                    );
                }
            }
        }
    }
}

/// Spoils bytes in one of the ways that bytes are spoiled.
pub(crate) fn spoil(bytes: &mut Vec<u8>, dice: &mut SmallRng) {
    if bytes.is_empty() {
        return bytes.push(dice.random());
    }
    for _ in 0..dice.random_range(1..4) {
        let at = dice.random_range(0..bytes.len());
        match dice.random_range(0..7) {
            0 => bytes[at] = dice.random(),
            1 => bytes[at] ^= 1 << dice.random_range(0..8),
            2 => bytes.insert(at, dice.random()),
            3 if bytes.len() > 1 => drop(bytes.remove(at)),
            4 => bytes.truncate(at.max(1)),
            5 => {
                let until = dice.random_range(at..=bytes.len());
                let copied = bytes[at..until].to_vec();
                bytes.splice(at..at, copied);
            }
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
}

/// Bytes that once cost somebody: a name, and the bytes. The seeds of the fuzz targets.
pub(crate) fn hostile() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let of = |name, hex: &str| (name, bytes(hex));
    [
        of("85 million clients", "83 f7 d9 28 fa b1 92"),
        of(
            "a value of 2^40 entries",
            "01 01 01 00 08 01 01 61 01 76 80 80 80 80 80 20",
        ),
        of("2^40 entries", "80 80 80 80 80 20"),
        of("16383 blocks", "01 ff 7f 01 00 00 01 00"),
        of("the length of a range wraps", "00 01 01 01 ff ff ff ff 0f 02"),
        of("a clock wraps", "01 01 01 ff ff ff ff 0f 00 02 00"),
        of("one client in two pieces", "02 01 01 00 00 01 01 01 00 00 01 00"),
        of("no end of a number", "ff ff ff ff ff ff ff ff ff ff ff ff"),
        of("nothing", ""),
        (
            "values nested a million deep",
            [&bytes("01 01 01 00 08 01 01 61 01")[..], &[117, 1].repeat(1_000_000)].concat(),
        ),
        (
            "half a million skips",
            [&bytes("01 a0 c2 1e 01 00")[..], &[10, 1].repeat(500_000), &[0]].concat(),
        ),
    ]
    .into_iter()
}

/// How long something takes.
#[expect(clippy::disallowed_methods, reason = "it is measured, and decides nothing")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}
