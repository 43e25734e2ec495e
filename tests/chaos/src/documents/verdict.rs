//! The copies of each document compared, and what was told as saved looked for in them.

use std::ops::Deref;
use std::path::PathBuf;

use serde::Serialize;
use yrs::updates::decoder::Decode as _;
use yrs::{Doc, ReadTxn as _, Transact as _, Update};

use super::draft::{self, Content, Draft, Saved};
use crate::error::Error;
use crate::gaps::percentile_ms;
use crate::run::Plan;

const SAVE_MS_P50_MAX: f64 = 15.0;
const SAVE_MS_P99_MAX: f64 = 50.0;

/// Of what is lost, so many edits are told for each document.
const TOLD_MAX: usize = 8;

/// What there is of one document in the end.
pub(super) struct Copies {
    pub(super) document: String,
    /// What each node told somebody new, or why it did not.
    pub(super) nodes: Vec<(String, Result<Doc, String>)>,
    /// The numbers of its editors.
    pub(super) editors: Vec<usize>,
}

/// One JSON object: the last line of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    scenario: String,
    seed: u64,
    faults: u32,
    editors: usize,
    documents: usize,
    /// Made, and of these while an editor that had lost its connection had no other.
    edits: u64,
    edits_offline: u64,
    /// Told as saved.
    saved: u64,
    /// Told as saved, and not in the document in the end.
    saved_lost: u64,
    /// Never told as saved.
    unsaved: u64,
    /// Documents of which not everybody has the same.
    diverged: usize,
    /// Times that a node did not tell a document.
    untold: usize,
    /// Connections that editors lost, or left to return to their own node.
    returns: u64,
    save_ms_p50: Option<f64>,
    save_ms_p99: Option<f64>,
    panics: u64,
    unclean_exits: u64,
    harness_lag_ms: f64,
    logs: PathBuf,
    /// Why this is not good enough; empty if it is.
    missed: Vec<String>,
    #[serde(skip)]
    asked: u32,
    #[serde(skip)]
    troubles: Vec<String>,
}

impl Verdict {
    pub(super) fn new(plan: &Plan, (editors, documents): (usize, usize)) -> Self {
        Self {
            scenario: plan.scenario.to_string(),
            seed: plan.seed,
            faults: 0,
            editors,
            documents,
            edits: 0,
            edits_offline: 0,
            saved: 0,
            saved_lost: 0,
            unsaved: 0,
            diverged: 0,
            untold: 0,
            returns: 0,
            save_ms_p50: None,
            save_ms_p99: None,
            panics: 0,
            unclean_exits: 0,
            harness_lag_ms: 0.0,
            logs: plan.directory.clone(),
            missed: Vec::new(),
            asked: plan.faults,
            troubles: Vec::new(),
        }
    }

    pub(super) const fn fault_made(&mut self) {
        self.faults += 1;
    }

    /// A node does not come back.
    pub(super) fn trouble(&mut self, error: &Error) {
        self.troubles.push(error.to_string());
    }

    /// Compares what nodes and editors have of each document. Editors are by their numbers.
    pub(super) fn judge<D: Deref<Target = Draft>>(&mut self, documents: &[Copies], drafts: &[D]) {
        for document in documents {
            self.judge_one(document, drafts);
        }
        let mut nanos = Vec::new();
        for draft in drafts {
            self.edits += draft.made();
            self.edits_offline += draft.made_offline();
            self.saved += draft.saved().len() as u64;
            self.unsaved += draft.unsaved() as u64;
            nanos.extend_from_slice(draft.save_nanos());
        }
        self.save_ms_p50 = percentile_ms(&nanos, 50);
        self.save_ms_p99 = percentile_ms(&nanos, 99);
    }

