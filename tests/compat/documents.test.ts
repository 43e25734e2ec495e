/** The TypeScript client's documents beside unmodified editors, on the nodes of a cluster, and when those die. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { StarlingCluster } from '../../clients/typescript/test/support/cluster.ts';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { type AnyEditor, hocuspocus, yjs } from './support/editors.ts';
import { type Ours, ours } from './support/ours.ts';
import { Postgres } from './support/postgres.ts';

let postgres: Postgres;
let cluster: StarlingCluster;
const open: AnyEditor[] = [];

before(async () => {
  postgres = await Postgres.start();
  cluster = await StarlingCluster.start({ 'documents.enabled': 'true', 'storage.url': postgres.url });
});

after(async () => {
  for (const editor of open) editor.destroy();
  await cluster.stop();
  await postgres.remove();
});

/** How long an owner that died is missed, and its editors are level again, on a machine that does more than this. */
const CHANGE_MS_MAX = 40_000;

/** Editors that are synced. */
async function synced<One extends AnyEditor>(...editors: One[]): Promise<One[]> {
  open.push(...editors);
  for (const editor of editors) await until('it is synced', () => editor.isSynced(), CHANGE_MS_MAX);
  return editors;
}

async function all(editors: AnyEditor[], text: string): Promise<void> {
  for (const editor of editors) await becomes('the text', text, () => editor.text(), CHANGE_MS_MAX);
}

test('editors of all kinds see what each writes, and who is there', async () => {
  const [a, b, c] = cluster.nodes;
  const some = await synced<AnyEditor>(ours(a, 'kinds'), yjs(a, 'kinds'), ours(b, 'kinds'), hocuspocus(c, 'kinds'));
  let text = '';
  for (const [at, editor] of some.entries()) {
    editor.doc.getText('t').insert(text.length, `${at}`);
    text += `${at}`;
    await all(some, text);
    editor.is(`editor ${at}`);
  }
  const names = some.map((_, at) => `editor ${at}`);
  for (const editor of some) await becomes('who is there', names, () => editor.names());
  some[0]?.destroy();
  some[1]?.destroy();
  for (const editor of some.slice(2)) await becomes('who is left', names.slice(2), () => editor.names());
});

test('whichever node is killed, everybody types on, and what was shown as saved is there', async () => {
  const some: Ours[] = await synced(...cluster.nodes.map((node) => ours(node, 'killed')));
  const typed = some.map(() => 0);
  const saved = some.map(() => 0);
  for (const [at, { provider }] of some.entries()) {
    provider.on('saved', () => {
      saved[at] = typed[at] as number;
    });
  }
  const typing = setInterval(() => {
    for (const [at, { doc }] of some.entries()) {
      doc.getText('t').insert(0, `[${at}.${typed[at]}]`);
      typed[at] = (typed[at] as number) + 1;
    }
  }, 20);
  await until('something of each is saved', () => saved.every((number) => number > 20), CHANGE_MS_MAX);
  for (const node of cluster.nodes) {
    const before = [...saved];
    await node.kill();
    await until('all are saved on', () => saved.every((number, at) => number > (before[at] as number)), CHANGE_MS_MAX);
    await node.restart();
    await until('the node is ready', () => node.isReady(), CHANGE_MS_MAX);
  }
  clearInterval(typing);
  for (const { provider } of some) await provider.whenSaved({ timeoutMs: CHANGE_MS_MAX });
  const text = some[0]?.text() ?? '';
  await all(some, text);
  const [fresh] = await synced(ours(cluster.nodes[0], 'killed'));
  assert.equal(fresh?.text(), text, 'a fresh load is what they show');
  for (const [at, words] of typed.entries()) {
    for (let word = 0; word < words; word++) assert.equal(text.split(`[${at}.${word}]`).length, 2, `[${at}.${word}]`);
  }
});

test('without the database nothing is shown as saved, and all of it is when it is back', async () => {
  const [one, other] = await synced(ours(cluster.nodes[0], 'outage'), ours(cluster.nodes[1], 'outage'));
  assert.ok(one && other);
  one.doc.getText('t').insert(0, 'before ');
  await one.provider.whenSaved();
  await postgres.stop();
  one.doc.getText('t').insert(7, 'during');
  await all([other], 'before during');
  await assert.rejects(one.provider.whenSaved({ timeoutMs: 2_000 }), { code: 'timed_out' });
  assert.equal(one.provider.unsaved, 1);
  await postgres.restart();
  await one.provider.whenSaved({ timeoutMs: CHANGE_MS_MAX });
});
