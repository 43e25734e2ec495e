/** Documents of one client, frame by frame: what is sent when, and what is told to the application. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { cut } from '../src/document/parts.ts';
import { PIECE_BYTES_MAX } from '../src/limits.ts';
import { AWARENESS, MISSING, STATE_VECTOR, UPDATE } from '../src/wire/document.ts';
import { type DocProvider, undoManager } from '../src/yjs.ts';
import { DocumentBench, NO_UPDATE, NOTHING, pieces, textUpdate } from './support/documents.ts';

const benches: DocumentBench[] = [];

afterEach(() => {
  for (const bench of benches.splice(0)) bench.destroy();
});

function begin(): DocumentBench {
  const bench = new DocumentBench();
  benches.push(bench);
  return bench;
}

/** A document that is open, and level with a server that has nothing. */
async function level(): Promise<{ bench: DocumentBench; provider: DocProvider; text: Y.Text }> {
  const bench = begin();
  const provider = bench.provider();
  bench.open();
  bench.level(1);
  await bench.turn();
  bench.saved(1);
  bench.frames.length = 0;
  return { bench, provider, text: provider.doc.getText('t') };
}

/** All that was sent of a document, applied. */
function received(bench: DocumentBench): Y.Doc {
  const doc = new Y.Doc();
  for (const kind of [MISSING, UPDATE]) for (const update of pieces(bench, kind)) Y.applyUpdate(doc, update);
  return doc;
}

test('a document is opened, both sides say what they have, and what the server had is synced', async () => {
  const bench = begin();
  const provider = bench.provider();
  const told: unknown[] = [];
  provider.on('state', (state) => told.push(state));
  provider.on('synced', (synced) => told.push(synced));
  assert.equal(provider.state, 'connecting');
  assert.deepEqual(bench.open(), ['open 1 plan']);
  bench.opened(1);
  assert.equal(provider.state, 'open');
  assert.deepEqual(await bench.turn(), ['vector to 7', 'awareness to 7']);
  bench.part(STATE_VECTOR, NOTHING);
  assert.deepEqual(bench.taken(), ['missing 1 to 7'], 'answered with nothing new, too');
  const synced = provider.whenSynced();
  bench.part(MISSING, textUpdate('hello'));
  await synced;
  await provider.doc.whenSynced;
  assert.equal(provider.doc.getText('t').toString(), 'hello');
  assert.equal(provider.unsaved, 0, 'what others wrote is not one’s own');
  bench.part(UPDATE, textUpdate('!'));
  assert.equal(provider.doc.getText('t').length, 6);
  assert.deepEqual(told, ['open', true]);
  assert.deepEqual(await bench.turn(), [], 'and nothing of it is sent back');
});

test('what one task edits is one frame, and what follows at once is the next', async () => {
  const { bench, text } = await level();
  for (const letter of 'paste') text.insert(text.length, letter);
  await Promise.resolve();
  assert.deepEqual(bench.taken(), ['update 2 to 7']);
  for (const letter of 'typed') {
    text.insert(text.length, letter);
    await bench.time.pass(2);
  }
  assert.deepEqual(await bench.turn(), ['update 3 to 7']);
  assert.equal(received(bench).getText('t').toString(), 'pastetyped');
});

test('a task that edits without end sends on the way', async () => {
  const { bench, text } = await level();
  for (let count = 0; count < 2_500; count++) text.insert(0, 'x');
  assert.deepEqual(bench.taken(), ['update 2 to 7', 'update 3 to 7']);
  text.insert(0, 'y'.repeat(256 * 1024));
  assert.equal(bench.taken().filter((one) => one.startsWith('update 4')).length, 5, 'by bytes, too');
  await bench.turn();
  assert.equal(received(bench).getText('t').length, 2_500 + 256 * 1024);
});