    fn judge_one<D: Deref<Target = Draft>>(&mut self, copies: &Copies, drafts: &[D]) {
        let Copies { document, .. } = copies;
        let mut contents: Vec<(String, Content)> = Vec::new();
        for (node, told) in &copies.nodes {
            match told {
                Ok(doc) => contents.push((format!("node {node}"), draft::content(doc))),
                Err(reason) => {
                    self.untold += 1;
                    eprintln!("chaos: node {node} does not tell {document}: {reason}");
                }
            }
        }
        for number in &copies.editors {
            contents.push((format!("editor-{number}"), drafts[*number].content()));
        }
        if let Some((first, rest)) = contents.split_first()
            && let others = rest
                .iter()
                .filter(|(_, content)| *content != first.1)
                .collect::<Vec<_>>()
            && !others.is_empty()
        {
            self.diverged += 1;
            eprintln!("chaos: {document} is not the same everywhere");
            for (who, Content { text, snapshot }) in std::iter::once(first).chain(others) {
                let (letters, vector) = (text.chars().count(), &snapshot.state_map);
                eprintln!("chaos: {who} has {letters} letters of {document}: {vector:?}");
            }
        }
        // What is in one and not in another is told as diverged; one that was told is looked through.
        for doc in copies.nodes.iter().filter_map(|(_, told)| told.as_ref().ok()).take(1) {
            for number in &copies.editors {
                let lost = lost(doc, drafts[*number].saved());
                for edit in lost.iter().take(TOLD_MAX) {
                    eprintln!("chaos: edit {edit} of editor-{number} was told as saved, and is not in {document}");
                }
                self.saved_lost += lost.len() as u64;
            }
        }
    }

    pub(super) fn finish(&mut self, returns: u64, panics: u64, unclean_exits: u64, lag_ms: f64) {
        self.returns = returns;
        (self.panics, self.unclean_exits, self.harness_lag_ms) = (panics, unclean_exits, lag_ms);
    }

    /// Says what falls short; times only if they are judged.
    pub(crate) fn close(&mut self, untimed: bool) {
        let counts = [
            ("saved edits are lost", self.saved_lost),
            ("documents are not the same everywhere", self.diverged as u64),
            ("edits were never told as saved", self.unsaved),
            ("times a node did not tell a document", self.untold as u64),
            ("panics", self.panics),
            ("nodes that ended with an error", self.unclean_exits),
        ];
        let found = counts.iter().filter(|(_, count)| *count > 0);
        let mut missed: Vec<_> = found.map(|(what, count)| format!("{count} {what}")).collect();
        missed.append(&mut self.troubles);
        if self.faults != self.asked {
            missed.push("not every fault was made".to_owned());
        }
        let times = [
            ("save_ms_p50", self.save_ms_p50, SAVE_MS_P50_MAX),
            ("save_ms_p99", self.save_ms_p99, SAVE_MS_P99_MAX),
        ];
        for (what, value, most) in times {
            match value {
                Some(value) if value > most && !untimed => {
                    missed.push(format!("{what} is {value}, and the goal is {most}"));
                }
                None => missed.push(format!("{what} was not seen, so the run shows nothing of it")),
                Some(_) => {}
            }
        }
        // The first fault is a kill.
        if self.faults > 0 && (self.returns == 0 || self.edits_offline == 0) {
            missed.push("nobody lost a connection and typed on, so the run shows nothing of it".to_owned());
        }
        self.missed = missed;
    }

    pub(crate) fn missed(&self) -> &[String] {
        &self.missed
    }

    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).expect("a verdict is plain data")
    }
}

/// The numbers of the edits that a document does not have.
fn lost(doc: &Doc, edits: &[Saved]) -> Vec<u64> {
    let snapshot = doc.transact().snapshot();
    // Looked for in a copy, because what is lost is put into it.
    let copy = Doc::new();
    let whole = doc.transact().encode_state_as_update_v1(&yrs::StateVector::default());
    let mut lost = Vec::new();
    if draft::apply(&copy, &whole).is_err() {
        return edits.iter().map(|edit| edit.number).collect();
    }
    for edit in edits {
        let Ok(update) = Update::decode_v1(&edit.update) else {
            lost.push(edit.number);
            continue;
        };
        let insertions = update.insertions(true);
        let has_insertions = insertions.iter().all(|(client, ranges)| {
            let most = snapshot.state_map.get(client);
            ranges.iter().all(|range| range.end <= most)
        });
        let has_deletions = update.delete_set().diff(&snapshot.delete_set).is_empty();
        let mut transaction = copy.transact_mut();
        let applied = transaction.apply_update(update);
        let is_news = transaction.encode_update_v1() != NOTHING || transaction.has_missing_updates();
        if !has_insertions || !has_deletions || applied.is_err() || is_news {
            lost.push(edit.number);
        }
    }
    lost
}

/// An update of no client's that deletes nothing.
const NOTHING: [u8; 2] = [0, 0];

#[cfg(test)]
mod tests;
