//! An editor, as the clients of Yjs behave.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use rand::RngExt as _;
use rand::rngs::SmallRng;
use yrs::updates::decoder::Decode as _;
use yrs::updates::encoder::Encode as _;
use yrs::{
    ClientID, Doc, GetString as _, OffsetKind, Options, ReadTxn as _, StateVector, Text as _, Transact as _, Update,
    WriteTxn as _,
};

use super::store::Store;
use crate::document::awareness::encode;
use crate::document::gateway::Input;
use crate::document::message::EditorId;
use crate::document::scan::{self, Limits};

pub(super) struct Tab {
    pub(super) client: u64,
    doc: Doc,
    pub(super) node: Option<usize>,
    pub(super) editor: EditorId,
    edit: u64,
    sent: VecDeque<(u64, Vec<u8>)>,
    /// What it knows of clients: their clocks, and whether they are there.
    states: BTreeMap<u64, (u64, bool)>,
}

impl Tab {
    pub(super) fn new(client: u64) -> Self {
        let options = Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_guid_and_client_id("".into(), ClientID::new(client))
        };
        Self {
            client,
            doc: Doc::with_options(options),
            node: None,
            editor: EditorId(0),
            edit: 0,
            sent: VecDeque::new(),
            states: BTreeMap::from([(client, (0, true))]),
        }
    }

    pub(super) const fn is_online(&self) -> bool {
        self.node.is_some()
    }

    /// A new connection: nothing that was said over the one before is answered any more, and others are unknown.
    pub(super) fn open(&mut self, node: usize, editor: EditorId) {
        (self.node, self.editor) = (Some(node), editor);
        self.sent.clear();
        self.states.retain(|client, _| *client == self.client);
    }

    pub(super) fn state_vector(&self) -> Bytes {
        self.doc.transact().state_vector().encode_v1().into()
    }

    pub(super) fn diff(&self, state_vector: &[u8]) -> Vec<u8> {
        let since = StateVector::decode_v1(state_vector).expect("a state vector");
        self.doc.transact().encode_state_as_update_v1(&since)
    }

    pub(super) fn apply(&mut self, update: &[u8]) {
        let update = Update::decode_v1(update).expect("an update");
        self.doc.transact_mut().apply_update(update).expect("it can be applied");
    }

    /// Types or deletes something.
    pub(super) fn edit(&mut self, dice: &mut SmallRng) -> Vec<u8> {
        let mut transaction = self.doc.transact_mut();
        let text = transaction.get_or_insert_text("t");
        let len = text.len(&transaction);
        if len > 4 && dice.random_ratio(1, 4) {
            let at = dice.random_range(0..len - 2);
            text.remove_range(&mut transaction, at, 2);
        } else {
            let at = dice.random_range(0..=len);
            let letter = char::from(b'a' + dice.random_range(0..26));
            text.insert(
                &mut transaction,
                at,
                &letter.to_string().repeat(dice.random_range(1..4)),
            );
        }
        transaction.encode_update_v1()
    }

    pub(super) fn sends(&mut self, update: Vec<u8>, is_step2: bool) -> Input {
        self.edit += 1;
        self.sent.push_back((self.edit, update.clone()));
        Input::Edit {
            editor: self.editor,
            edit: self.edit,
            update: update.into(),
            is_step2,
        }
    }

    /// It is told that its edits are saved: they are.
    pub(super) fn saved(&mut self, up_to: u64, store: &mut Store) {
        while let Some((edit, update)) = self.sent.pop_front_if(|(edit, _)| *edit <= up_to) {
            assert!(
                store.has(&update),
                "edit {edit} of tab {} is told as saved, and is not",
                self.client
            );
        }
    }

    pub(super) fn unsaved(&self) -> usize {
        self.sent.len()
    }

    pub(super) fn text(&self) -> String {
        let mut transaction = self.doc.transact_mut();
        let text = transaction.get_or_insert_text("t");
        text.get_string(&transaction)
    }

    /// Its own state, at its next clock.
    pub(super) fn announce(&mut self) -> Bytes {
        let state = self.states.entry(self.client).or_default();
        state.0 += 1;
        encode(&[(self.client, state.0, "{}")])
    }

    /// Takes the states of others in, as y-protocols does. Whether it has to say that it is still there.
    pub(super) fn aware(&mut self, states: &[u8]) -> bool {
        let mut is_denied = false;
        for entry in scan::awareness(states, &Limits::CLIENT).expect("an awareness message") {
            let known = self.states.get(&entry.client).copied();
            let is_there = entry.state != "null";
            let is_news =
                known.is_none_or(|(clock, was)| clock < entry.clock || clock == entry.clock && was && !is_there);
            if !is_news {
                continue;
            }
            if entry.client == self.client && !is_there {
                self.states.insert(self.client, (entry.clock, true));
                is_denied = true;
            } else {
                self.states.insert(entry.client, (entry.clock, is_there));
            }
        }
        is_denied
    }

    /// Who is there, as far as it knows.
    pub(super) fn sees(&self) -> BTreeSet<u64> {
        let there = self.states.iter().filter(|(_, (_, is_there))| *is_there);
        there.map(|(client, _)| *client).collect()
    }
}