test('an edit is unsaved until the store has it', async () => {
  const { bench, provider, text } = await level();
  const told: unknown[] = [];
  provider.on('unsaved', (unsaved) => told.push(unsaved));
  provider.on('saved', () => told.push('saved'));
  text.insert(0, 'a');
  text.insert(0, 'b');
  assert.equal(provider.unsaved, 2);
  await bench.turn();
  text.insert(0, 'c');
  const saved = provider.whenSaved();
  await bench.turn();
  bench.saved(2);
  assert.equal(provider.unsaved, 1);
  bench.saved(3);
  await saved;
  await provider.whenSaved();
  assert.deepEqual(told, [1, 2, 3, 1, 0, 'saved']);
});

test('who waits is told when it takes too long, and may give up', async () => {
  const { provider, text } = await level();
  text.insert(0, 'a');
  await assert.rejects(provider.whenSaved({ timeoutMs: 1 }), { code: 'timed_out' });
  const giveUp = new AbortController();
  const waiting = provider.whenSaved({ signal: giveUp.signal });
  giveUp.abort(new Error('no more'));
  await assert.rejects(waiting, { message: 'no more' });
});

test('nothing is kept without the option', async () => {
  const { provider } = await level();
  assert.equal(provider.kept, false);
  await assert.rejects(provider.whenKept(), { code: 'invalid', message: /without the option `offline`/ });
});

test('what is edited without a connection is sent with what is missing, and what was on its way is unsaved until then', async () => {
  const { bench, provider, text } = await level();
  text.insert(0, 'sent, ');
  await bench.turn();
  bench.lose();
  assert.equal(provider.state, 'offline');
  assert.equal(provider.synced, false);
  text.insert(text.length, 'offline');
  assert.deepEqual(await bench.turn(), []);
  assert.equal(provider.unsaved, 2);
  assert.deepEqual(bench.open(), ['open 2 plan']);
  bench.opened(2, 9);
  text.insert(text.length, ', early');
  assert.deepEqual(await bench.turn(), ['vector to 9', 'awareness to 9'], 'not before the server has said what it has');
  bench.frames.length = 0;
  bench.part(STATE_VECTOR, NOTHING, false, 9);
  assert.deepEqual(bench.taken(), ['missing 3 to 9']);
  assert.equal(received(bench).getText('t').toString(), 'sent, offline, early');
  bench.saved(2, 9);
  assert.equal(provider.unsaved, 3, 'a number of the session before says nothing');
  bench.saved(3, 9);
  assert.equal(provider.unsaved, 0);
});

test('a server that asks again is answered with all that it lacks', async () => {
  const { bench, provider, text } = await level();
  text.insert(0, 'one');
  await bench.turn();
  text.insert(3, 'two');
  bench.frames.length = 0;
  bench.part(STATE_VECTOR, NOTHING);
  assert.deepEqual(await bench.turn(), ['missing 3 to 7'], 'what waited for its turn is in it');
  assert.equal(received(bench).getText('t').toString(), 'onetwo');
  bench.saved(3);
  assert.equal(provider.unsaved, 0);
});

test('pieces travel in parts that fill a frame and are no longer', async () => {
  const bench = begin();
  const provider = bench.provider();
  const frameBytes = 4_096;
  bench.open(0, frameBytes);
  bench.level(1);
  await bench.turn();
  const text = provider.doc.getText('t');
  bench.frames.length = 0;
  text.insert(0, 'x'.repeat(10_000));
  const sent = await bench.turn();
  assert.deepEqual(sent, [...Array(3).fill('update 2 to 7 ..'), 'update 2 to 7']);
  const lengths = bench.frames.map(({ frame }) => (frame.kind === 'documentPart' ? frame.body.data.length : 0));
  assert.deepEqual(lengths.slice(0, 3), Array(3).fill(frameBytes - 1_024));
  assert.ok(bench.frames.every(({ bytes }) => bytes <= frameBytes));
  assert.equal(received(bench).getText('t').length, 10_000);
  // One that fits is not cut, to the byte; one with nothing in it is a part, too.
  const parts = (bytes: number) => [...cut(new Uint8Array(bytes), 5)].map(({ data, more }) => [data.length, more]);
  assert.deepEqual([parts(0), parts(5)], [[[0, false]], [[5, false]]]);
  assert.deepEqual(parts(11), [
    [5, true],
    [5, true],
    [1, false],
  ]);
});

