/** Who is in a document, and what they say of themselves: an awareness of y-protocols, and the server's. */

import type { Awareness } from 'y-protocols/awareness';
import {
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  modifyAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness';
import { guarded } from '../emitter.ts';
import { AWARENESS } from '../wire/document.ts';
import type { Around } from './sync.ts';

/** Shows this client to others, and others here. */
export class Showing {
  #isShown = false;
  /** The own state is another than was sent last. */
  #isDue = false;

  constructor(
    readonly awareness: Awareness,
    private readonly origin: unknown,
    private readonly around: Pick<Around, 'send' | 'wake' | 'broken'>,
  ) {
    awareness.on('update', this.#updated);
  }

  /** States are taken, or are not. */
  opened(mayShow: boolean, isAnew: boolean): void {
    const mayNow = mayShow && (isAnew || !this.#isShown);
    this.#isShown = mayShow;
    const state = this.awareness.getLocalState();
    // Said with the next clock: whoever has heard that it went believes nothing of before.
    if (mayNow && state) this.awareness.setLocalState(state);
  }

  /** Nothing is heard of others any more. */
  lost(): void {
    this.#isShown = false;
    this.#isDue = false;
    const others = [...this.awareness.meta.keys()].filter((id) => id !== this.awareness.clientID);
    removeAwarenessStates(this.awareness, others, this.origin);
    // Nor of their clocks: what is said of them in the next session holds, with the clock that it had, too.
    for (const id of others) this.awareness.meta.delete(id);
  }

  told(update: Uint8Array): void {
    try {
      applyAwarenessUpdate(this.awareness, update, this.origin);
    } catch (error) {
      try {
        modifyAwarenessUpdate(update, (state) => state);
      } catch {
        this.around.broken('an awareness update that is none');
        return;
      }
      // The application's own listener threw.
      guarded(() => {
        throw error;
      });
    }
  }

  /** Sends the own state, if it is another. */
  flush(): void {
    if (!this.#isDue || !this.#isShown) return;
    this.#isDue = false;
    this.around.send(AWARENESS, encodeAwarenessUpdate(this.awareness, [this.awareness.clientID]));
  }

  /** Ends. */
  stop(): void {
    this.awareness.off('update', this.#updated);
    this.lost();
  }

  /** Also when a server has taken the own state back: the library raises its clock then, and it is said again. */
  readonly #updated = ({ added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>): void => {
    if (![...added, ...updated, ...removed].includes(this.awareness.clientID)) return;
    this.#isDue = true;
    if (this.#isShown) this.around.wake();
  };
}
