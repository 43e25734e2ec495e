//! Yjs documents, by the library yrs.
//!
//! What has to be known of it: offsets are counted in UTF-16 as JavaScript does, which is not its default. A transaction
//! commits when it is dropped, also while a panic unwinds; so after any failure the document is thrown away. Its author
//! id comes from the dice that the engine is given. Bytes that were not scanned never reach it.

use yrs::types::ToJson as _;
use yrs::updates::decoder::Decode as _;
use yrs::updates::encoder::Encode as _;
use yrs::{ClientID, Doc, GetString as _, OffsetKind, Options, ReadTxn, StateVector, Transact as _, Update};

use super::engine::{Applied, DocumentEngine, EngineError, Insert, News, Shape, Size};
use super::held::Held;
use super::lib0::SAFE_INTEGER_MAX;
use super::scan::{self, Limits};
use super::structure::{Plan, Structure};

mod cold;
mod contents;
mod restore;
mod shown;
mod writing;

pub use cold::YjsBytes;

/// See the module.
#[derive(Debug)]
pub struct YjsDocument {
    doc: Doc,
    structure: Structure,
    held: Held,
    limits: Limits,
    applied_bytes: u64,
    let_go: u64,
}

impl DocumentEngine for YjsDocument {
    type Cold = YjsBytes;

    fn new(dice: u64, limits: Limits) -> Self {
        let author = ClientID::new(dice & SAFE_INTEGER_MAX);
        // The guid is that of a document inside another, which this is not. Given, none is drawn.
        let options = Options {
            offset_kind: OffsetKind::Utf16,
            skip_gc: false,
            ..Options::with_guid_and_client_id("".into(), author)
        };
        Self {
            doc: Doc::with_options(options),
            structure: Structure::default(),
            held: Held::default(),
            limits,
            applied_bytes: 0,
            let_go: 0,
        }
    }

    fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    fn apply(&mut self, update: &[u8]) -> Result<Applied, EngineError> {
        let outline = scan::update(update, &self.limits)?;
        let plan = self.structure.plan(&outline, &self.limits)?;
        let is_whole = plan.is_whole(&outline);
        let has_blocks = plan.has_news;
        let mut parts = Vec::new();
        let mut is_news = false;
        if is_whole {
            is_news = self.take(update, plan)?;
        } else {
            // What waits must not turn out to be none when an honest edit brings what it waited for.
            decode(update)?;
            self.held
                .hold(plan.rest(update, &outline).collect(), plan.later(), &self.limits)?;
            let now = plan.now(update, &outline);
            parts.extend(self.take(&now, plan)?.then_some(now));
        }
        if has_blocks && !self.held.is_empty() {
            parts.append(&mut self.try_held()?);
        }
        let news = match (is_news, parts.is_empty()) {
            (false, true) => News::Nothing,
            (true, true) => News::Whole,
            (false, false) => News::Parts(parts),
            (true, false) => {
                parts.insert(0, update.to_vec());
                News::Parts(parts)
            }
        };
        let is_pending = !self.held.is_empty();
        Ok(Applied { news, is_pending })
    }

    fn has_news(&self, update: &[u8]) -> Result<bool, EngineError> {
        let outline = scan::update(update, &self.limits)?;
        let plan = self.structure.plan(&outline, &self.limits)?;
        if plan.has_news || !plan.is_whole(&outline) {
            return Ok(true);
        }
        if outline.deletes.is_empty() {
            return Ok(false);
        }
        let decoded = decode(update)?;
        let transaction = self.doc.try_transact().map_err(|_| EngineError::InUse)?;
        let deleted = transaction.snapshot().delete_set;
        let asked = decoded.delete_set();
        let is_done = |client: ClientID| match (asked.get(&client), deleted.get(&client)) {
            (Some(asked), Some(deleted)) => asked.subset_of(deleted),
            (asked, _) => asked.is_none(),
        };
        Ok(!asked.client_ids().all(is_done))
    }

    fn state_vector(&self) -> Result<Vec<u8>, EngineError> {
        let transaction = self.doc.try_transact().map_err(|_| EngineError::InUse)?;
        Ok(transaction.state_vector().encode_v1())
    }

    fn diff(&self, since: &[u8]) -> Result<Vec<u8>, EngineError> {
        scan::state_vector(since, &self.limits)?;
        let since = StateVector::decode_v1(since).map_err(|error| EngineError::Undecodable(error.to_string()))?;
        let transaction = self.doc.try_transact().map_err(|_| EngineError::InUse)?;
        Ok(transaction.encode_state_as_update_v1(&since))
    }

    fn encode(&self) -> Result<Vec<u8>, EngineError> {
        let transaction = self.doc.try_transact().map_err(|_| EngineError::InUse)?;
        Ok(transaction.encode_state_as_update_v1(&StateVector::default()))
    }

    fn held(&self) -> Vec<Vec<u8>> {
        self.held.updates()
    }

