/** One document, typed by one client and read by another through a node; then loaded by a third from what was stored. */

import { setImmediate as turn } from 'node:timers/promises';
import * as Y from 'yjs';
import { until } from '../test/support/eventually.ts';
import { StarlingNode } from '../test/support/node.ts';
import type { Editor } from './editor.ts';
import { cpuSeconds, memoryBytes, storedBytes } from './server.ts';
import { DELETES, INSERTS, SEED, typing } from './trace.ts';

/** What came of it. Times in milliseconds. */
export interface Result {
  seed: number;
  inserts: number;
  deletes: number;
  characters: number;
  /** From the first edit until it was typed, until the other client had all of it, and until all was kept. */
  typed_ms: number;
  converged_ms: number;
  saved_ms: number;
  /** Messages that the writer sent. */
  writer_messages: number;
  /** Bytes of the two connections: the writer's, and the reader's. */
  writer_sent: number;
  writer_received: number;
  reader_received: number;
  /** The document in whole, as a client encodes it. */
  encoded: number;
  /** Processor time of the node until all was kept, and for an edit in microseconds. */
  cpu_s: number;
  cpu_us_per_edit: number;
  memory_before: number;
  memory_most: number;
  memory_idle: number;
  /** Bytes of the store when all was kept, and when nobody had the document open any more. */
  stored: number;
  stored_idle: number;
  /** From the connection to all of the text, of a node that was just started; the median of some. */
  cold_load_ms: number;
}

/** Edits that are typed before others get a turn. */
const BURST = 32;

/** Bytes that may wait in the writer before it types on: a client types no faster than its connection takes. */
const QUEUED_BYTES_MAX = 64 * 1024;

/** How long anything may take. */
const PATIENCE_MS = 600_000;

/** Starts of the node of which each loads the document once. */
const LOADS = 5;

/** The document that is typed. */
const DOCUMENT = 'doc:typed';

/** Runs it, with this share of the edits. */
export async function documents(open: (url: string, name: string) => Editor, share = 1, seed = SEED): Promise<Result> {
  const [inserts, deletes] = [INSERTS, DELETES].map((edits) => Math.round(edits * share)) as [number, number];
  const node = await StarlingNode.start({
    'documents.enabled': 'true',
    'documents.message_rate': '0',
    'documents.idle': '1s',
  });
  const memory_before = memoryBytes(node.pid).now;
  const [writer, reader] = await both(() => connected(open(node.url, DOCUMENT)));
  const cpu_before = cpuSeconds(node.pid);
  const begun = performance.now();
  const since = (): number => Math.round(performance.now() - begun);

  const text = writer.doc.getText('t');
  let edits = 0;
  for (const edit of typing(seed, inserts, deletes)) {
    if (edit.insert === undefined) text.delete(edit.at, 1);
    else text.insert(edit.at, edit.insert);
    if (++edits % BURST === 0) await turn();
    while (writer.editor.traffic.queued > QUEUED_BYTES_MAX) await turn();
  }
  const typed_ms = since();
  const whole = text.toString();
  // What was deleted does not show in a state vector, so the text is what is compared; its length is looked at first.
  const is = (doc: Y.Doc): boolean => doc.getText('t').length === whole.length && doc.getText('t').toString() === whole;
  const [converged_ms, saved_ms] = await Promise.all([
    until('the reader has all', () => is(reader.doc), PATIENCE_MS).then(since),
    until('all is kept', () => writer.editor.unsaved === 0, PATIENCE_MS).then(since),
  ]);
  const cpu_s = cpuSeconds(node.pid) - cpu_before;
  const memory_most = memoryBytes(node.pid).most;
  const stored = storedBytes(node.directory);
  const [sent, received] = [writer.editor.traffic, reader.editor.traffic];
  for (const { editor } of [writer, reader]) editor.close();
  const parts = ['owner', 'gateway'].map((part) => `starling_documents_open{part="${part}"}`);
  const isIdle = async (): Promise<boolean> =>
    (await Promise.all(parts.map((part) => node.metric(part)))).every((open) => open === 0);
  await until('nobody has it open', isIdle, PATIENCE_MS);
  const memory_idle = memoryBytes(node.pid).now;
  const stored_idle = storedBytes(node.directory);

  const loads: number[] = [];
  for (let load = 0; load < LOADS; load++) {
    await node.kill();
    await node.restart();
    const begun = performance.now();
    const { doc, editor } = await connected(open(node.url, DOCUMENT));
    await until('it is loaded', () => is(doc), PATIENCE_MS);
    loads.push(performance.now() - begun);
    editor.close();
  }
  await node.stop();
  const cold_load_ms = Math.round(loads.sort((one, other) => one - other)[Math.floor(LOADS / 2)] ?? 0);
  return {
    seed,
    inserts,
    deletes,
    characters: whole.length,
    typed_ms,
    converged_ms,
    saved_ms,
    writer_messages: sent.messages,
    writer_sent: sent.sent,
    writer_received: sent.received,
    reader_received: received.received,
    encoded: Y.encodeStateAsUpdate(writer.doc).length,
    cpu_s: Number(cpu_s.toFixed(2)),
    cpu_us_per_edit: Number(((cpu_s * 1e6) / edits).toFixed(1)),
    memory_before,
    memory_most,
    memory_idle,
    stored,
    stored_idle,
    cold_load_ms,
  };
}

/** A client that has the document, and all that was in it. */
async function connected(editor: Editor): Promise<{ editor: Editor; doc: Y.Doc }> {
  const doc = new Y.Doc();
  editor.connect(doc);
  await until('it is synced', () => editor.synced);
  return { editor, doc };
}

const both = async <T>(make: () => Promise<T>): Promise<[T, T]> => [await make(), await make()];