test('pieces of a server are put together, and parts of two are never mixed', async () => {
  const { bench, provider } = await level();
  const update = textUpdate('a long text');
  bench.part(UPDATE, update.slice(0, 5), true);
  bench.part(UPDATE, update.slice(5, 9), true);
  assert.equal(provider.doc.getText('t').length, 0);
  bench.part(UPDATE, update.slice(9));
  assert.equal(provider.doc.getText('t').toString(), 'a long text');
  bench.part(UPDATE, update.slice(0, 5), true);
  bench.part(AWARENESS, NOTHING);
  assert.equal(bench.violations, 1);
  assert.equal(provider.state, 'offline');
});

test('what was begun in one session is not ended in the next', async () => {
  const { bench, provider } = await level();
  const update = textUpdate('text');
  bench.part(UPDATE, update.slice(0, 5), true);
  bench.lose();
  bench.open();
  bench.level(2);
  bench.part(UPDATE, update);
  assert.equal(provider.doc.getText('t').toString(), 'text');
  assert.equal(bench.violations, 0);
});

test('what is too large for a document fails, and says what to do', async () => {
  const { bench, provider, text } = await level();
  text.insert(0, 'x'.repeat(PIECE_BYTES_MAX));
  assert.deepEqual(await bench.turn(), ['close 7']);
  assert.equal(provider.state, 'failed');
  assert.equal(provider.error?.code, 'invalid');
  assert.match(provider.error.message, /smaller/);
  await assert.rejects(provider.whenSaved(), { code: 'invalid' });
});

test('frames that a page writes for a session that is over go into no other', async () => {
  const { bench, text } = await level();
  bench.isBusy = true;
  bench.lose();
  assert.deepEqual(bench.open(), []);
  // The page knows nothing of it yet, and in the new session 7 may be another document.
  text.insert(0, 'edit');
  assert.deepEqual(await bench.turn(), []);
  bench.catchUp();
  assert.deepEqual(bench.taken(), ['open 2 plan']);
});

test('a document that is closed is opened again after the wait it was given, or not at all', async () => {
  const { bench, provider } = await level();
  const closed = { documentId: 7, code: 105, message: 'too slow' };
  bench.tell('documentRefused', { ...closed, retryAfterMs: 1_000 });
  assert.equal(provider.state, 'connecting');
  assert.deepEqual(await bench.turn(1_000), []);
  assert.deepEqual(await bench.turn(100), ['open 2 plan']);
  bench.opened(2);
  await bench.turn();
  bench.tell('documentRefused', { ...closed, code: 4, message: 'the token does not permit it any more' });
  assert.equal(provider.state, 'failed');
  assert.deepEqual(
    [provider.error?.code, provider.error?.message],
    ['forbidden', 'the token does not permit it any more'],
  );
  assert.deepEqual(await bench.turn(60_000), []);
});

test('opening that is refused for now is tried again, each time later; for good, it fails', async () => {
  const bench = begin();
  const provider = bench.provider();
  bench.open();
  const waits: number[] = [];
  for (let request = 1; request < 6; request++) {
    bench.refuse(request, 100, 50);
    let waited = 0;
    while (bench.taken().length === 0) {
      await bench.time.pass(10);
      waited += 10;
    }
    waits.push(waited);
  }
  assert.deepEqual(waits, [100, 150, 250, 450, 850]);
  const failed: unknown[] = [];
  provider.on('error', ({ code }) => failed.push(code));
  bench.refuse(6, 17);
  assert.deepEqual(failed, ['documents_off']);
  assert.equal(provider.state, 'failed');
  await assert.rejects(provider.whenSynced(), { code: 'documents_off' });
});

