/** Typing, as people do it: runs of single characters at a cursor that moves, some of them taken back. From a seed. */

/** One edit: a character that is put in, or the one at this place that goes. */
export interface Edit {
  readonly at: number;
  readonly insert?: string;
}

/** How many edits of each kind: those of the recorded trace that the editing benchmarks of CRDTs share, a paper of 105,000 characters. */
export const INSERTS = 182_315;
export const DELETES = 77_463;

/** The seed of the figures that are published. */
export const SEED = 8121;

/** Characters typed, and taken back, before something else is done. Theirs are as long in the mean. */
const TYPED = 14;
const ERASED = 6;

/** How often the cursor goes elsewhere after a run, how often far, and how far it goes otherwise. */
const MOVES = 0.15;
const FAR = 0.2;
const NEAR_CHARACTERS = 200;

/** Edits of an empty text, in order. The same for the same seed and numbers. */
export function* typing(seed = SEED, inserts = INSERTS, deletes = DELETES): Generator<Edit> {
  const dice = random(seed);
  let length = 0;
  let cursor = 0;
  while (inserts > 0 || deletes > 0) {
    if (dice() < MOVES || (inserts === 0 && cursor === 0)) cursor = moved(cursor, length, dice);
    // In proportion to what is left of both, so that they end together.
    const erasing = deletes / ERASED;
    if (cursor > 0 && dice() * (erasing + inserts / TYPED) < erasing) {
      for (let run = some(ERASED, dice); run > 0 && deletes > 0 && cursor > 0; run--) {
        cursor--;
        length--;
        deletes--;
        yield { at: cursor };
      }
    } else {
      for (let run = some(TYPED, dice); run > 0 && inserts > 0; run--) {
        yield { at: cursor, insert: character(dice) };
        cursor++;
        length++;
        inserts--;
      }
    }
  }
}

function moved(cursor: number, length: number, dice: () => number): number {
  if (dice() < FAR || length === 0) return Math.floor(dice() * (length + 1));
  const distance = some(NEAR_CHARACTERS, dice) * (dice() < 0.5 ? -1 : 1);
  return Math.min(Math.max(cursor + distance, 0), length);
}

/** A number from 1 on, `mean` in the mean: short runs are frequent and long ones happen. */
const some = (mean: number, dice: () => number): number => 1 + Math.floor(-Math.log(1 - dice()) * (mean - 0.5));

function character(dice: () => number): string {
  const place = dice();
  if (place < 0.16) return ' ';
  if (place < 0.175) return '\n';
  return String.fromCharCode(97 + Math.floor(dice() * 26));
}

/** Numbers from 0 to below 1 (mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
