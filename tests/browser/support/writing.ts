/** A page that has a document open, types words into it, and notes what it is told of them. */

import type * as Yjs from 'yjs';
import type { ClientOptions } from '../../../clients/typescript/src/index.ts';
import type { DocProvider } from '../../../clients/typescript/src/yjs.ts';
import type { Tab } from './browser.ts';

/** What a page knows of its document. */
export interface Writing {
  provider: DocProvider;
  doc: Yjs.Doc;
  text: Yjs.Text;
  undo: Yjs.UndoManager;
  /** Each word that was typed here, in order, and how many of them were shown as saved at last. */
  words: string[];
  saved: number;
  isTyping: boolean;
}

/** How a page opens its document. */
export interface Opening {
  url: string;
  document: string;
  /** Words begin with it: everybody's are others. */
  name: string;
  transports?: ClientOptions['transports'];
  worker?: boolean;
  offline?: boolean;
}

/** Makes the client, and opens the document. */
export const open = (tab: Tab, opening: Opening): Promise<void> =>
  tab.evaluate(
    async ([{ url, document, name, transports, worker, offline }, sdk, yjs]) => {
      const { bench } = window;
      const { DocProvider, undoManager } = (await import(
        sdk
      )) as typeof import('../../../clients/typescript/src/yjs.ts');
      const Y = (await import(yjs)) as typeof Yjs;
      bench.client = new bench.Client({
        url,
        ...(transports && { transports }),
        ...(worker !== undefined && { worker }),
      });
      const doc = new Y.Doc();
      const provider = new DocProvider(bench.client, document, doc, { offline: !!offline });
      provider.awareness.setLocalState({ name });
      const text = doc.getText('t');
      const undo = undoManager(provider, text, { captureTimeout: 0 });
      const writing: Writing = { provider, doc, text, undo, words: [], saved: 0, isTyping: false };
      bench.writing = writing;
      provider.on('saved', () => {
        writing.saved = writing.words.length;
      });
    },
    [opening, '/dist/yjs.js', 'yjs'] as const,
  );

/** Types so many words, at places all over the text, or without a number until it is stopped. */
export const type = (tab: Tab, name: string, count = Infinity): Promise<void> =>
  tab.evaluate(
    ([name, count]) => {
      const { writing } = window.bench;
      const { text, words } = writing;
      const one = () => {
        const word = `[${name}${words.length}]`;
        words.push(word);
        // Between words: one inside another could not be found again.
        const places = [0, ...[...text.toString().matchAll(/]/g)].map(({ index }) => index + 1)];
        text.insert(places[Math.floor(Math.random() * places.length)] as number, word);
      };
      writing.isTyping = count === null;
      for (let word = 0; word < (count ?? 1); word++) one();
      const next = () => {
        if (!writing.isTyping) return;
        one();
        setTimeout(next, 20);
      };
      if (writing.isTyping) setTimeout(next, 20);
    },
    // JSON has no infinity.
    [name, count < Infinity ? count : null] as const,
  );

export const stop = (tab: Tab): Promise<void> =>
  tab.evaluate(() => {
    window.bench.writing.isTyping = false;
  });

/** What the page shows. */
export const shown = (tab: Tab): Promise<string> => tab.evaluate(() => window.bench.writing.text.toString());

/** How its provider is doing. */
export const how = (tab: Tab): Promise<[state: string, synced: boolean, unsaved: number]> =>
  tab.evaluate(() => {
    const { state, synced, unsaved } = window.bench.writing.provider;
    return [state, synced, unsaved];
  });

/** Waits until the browser has all that the page shows, so that a reload finds it. */
export const kept = (tab: Tab): Promise<void> => tab.evaluate(() => window.bench.writing.provider.whenKept());

/** The words that it typed, and those of them that it showed as saved at last. */
export const typed = (tab: Tab): Promise<{ words: string[]; saved: number }> =>
  tab.evaluate(() => {
    const { words, saved } = window.bench.writing;
    return { words, saved };
  });

/** Who is in the document, as the page sees it. */
export const there = (tab: Tab): Promise<string[]> =>
  tab.evaluate(() =>
    [...window.bench.writing.provider.awareness.getStates().values()].map(({ name }) => String(name)).sort(),
  );