test('an edit that may not be is told, unsaved, and goes on being here alone', async () => {
  const { bench, provider, text } = await level();
  const refused: unknown[] = [];
  provider.on('refused', ({ code }) => refused.push(code));
  text.insert(0, 'mine');
  await bench.turn();
  const saved = provider.whenSaved();
  bench.tell('documentRefused', { documentId: 7, piece: UPDATE, edit: 2, code: 4, message: 'no' });
  await assert.rejects(saved, { code: 'forbidden' });
  await assert.rejects(provider.whenSaved(), { code: 'forbidden' });
  assert.deepEqual(refused, ['forbidden']);
  text.insert(0, 'more');
  await bench.turn();
  bench.saved(3);
  assert.equal(provider.unsaved, 2, 'what follows a refused edit does not count as saved before it does');
  assert.equal(provider.state, 'open');
});

test('an edit that is refused for now is sent again with all that is missing', async () => {
  const { bench, provider, text } = await level();
  text.insert(0, 'mine');
  await bench.turn();
  bench.frames.length = 0;
  bench.tell('documentRefused', { documentId: 7, piece: UPDATE, edit: 2, code: 100, message: 'busy' });
  assert.deepEqual(await bench.turn(100), ['update 3 to 7']);
  assert.equal(received(bench).getText('t').toString(), 'mine');
  bench.saved(3);
  assert.equal(provider.unsaved, 0);
});

test('an edit that the server cannot read ends it, with what to do', async () => {
  const { bench, provider, text } = await level();
  text.insert(0, 'x');
  await bench.turn();
  bench.tell('documentRefused', { documentId: 7, piece: UPDATE, edit: 2, code: 19, message: 'it is no update' });
  assert.equal(provider.state, 'failed');
  assert.equal(provider.error?.code, 'bad_update');
  assert.match(provider.error.message, /load the document anew/);
  assert.deepEqual(bench.taken(), ['close 7']);
});

test('a reader edits alone and is told so; with the right to write, all of it is sent', async () => {
  const bench = begin();
  const provider = bench.provider();
  const refused: unknown[] = [];
  const rights: boolean[] = [];
  provider.on('refused', ({ code }) => refused.push(code));
  provider.on('rights', ({ mayWrite }) => rights.push(mayWrite));
  bench.open();
  bench.opened(1, 7, false, false);
  bench.part(STATE_VECTOR, NOTHING);
  bench.part(MISSING, NO_UPDATE);
  assert.deepEqual(await bench.turn(), ['vector to 7', 'missing 1 to 7'], 'and shows nothing');
  provider.doc.getText('t').insert(0, 'alone');
  assert.deepEqual(await bench.turn(), []);
  assert.deepEqual([refused, provider.unsaved], [['forbidden'], 1]);
  bench.opened(0 - 2 ** 33);
  assert.deepEqual(await bench.turn(), ['update 2 to 7', 'awareness to 7']);
  assert.equal(received(bench).getText('t').toString(), 'alone');
  bench.saved(2);
  assert.equal(provider.unsaved, 0);
  assert.deepEqual(rights, [false, true]);
});

test('a document that was begun before is unsaved until the server has it', async () => {
  const bench = begin();
  const doc = new Y.Doc();
  doc.getText('t').insert(0, 'begun');
  const provider = bench.provider('plan', doc);
  assert.equal(provider.unsaved, 1);
  bench.open();
  bench.level(1);
  bench.saved(1);
  assert.equal(provider.unsaved, 0);
});

