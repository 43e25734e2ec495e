//! The rows of one document in a store: which are written, when, and who is told that its edit is saved.
//!
//! ```text
//!   Edit ──▶ waiting ──Append──▶ store ──Appended──▶ Saved, to each editor
//!                                  └────Taken──▶ Read ──▶ Apply what another wrote, append again after it
//! ```
//!
//! A document is its newest snapshot and the rows after it, keyed (document, n) and numbered without a gap. Edits are appended
//! in the order they came, one batch at a time: what comes during a commit goes into the next. There may be a second
//! owner for a while. The key decides (rule D9): who finds its number taken reads what was written there, applies it, and
//! appends after it. So whoever has written row n has applied all rows before it, and that is why a snapshot may take the
//! place of exactly the rows that its writer read (rule D1).
//!
//! While the store is down edits go on, unsaved, up to a bound; then they are refused. Whether a batch that failed was
//! written is not known: it is appended again under the same numbers, and a row that is found there with the same bytes is
//! taken for what it is. If another owner has put it into a snapshot meanwhile it is written twice, which changes nothing.
//!
//! * [`turn`]: inputs and effects; here: the rules.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;

pub mod turn;

pub use turn::{Effect, Input, Refusal, Row};

/// Bytes of edits that are not saved. A hundred editors that type make 3 kB/s: the store may be away for three quarters of an
/// hour. Beyond it edits are refused, and their editors keep them.
pub const UNSAVED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Edits that are not saved; each costs some bytes beside its own. Beyond it edits are refused.
pub const UNSAVED_EDITS_MAX: usize = 65_536;

/// Rows and bytes of one batch. The rest goes into the next.
pub const BATCH_ROWS_MAX: usize = 1_024;
/// See [`BATCH_ROWS_MAX`].
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Rows after the snapshot that are worth a new one: loading them takes 3 ms.
pub const TAIL_ROWS_MAX: u64 = 1_000;

/// Bytes after the snapshot that are worth a new one: much of it is deleted text, which a snapshot has no more.
pub const TAIL_BYTES_MAX: u64 = 100 * 1024;

/// When a batch or a read that failed is tried again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// When a snapshot that failed is tried again: nobody waits for it, and it costs a load.
pub const SNAPSHOT_RETRY_AFTER: Duration = Duration::from_secs(60);

/// See the module. `R` is an editor, to be told.
#[derive(Debug)]
pub struct Log<R> {
    /// The last row that is written and applied; 0 when there is none.
    last: u64,
    /// The last row that is in the snapshot.
    snapshot: u64,
    /// Rows and bytes between the two.
    tail_rows: u64,
    tail_bytes: u64,
    /// What is not saved, in the order it came. What is on its way is the beginning of it.
    unsaved: VecDeque<Unsaved<R>>,
    unsaved_bytes: usize,
    doing: Doing,
    /// The rows that a snapshot on its way takes the place of, and their bytes.
    snapshotting: Option<(u64, u64, u64)>,
    snapshot_not_before: Option<Instant>,
    /// Nobody has the document open.
    is_left: bool,
    /// It is not to be written any more.
    quarantined: Option<u64>,
}

#[derive(Debug)]
struct Unsaved<R> {
    update: Bytes,
    from: R,
    edit: u64,
    /// Edits that had nothing new, and came after it: saved with it.
    also: Vec<(R, u64)>,
}

/// What the store was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// To append this many.
    Appending(usize),
    /// To say what follows the last row.
    Reading,
    /// Nothing until then.
    Waiting {
        until: Instant,
        then_reads: bool,
    },
}

/// A row is missing: what was loaded is not the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("row {missing} of the document is missing; the document is set aside until it is repaired")]
pub struct Hole {
    /// Which.
    pub missing: u64,
}

impl<R: Clone + Ord> Log<R> {
    /// Of a document that was loaded: the last row that is in its snapshot, 0 without one, and the rows after it with
    /// their bytes.
    ///
    /// # Errors
    /// When a row is missing.
    pub fn open(snapshot: u64, tail: impl IntoIterator<Item = (u64, usize)>) -> Result<Self, Hole> {
        let mut log = Self {
            last: snapshot,
            snapshot,
            tail_rows: 0,
            tail_bytes: 0,
            unsaved: VecDeque::new(),
            unsaved_bytes: 0,
            doing: Doing::Nothing,
            snapshotting: None,
            snapshot_not_before: None,
            is_left: false,
            quarantined: None,
        };
        for (n, bytes) in tail {
            if n != log.last + 1 {
                return Err(Hole { missing: log.last + 1 });
            }
            log.advance(n, bytes);
        }
        Ok(log)
    }

