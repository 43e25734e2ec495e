/**
 * Documents under simulated time: links are cut, pages are busy, the server crashes and loses what is not stored, refuses and
 * closes. What must hold: all converge, and nothing that was shown as saved is missing from the store.
 *
 * `SEED=8121` replays one run, `SEEDS=1000` makes more of them.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import type { DocProvider } from '../src/yjs.ts';
import { DocumentServed, DocumentServer } from './support/document-server.ts';
import { DocumentBench, type Written } from './support/documents.ts';
import { Time } from './support/time.ts';
import { dice } from './support/world.ts';

const SEEDS = process.env.SEED
  ? [Number(process.env.SEED)]
  : Array.from({ length: Number(process.env.SEEDS ?? 10) }, (_, seed) => seed);

const DOCUMENTS = ['plan', 'notes'];

/** What happened in a run: a simulation in which nothing does proves nothing. */
const totals = { edits: 0, saved: 0, cuts: 0, crashes: 0, refused: 0, destroyed: 0 };

/** A client whose link delays and breaks, with a provider for each document. */
class Editor {
  readonly bench: DocumentBench;
  readonly docs: Y.Doc[];
  readonly providers: DocProvider[] = [];
  readonly faults: unknown[] = [];
  #served: DocumentServed | undefined;
  #generation = 0;
  #upAt = 0;
  #downAt = 0;