test('who is there is shown while there is a connection, and said again when there is another', async () => {
  const { bench, provider } = await level();
  const { awareness } = provider;
  const other = new Awareness(new Y.Doc());
  other.setLocalState({ name: 'Bert' });
  bench.part(AWARENESS, encodeAwarenessUpdate(other, [other.clientID]));
  assert.deepEqual(awareness.getStates().get(other.clientID), { name: 'Bert' });
  assert.deepEqual(await bench.turn(), [], 'of others nothing is said');
  for (let x = 0; x < 5; x++) awareness.setLocalState({ name: 'Anna', x });
  assert.deepEqual(await bench.turn(), ['awareness to 7'], 'the newest of one turn');
  const seen = new Awareness(new Y.Doc());
  const [first] = pieces(bench, AWARENESS).slice(-1) as [Uint8Array];
  applyAwarenessUpdate(seen, first, 'x');
  assert.deepEqual(seen.getStates().get(awareness.clientID), { name: 'Anna', x: 4 });
  // The server has taken it back, as when its connection was lost unnoticed.
  removeAwarenessStates(seen, [awareness.clientID], 'x');
  bench.part(AWARENESS, encodeAwarenessUpdate(seen, [awareness.clientID], new Map()));
  bench.lose();
  assert.deepEqual([...awareness.getStates().keys()], [awareness.clientID], 'nobody else is known to be there');
  bench.open();
  bench.level(2);
  await bench.turn();
  applyAwarenessUpdate(seen, pieces(bench, AWARENESS).at(-1) as Uint8Array, 'x');
  assert.deepEqual(seen.getStates().get(awareness.clientID), { name: 'Anna', x: 4 }, 'with a clock that is believed');
  other.destroy();
  seen.destroy();
});

test('a state that the server has taken back is said again', async () => {
  const { bench, provider } = await level();
  const { awareness } = provider;
  const server = new Awareness(new Y.Doc());
  applyAwarenessUpdate(server, encodeAwarenessUpdate(awareness, [awareness.clientID]), 'x');
  const meta = server.meta.get(awareness.clientID) as { clock: number };
  meta.clock++;
  bench.part(AWARENESS, encodeAwarenessUpdate(server, [awareness.clientID], new Map()));
  assert.deepEqual(await bench.turn(), ['awareness to 7']);
  server.destroy();
});

test('a provider that is destroyed sends what waits, closes the document, and is nobody there', async () => {
  const { bench, provider, text } = await level();
  const { awareness } = provider;
  awareness.setLocalState({ name: 'Anna' });
  text.insert(0, 'last');
  provider.destroy();
  provider.destroy();
  assert.deepEqual(await bench.turn(), ['update 2 to 7', 'awareness to 7', 'close 7']);
  assert.equal(provider.state, 'closed');
  assert.equal(awareness.getLocalState(), null);
  text.insert(0, 'x');
  bench.part(UPDATE, textUpdate('late'));
  assert.equal(text.toString(), 'xlast', 'what was on its way is of no interest');
  assert.deepEqual(await bench.turn(), []);
  assert.equal(bench.violations, 0);
});

test('an awareness that was given stays the application’s', async () => {
  const bench = begin();
  const doc = new Y.Doc();
  const awareness = new Awareness(doc);
  awareness.setLocalState({ name: 'Anna' });
  const provider = bench.provider('plan', doc, { awareness });
  assert.equal(provider.awareness, awareness);
  provider.destroy();
  assert.deepEqual(awareness.getLocalState(), { name: 'Anna' });
  awareness.destroy();
});

test('a document has one provider, and another after it', async () => {
  const bench = begin();
  const provider = bench.provider();
  assert.throws(() => bench.provider(), { code: 'invalid', message: /has a provider for plan/ });
  bench.open();
  provider.destroy();
  const next = bench.provider();
  assert.deepEqual(bench.taken(), [], 'what was asked for by the first is given to the second');
  bench.level(1);
  assert.equal(next.state, 'open');
  next.destroy();
  const third = bench.provider();
  assert.deepEqual(
    (await bench.turn()).filter((one) => /^(open|close)/.test(one)),
    ['close 7', 'open 2 plan'],
  );
  bench.part(UPDATE, textUpdate('old'));
  bench.level(2);
  assert.equal(third.doc.getText('t').length, 0);
  third.destroy();
  await bench.turn();
  bench.lose();
  assert.deepEqual(bench.open(), []);
});