    /// The one entrance.
    pub fn handle(&mut self, input: Input<R>, now: Instant, out: &mut Vec<Effect<R>>) {
        match input {
            Input::Edit { from, edit, update } => self.edit(from, edit, update, out),
            Input::Known { from, edit } => self.known(from, edit, out),
            Input::Appended => self.appended(out),
            Input::Taken => {
                self.doing = Doing::Waiting {
                    until: now,
                    then_reads: true,
                }
            }
            Input::AppendFailed => self.wait(false, now, out),
            Input::Read { snapshot, rows } => self.read(snapshot, rows, out),
            Input::ReadFailed => self.wait(true, now, out),
            Input::Unreadable { row } => self.quarantine(row, out),
            Input::Snapshotted => self.snapshotted(),
            Input::SnapshotFailed => {
                self.snapshotting = None;
                let at = now + SNAPSHOT_RETRY_AFTER;
                self.snapshot_not_before = Some(at);
                out.push(Effect::Wake { at });
            }
            Input::Look => {
                if self.doing == Doing::Nothing && self.quarantined.is_none() {
                    self.doing = Doing::Reading;
                    out.push(Effect::Read { after: self.last });
                }
            }
            Input::Left => self.is_left = true,
            Input::Opened => self.is_left = false,
            Input::Wake => {}
        }
        self.go_on(now, out);
    }