    fn read(&self, part: &str, shape: Shape) -> Result<Option<String>, EngineError> {
        let transaction = self.doc.try_transact().map_err(|_| EngineError::InUse)?;
        Ok(read(&transaction, part, shape))
    }

    fn parts(&self) -> Result<Vec<String>, EngineError> {
        let transaction = self.doc.try_transact().map_err(|_| EngineError::InUse)?;
        let mut parts: Vec<_> = transaction.root_refs().map(|(name, _)| name.to_owned()).collect();
        parts.sort_unstable();
        Ok(parts)
    }

    fn insert_text(&mut self, part: &str, inserts: &[Insert]) -> Result<Vec<u8>, EngineError> {
        self.structure.may_write(self.author(), &self.limits)?;
        let written = writing::insert(&self.doc, part, inserts, self.structure.blocks())?;
        // What it wrote itself is remembered as if it had come.
        let broken = |flaw| EngineError::HalfApplied(format!("what the node wrote itself {flaw}"));
        let outline = scan::update(&written, &Limits::STORED).map_err(broken)?;
        let plan = self.structure.plan(&outline, &Limits::STORED).map_err(broken)?;
        self.structure.remember(plan);
        self.applied_bytes += written.len() as u64;
        Ok(written)
    }

    fn author(&self) -> u64 {
        self.doc.client_id().get()
    }

    fn size(&self) -> Size {
        Size {
            clients: self.structure.clients(),
            applied_bytes: self.applied_bytes,
            pending: self.held.len(),
            let_go: self.let_go,
        }
    }
}

impl YjsDocument {
    /// Gives yrs an update of which every part can be applied. Whether it changed anything.
    fn take(&mut self, update: &[u8], plan: Plan) -> Result<bool, EngineError> {
        let decoded = decode(update)?;
        let mut transaction = self.doc.try_transact_mut().map_err(|_| EngineError::InUse)?;
        let before = transaction.state_vector();
        transaction
            .apply_update(decoded)
            .map_err(|error| EngineError::HalfApplied(error.to_string()))?;
        let after = transaction.state_vector();
        if before.iter().any(|(client, clock)| after.get(client) < *clock) {
            return Err(EngineError::Shrunk);
        }
        if transaction.has_missing_updates() {
            return Err(EngineError::HalfApplied("yrs waits for what is here".to_owned()));
        }
        let is_news = plan.has_news || !transaction.delete_set().is_empty();
        drop(transaction);
        self.structure.remember(plan);
        self.applied_bytes += update.len() as u64;
        Ok(is_news)
    }

    /// Tries what is held once more. What of it was applied.
    fn try_held(&mut self) -> Result<Vec<Vec<u8>>, EngineError> {
        let mut applied = Vec::new();
        for _ in 0..ROUNDS {
            let before = applied.len();
            for held in std::mem::take(&mut self.held).updates() {
                match self.try_one(&held) {
                    Ok(Some(now)) => applied.push(now),
                    Ok(None) => {}
                    Err(error) if !error.is_fatal() => {
                        self.let_go += 1;
                        self.held = Held::default();
                        return Ok(applied);
                    }
                    Err(fatal) => return Err(fatal),
                }
            }
            if applied.len() == before || self.held.is_empty() {
                break;
            }
        }
        Ok(applied)
    }

    fn try_one(&mut self, held: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let outline = scan::update(held, &Limits::STORED)?;
        let plan = self.structure.plan(&outline, &self.limits)?;
        self.held
            .hold(plan.rest(held, &outline).collect(), plan.later(), &Limits::STORED)?;
        if plan.is_idle() {
            return Ok(None);
        }
        let now = plan.now(held, &outline);
        Ok(self.take(&now, plan)?.then_some(now))
    }
}

/// How often what is held is tried after one update. Once is enough, unless the same blocks were sent cut differently.
const ROUNDS: usize = 32;

/// Bytes that were scanned.
fn decode(update: &[u8]) -> Result<Update, EngineError> {
    Update::decode_v1(update).map_err(|error| EngineError::Undecodable(error.to_string()))
}

/// A part as what somebody takes it for.
fn read(transaction: &impl ReadTxn, part: &str, shape: Shape) -> Option<String> {
    match shape {
        Shape::Text => transaction.get_text(part).map(|text| text.get_string(transaction)),
        Shape::Xml => transaction
            .get_xml_fragment(part)
            .filter(|xml| shown::as_entries(xml.as_ref(), transaction))
            .map(|xml| xml.get_string(transaction)),
        Shape::Array => transaction
            .get_array(part)
            .filter(|array| shown::as_entries(array.as_ref(), transaction))
            .map(|array| json(&array.to_json(transaction))),
        Shape::Map => transaction
            .get_map(part)
            .filter(|map| shown::as_map(map.as_ref(), transaction))
            .map(|map| json(&map.to_json(transaction))),
    }
}

fn json(value: &yrs::Any) -> String {
    let mut out = String::new();
    value.to_json(&mut out);
    out
}

#[cfg(test)]
mod tests;
