/** The one shape of events. */

/** Calls listeners in the order they came. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `listener` at each event of this name; gives the way to stop that. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A function of its own: the same listener may be there twice.
    const own = (event: Events[Name]) => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  /** Tells all. What one listener throws is the application's, and keeps it from nobody else. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) guarded(() => listener(event as never));
  }
}

/** Runs the application's code: what it throws is reported as uncaught, and goes no further. */
export function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    if ('reportError' in globalThis) reportError(error);
    else
      queueMicrotask(() => {
        throw error;
      });
  }
}