  constructor(
    readonly id: number,
    readonly server: DocumentServer,
  ) {
    const { time, random } = server;
    this.bench = new DocumentBench(time, (frame) => this.#send(frame), random);
    this.docs = DOCUMENTS.map((_, at) => {
      const doc = new Y.Doc();
      doc.clientID = 100 * (id + 1) + at;
      return doc;
    });
    for (const at of DOCUMENTS.keys()) this.provide(at);
    this.connect();
  }

  /** A provider for one of the documents. */
  provide(at: number): void {
    const provider = this.bench.provider(DOCUMENTS[at], this.docs[at]);
    this.providers[at] = provider;
    provider.awareness.setLocalState({ name: this.id });
    provider.on('saved', () => {
      totals.saved++;
      this.#judge(() => this.check(at));
    });
    provider.on('refused', () => this.#judge(() => assert.fail('everybody may write')));
    provider.on('error', (error) => this.#judge(() => assert.fail(error.message)));
  }

  connect(): void {
    if (this.#served) return;
    const generation = ++this.#generation;
    const { time, random } = this.server;
    this.#served = new DocumentServed(this.server, (kind, body) => {
      this.#downAt = Math.max(this.#downAt, time.now() + 1 + random() * 30);
      if (kind === 'documentRefused') totals.refused++;
      const told = 'request' in body ? { ...body, request: (body.request as number) - 2 ** 33 } : body;
      time.at(this.#downAt, () => generation === this.#generation && this.bench.tell(kind, told as never));
    });
    this.bench.open();
  }

  /** What is on its way in either direction is lost. */
  cut(): void {
    if (!this.#served) return;
    this.#generation++;
    this.#served.end();
    this.#served = undefined;
    this.bench.lose();
  }

  edit(): void {
    const { random } = this.server;
    const at = Math.floor(random() * DOCUMENTS.length);
    const doc = this.docs[at] as Y.Doc;
    const text = doc.getText('t');
    const place = Math.floor(random() * (text.length + 1));
    totals.edits++;
    if (random() < 0.6) text.insert(place, `${this.id}`.repeat(1 + random() * random() * 200));
    else text.delete(place, Math.floor(random() * Math.min(20, text.length - place + 1)));
    const own = doc.getMap(`own ${this.id}`);
    const key = `k${Math.floor(random() * 5)}`;
    const die = random();
    if (die < 0.2) own.delete(key);
    else if (die < 0.5) own.set(key, totals.edits);
  }

  /** What is shown as saved is in the store. */
  check(at: number): void {
    const doc = this.docs[at] as Y.Doc;
    const stored = this.server.stored(DOCUMENTS[at] as string);
    assert.ok(
      Y.getState(stored.store, doc.clientID) >= Y.getState(doc.store, doc.clientID),
      `an edit of ${this.id} was shown as saved, and is not in the store`,
    );
    // And what was deleted is, too: nobody else writes these.
    const own = `own ${this.id}`;
    assert.deepEqual(stored.getMap(own).toJSON(), doc.getMap(own).toJSON());
  }

  /** What a listener throws is the application's, and would not end the run. */
  #judge(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.faults.push(error);
    }
  }

  #send(frame: Written): void {
    const { time, random } = this.server;
    const served = this.#served;
    this.#upAt = Math.max(this.#upAt, time.now() + 1 + random() * 30);
    time.at(this.#upAt, () => served && served === this.#served && served.receive(frame));
  }
}

async function live(seed: number): Promise<string[]> {
  const random = dice(seed);
  const time = new Time();
  const server = new DocumentServer(time, random);
  const editors = [0, 1, 2].map((id) => new Editor(id, server));
  const isTrouble = () => time.now() < 30_000;
  const again = (meanMs: number, act: () => void) => {
    const next = () =>
      time.at(time.now() + random() * 2 * meanMs, () => {
        if (!isTrouble()) return;
        act();
        next();
      });
    next();
  };
  for (const editor of editors) {
    again(100, () => editor.edit());
    again(4_000, () => {
      totals.cuts++;
      editor.cut();
      time.at(time.now() + random() * 3_000, () => editor.connect());
    });
    again(3_000, () => {
      editor.bench.isBusy = true;
      time.at(time.now() + random() * 500, () => editor.bench.catchUp());
    });
    again(8_000, () => {
      const at = Math.floor(random() * DOCUMENTS.length);
      totals.destroyed++;
      editor.providers[at]?.destroy();
      editor.provide(at);
    });
  }
  again(10_000, () => {
    totals.crashes++;
    for (const editor of editors) editor.cut();
    server.crash();
    for (const editor of editors) time.at(time.now() + random() * 2_000, () => editor.connect());
  });
  again(6_000, () => {
    server.isStoring = false;
    time.at(time.now() + random() * 2_000, () => {
      server.isStoring = true;
    });
  });
  await time.pass(35_000);
  server.troubles = 0;
  for (const editor of editors) editor.connect();
  await time.pass(15_000);
  const texts: string[] = [];
  for (const [at, name] of DOCUMENTS.entries()) {
    const stored = server.stored(name).getText('t').toString();
    for (const { docs, providers, id } of editors) {
      assert.equal(docs[at]?.getText('t').toString(), stored, `${name} of ${id} is what is stored`);
      const { state, synced, unsaved, awareness } = providers[at] as DocProvider;
      assert.deepEqual([state, synced, unsaved], ['open', true, 0], `${name} of ${id}`);
      const there = [...awareness.getStates().values()].map(({ name }) => name).sort();
      assert.deepEqual(there, [0, 1, 2], `who is in ${name}, as ${id} sees it`);
    }
    texts.push(stored);
  }
  for (const editor of editors) {
    assert.equal(editor.bench.violations, 0);
    if (editor.faults.length > 0) throw editor.faults[0];
    for (const at of DOCUMENTS.keys()) editor.check(at);
    editor.bench.destroy();
  }
  server.stop();
  return texts;
}

test(`whatever happens, documents converge, and what is shown as saved is stored (${SEEDS.length} seeds)`, async () => {
  for (const seed of SEEDS) {
    try {
      await live(seed);
    } catch (error) {
      throw new Error(`with SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  for (const [what, times] of Object.entries(totals)) assert.ok(times > SEEDS.length, `${what}: ${times}`);
});

test('the same seed makes the same run', async () => {
  assert.deepEqual(await live(3), await live(3));
});
