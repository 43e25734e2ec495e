/** Undo of one's own edits. */

import * as Y from 'yjs';

/** What {@link undoManager} takes, beside what `Y.UndoManager` does. */
export interface UndoOptions
  extends Omit<NonNullable<ConstructorParameters<typeof Y.UndoManager>[1]>, 'trackedOrigins'> {
  /**
   * Origins of transactions that are the user's, beside `null`, which is that of `doc.transact(..)` and of edits outside of any:
   * the plugin key or the binding of an editor. A class stands for all its instances.
   */
  origins?: Iterable<unknown>;
}

/** An undo manager for what is edited here. What comes from others, or was kept on this machine, is never undone. */
export function undoManager(
  { doc }: { doc: Y.Doc },
  scope: ConstructorParameters<typeof Y.UndoManager>[0] = doc,
  { origins = [], ...options }: UndoOptions = {},
): Y.UndoManager {
  return new Y.UndoManager(scope, { doc, ...options, trackedOrigins: new Set([null, ...origins]) });
}