test('one that is left before it is open is closed when it is', async () => {
  const bench = begin();
  const provider = bench.provider();
  bench.open();
  provider.destroy();
  bench.opened(1);
  assert.deepEqual(bench.taken(), ['close 7']);
  assert.equal(bench.violations, 0);
});

test('two documents of one client are kept apart', async () => {
  const bench = begin();
  const [plan, notes] = [bench.provider('plan'), bench.provider('notes')];
  assert.deepEqual(bench.open(), ['open 1 plan', 'open 2 notes']);
  bench.level(2, 8);
  bench.level(1, 7);
  await bench.turn();
  notes.doc.getText('t').insert(0, 'note');
  assert.deepEqual(await bench.turn(), ['update 2 to 8']);
  bench.part(UPDATE, textUpdate('plan'));
  assert.equal(plan.doc.getText('t').toString(), 'plan');
  assert.equal(notes.doc.getText('t').toString(), 'note');
  bench.refuse(3, 100);
  assert.equal(bench.violations, 1, 'an answer to nothing');
});

test('bytes that are no update end the session; what an application’s listener throws does not', async () => {
  const { bench, provider } = await level();
  const reported: unknown[] = [];
  Object.assign(globalThis, { reportError: (error: Error) => reported.push(error.message) });
  provider.doc.getText('t').observe(() => {
    throw new Error('a listener');
  });
  bench.part(UPDATE, textUpdate('fine'));
  Reflect.deleteProperty(globalThis, 'reportError');
  assert.deepEqual(reported, ['a listener']);
  assert.equal(provider.doc.getText('t').toString(), 'fine');
  assert.equal(bench.violations, 0);
  bench.part(UPDATE, new Uint8Array([1, 1, 7, 0, 200]));
  assert.equal(bench.violations, 1);
  bench.open();
  bench.level(2);
  bench.part(AWARENESS, new Uint8Array([1, 1, 1, 3, 123, 123, 123]));
  assert.equal(bench.violations, 2);
  bench.open();
  bench.opened(3);
  bench.part(STATE_VECTOR, new Uint8Array([200]));
  assert.equal(bench.violations, 3);
});

test('a client that closes closes its documents, and says why', async () => {
  const { bench, provider } = await level();
  await bench.client.close();
  assert.equal(provider.state, 'closed');
  assert.equal(provider.error?.code, 'normal');
  const late = bench.provider('late');
  assert.equal(late.state, 'closed');
  await assert.rejects(late.whenSynced(), { code: 'normal' });
});

test('a document of another copy of yjs is refused before it does harm', () => {
  const bench = begin();
  assert.throws(() => bench.provider('plan', { on: () => {} } as unknown as Y.Doc), { message: /another copy of yjs/ });
  assert.equal(bench.provider().state, 'connecting');
});

test('undo takes back what was edited here, and nothing that came from others', async () => {
  const { bench, provider, text } = await level();
  const editor = { plugin: true };
  const undo = undoManager(provider, text, { origins: [editor], captureTimeout: 0 });
  text.insert(0, 'mine ');
  const other = new Y.Doc();
  await bench.turn();
  for (const update of pieces(bench, UPDATE)) Y.applyUpdate(other, update);
  const vector = Y.encodeStateVector(other);
  other.getText('t').insert(5, 'theirs ');
  bench.part(UPDATE, Y.encodeStateAsUpdate(other, vector));
  provider.doc.transact(() => text.insert(text.length, 'typed'), editor);
  assert.equal(text.toString(), 'mine theirs typed');
  undo.undo();
  assert.equal(text.toString(), 'mine theirs ');
  undo.undo();
  assert.equal(text.toString(), 'theirs ');
  undo.undo();
  assert.equal(text.toString(), 'theirs ', 'there is nothing more of one’s own');
  undo.redo();
  assert.equal(text.toString(), 'mine theirs ');
});
