/**
 * When the page handles what has come: once a frame, so that it draws at most once for it; by a timer where no frames
 * are drawn, because the page is hidden or there is none.
 */

/** Longest wait for a frame. A hidden page draws none, and an event that tells so may come late. */
const FRAME_MS_MAX = 250;

/** The part of a frame that handling may take; what is left waits for the next. */
const BUDGET_MS = 8;

/** Runs work in slices, one a frame. */
export class Pace {
  #scheduled = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The frame that was asked for and has not come; 0 for none. */
  #frame = 0;
  /** The timer ran instead of that frame, which has nothing more to draw when it comes after all. */
  #isLate = false;

  /** `work` handles one piece, and says whether there is more. */
  constructor(
    private readonly work: () => boolean,
    private readonly done: () => void,
  ) {}

  /** There is work. */
  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const draws = isDrawn();
    this.#timer = setTimeout(
      () => {
        // A page that was hidden and is not any more draws its next frame for this.
        this.#isLate = this.#frame !== 0 || isDrawn();
        this.#run();
      },
      draws ? FRAME_MS_MAX : 0,
    );
    if (draws && !this.#frame) this.#frame = requestAnimationFrame(this.#drawn);
  }

  readonly #drawn = (): void => {
    this.#frame = 0;
    const wasLate = this.#isLate;
    this.#isLate = false;
    if (!this.#scheduled) return;
    if (wasLate) {
      this.#frame = requestAnimationFrame(this.#drawn);
      return;
    }
    clearTimeout(this.#timer);
    this.#run();
  };

  #run(): void {
    this.#scheduled = false;
    const end = performance.now() + BUDGET_MS;
    let more = true;
    while (more && performance.now() < end) more = this.work();
    if (more) this.wake();
    this.done();
  }
}

const isDrawn = (): boolean => 'requestAnimationFrame' in globalThis && document.visibilityState === 'visible';