    /// Whether everything that came is in the store, and the store is asked for nothing: the document may leave memory.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.unsaved.is_empty() && self.doing == Doing::Nothing && self.snapshotting.is_none()
    }

    /// Whether everything that came is in the store.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.unsaved.is_empty()
    }

    /// The last row that is written and applied; 0 when there is none.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Why an edit of so many bytes would be refused now; `None` if it would not.
    #[must_use]
    pub fn refuses(&self, bytes: usize) -> Option<Refusal> {
        if self.quarantined.is_some() {
            Some(Refusal::Quarantined)
        } else if self.unsaved_bytes + bytes > UNSAVED_BYTES_MAX || self.unsaved.len() >= UNSAVED_EDITS_MAX {
            Some(Refusal::UnsavedFull)
        } else {
            None
        }
    }

    /// How many bytes of edits are not saved.
    #[must_use]
    pub const fn unsaved_bytes(&self) -> usize {
        self.unsaved_bytes
    }

    fn edit(&mut self, from: R, edit: u64, update: Bytes, out: &mut Vec<Effect<R>>) {
        if let Some(refusal) = self.refuses(update.len()) {
            return out.push(Effect::Refuse {
                to: from,
                edit,
                refusal,
            });
        }
        self.unsaved_bytes += update.len();
        let also = Vec::new();
        self.unsaved.push_back(Unsaved {
            update,
            from,
            edit,
            also,
        });
    }

    /// All of it came before, and perhaps is not saved yet.
    fn known(&mut self, from: R, edit: u64, out: &mut Vec<Effect<R>>) {
        match (self.quarantined, self.unsaved.back_mut()) {
            (Some(_), _) => out.push(Effect::Refuse {
                to: from,
                edit,
                refusal: Refusal::Quarantined,
            }),
            (None, Some(last)) => last.also.push((from, edit)),
            (None, None) => out.push(Effect::Saved {
                to: from,
                up_to: edit,
                edits: 1,
            }),
        }
    }

    fn appended(&mut self, out: &mut Vec<Effect<R>>) {
        if let Doing::Appending(count) = std::mem::replace(&mut self.doing, Doing::Nothing) {
            self.save(count, out);
        }
    }

    /// The first of the unsaved are rows by now: their editors are told, each once.
    fn save(&mut self, count: usize, out: &mut Vec<Effect<R>>) {
        let mut saved: BTreeMap<R, (u64, usize)> = BTreeMap::new();
        for written in self.unsaved.drain(..count).collect::<Vec<_>>() {
            self.unsaved_bytes -= written.update.len();
            self.advance(self.last + 1, written.update.len());
            for (from, edit) in std::iter::once((written.from, written.edit)).chain(written.also) {
                let (up_to, edits) = saved.entry(from).or_default();
                *up_to = edit.max(*up_to);
                *edits += 1;
            }
        }
        out.extend(
            saved
                .into_iter()
                .map(|(to, (up_to, edits))| Effect::Saved { to, up_to, edits }),
        );
    }

    const fn advance(&mut self, n: u64, bytes: usize) {
        self.last = n;
        self.tail_rows += 1;
        self.tail_bytes += bytes as u64;
    }

    /// What another owner has written, or this one without knowing.
    fn read(&mut self, snapshot: Option<(u64, Vec<Bytes>)>, rows: Vec<Row>, out: &mut Vec<Effect<R>>) {
        if self.doing != Doing::Reading {
            return;
        }
        self.doing = Doing::Nothing;
        if let Some((through, updates)) = snapshot
            && through > self.snapshot
        {
            // Another owner's: what it replaced may have had rows that were never read here.
            let is_news = through > self.last;
            self.snapshot = through;
            (self.tail_rows, self.tail_bytes) = (self.last.saturating_sub(through), 0);
            if is_news {
                self.last = through;
                out.extend(updates.into_iter().map(Effect::Apply));
            }
        }
        for Row { n, update } in rows {
            if n <= self.last {
                continue;
            }
            if n != self.last + 1 {
                return self.quarantine(self.last + 1, out);
            }
            if self.unsaved.front().is_some_and(|first| first.update == update) {
                self.save(1, out);
            } else {
                self.advance(n, update.len());
                out.push(Effect::Apply(update));
            }
        }
    }

    fn snapshotted(&mut self) {
        if let Some((through, rows, bytes)) = self.snapshotting.take()
            && through > self.snapshot
        {
            self.snapshot = through;
            self.tail_rows = self.tail_rows.saturating_sub(rows);
            self.tail_bytes = self.tail_bytes.saturating_sub(bytes);
        }
    }

    fn wait(&mut self, then_reads: bool, now: Instant, out: &mut Vec<Effect<R>>) {
        let until = now + RETRY_AFTER;
        self.doing = Doing::Waiting { until, then_reads };
        out.push(Effect::Wake { at: until });
    }

    /// Nothing of the document is written any more: it is not what it was.
    fn quarantine(&mut self, row: u64, out: &mut Vec<Effect<R>>) {
        if self.quarantined.is_some() {
            return;
        }
        self.quarantined = Some(row);
        self.doing = Doing::Nothing;
        self.unsaved_bytes = 0;
        let refusal = Refusal::Quarantined;
        let edits = self
            .unsaved
            .drain(..)
            .flat_map(|unsaved| std::iter::once((unsaved.from, unsaved.edit)).chain(unsaved.also));
        out.extend(edits.map(|(to, edit)| Effect::Refuse { to, edit, refusal }));
        out.push(Effect::Quarantine { row });
    }

    /// Asks the store for what is next.
    fn go_on(&mut self, now: Instant, out: &mut Vec<Effect<R>>) {
        if self.quarantined.is_some() {
            return;
        }
        if let Doing::Waiting { until, then_reads } = self.doing
            && until <= now
        {
            self.doing = if then_reads { Doing::Reading } else { Doing::Nothing };
            if then_reads {
                out.push(Effect::Read { after: self.last });
            }
        }
        if self.doing == Doing::Nothing && !self.unsaved.is_empty() {
            self.append(out);
        }
        self.maybe_snapshot(now, out);
    }

    fn append(&mut self, out: &mut Vec<Effect<R>>) {
        let mut bytes = 0;
        let fits = |unsaved: &&Unsaved<R>| {
            bytes += unsaved.update.len();
            bytes <= BATCH_BYTES_MAX || bytes == unsaved.update.len()
        };
        let batch = self.unsaved.iter().take(BATCH_ROWS_MAX).take_while(fits);
        let rows: Vec<_> = (self.last + 1..)
            .zip(batch)
            .map(|(n, unsaved)| Row {
                n,
                update: unsaved.update.clone(),
            })
            .collect();
        self.doing = Doing::Appending(rows.len());
        out.push(Effect::Append { rows });
    }

    fn maybe_snapshot(&mut self, now: Instant, out: &mut Vec<Effect<R>>) {
        let is_due = self.tail_rows >= TAIL_ROWS_MAX
            || self.tail_bytes >= TAIL_BYTES_MAX
            || self.is_left && self.tail_rows > 0 && self.unsaved.is_empty();
        let may = self.snapshotting.is_none() && self.snapshot_not_before.is_none_or(|at| at <= now);
        if is_due && may {
            self.snapshot_not_before = None;
            self.snapshotting = Some((self.last, self.tail_rows, self.tail_bytes));
            out.push(Effect::Snapshot {
                after: self.snapshot,
                through: self.last,
            });
        }
    }
}

#[cfg(test)]
mod tests;
