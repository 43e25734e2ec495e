/**
 * Which of the edits that were made here are in the store.
 *
 * Edits are counted as they are made. What is sent has a number on the wire and covers the edits up to one: an update those
 * since what was sent before, and what was missing all of them, because the server said what it had.
 */

/** What is sent and not saved: beyond this many the newest two are told as one, when the later is. */
const SENT_MAX = 1_024;

/** What was sent under a number: the edits after `from`, up to `to`. */
interface Sent {
  edit: number;
  from: number;
  to: number;
}

/** The edits of one document that were made here. */
export class Ledger {
  #made = 0;
  #saved = 0;
  #edit = 0;
  /** Edits up to this one were sent in this session, or before it. */
  #covered = 0;
  /** In order of their numbers, of this session. */
  #sent: Sent[] = [];

  /** Edits that are not in the store, as far as it has been told. */
  get unsaved(): number {
    return this.#made - this.#saved;
  }

  /** One was made. */
  made(): void {
    this.#made++;
  }

  /** The number for what is sent now: an update, or all that was missing. */
  number(isAll: boolean): number {
    const last = this.#sent.at(-1);
    const next = { edit: ++this.#edit, from: isAll ? 0 : this.#covered, to: this.#made };
    this.#covered = this.#made;
    if (last && this.#sent.length >= SENT_MAX) {
      this.#sent.pop();
      next.from = Math.min(next.from, last.from);
    }
    this.#sent.push(next);
    return next.edit;
  }

  /** The store has what was sent up to this number, but what was refused. */
  saved(upTo: number): void {
    const count = this.#sent.findIndex(({ edit }) => edit > upTo);
    for (const { from, to } of this.#sent.splice(0, count < 0 ? this.#sent.length : count)) {
      // Where one before it was refused, it is of no use: it counts with all that is missing, when that is sent again.
      if (from <= this.#saved) this.#saved = Math.max(this.#saved, to);
    }
  }

  /** What was sent under this number is not taken. */
  refused(number: number): void {
    const at = this.#sent.findIndex(({ edit }) => edit >= number);
    if (at >= 0) this.#sent.splice(at, 1);
  }

  /** The session is over: what was sent and not saved is part of what is missing in the next. */
  lost(): void {
    this.#sent = [];
  }
}
