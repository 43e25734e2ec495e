/** Documents against a real node, over connections that break. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as Y from 'yjs';
import type { ClientOptions } from '../src/index.ts';
import { type DocOptions, DocProvider } from '../src/yjs.ts';
import { Clients } from './support/clients.ts';
import { becomes, until } from './support/eventually.ts';
import { StarlingNode } from './support/node.ts';
import { NodeProxy } from './support/proxy.ts';

let node: StarlingNode;
const clients = new Clients();
const providers: DocProvider[] = [];

before(async () => {
  node = await StarlingNode.start({ 'documents.enabled': 'true' });
});

after(async () => {
  for (const provider of providers) provider.destroy();
  await clients.close();
  await node.stop();
});

/** A provider with a client of its own. */
function edit(name: string, options: DocOptions = {}, of: ClientOptions = {}): DocProvider {
  const provider = new DocProvider(clients.connect(node.url, of), name, new Y.Doc(), options);
  providers.push(provider);
  return provider;
}

const text = ({ doc }: DocProvider): Y.Text => doc.getText('t');
const shown = (provider: DocProvider): string => text(provider).toString();
const names = ({ awareness }: DocProvider): unknown[] =>
  [...awareness.getStates().values()].map(({ name }) => name).sort();

test('two clients edit one document, see each other, and are told what is saved', async () => {
  const [one, other] = [edit('both'), edit('both')];
  await Promise.all([one.whenSynced(), other.whenSynced()]);
  assert.deepEqual(one.rights, { mayWrite: true, mayShow: true });
  one.awareness.setLocalState({ name: 'anna' });
  other.awareness.setLocalState({ name: 'bert' });
  for (const provider of [one, other]) await becomes('who is there', ['anna', 'bert'], () => names(provider));
  text(one).insert(0, 'hello');
  assert.equal(one.unsaved, 1);
  await one.whenSaved();
  await becomes('the text', 'hello', () => shown(other));
  text(other).insert(5, ' world');
  await other.whenSaved();
  await becomes('the text', 'hello world', () => shown(one));
  other.destroy();
  await becomes('who is there', ['anna'], () => names(one));
  const late = edit('both');
  await late.whenSynced();
  assert.equal(shown(late), 'hello world');
});

test('a paste that is longer than a frame arrives whole, and so does a document of many', async () => {
  const [one, other] = [edit('long'), edit('long')];
  await Promise.all([one.whenSynced(), other.whenSynced()]);
  const paste = Array.from({ length: 400_000 }, (_, at) => String.fromCharCode(97 + (at % 26))).join('');
  for (let count = 1; count <= 4; count++) {
    text(one).insert(0, paste);
    await one.whenSaved();
    await becomes('the length', count * paste.length, () => text(other).length);
  }
  const late = edit('long');
  await late.whenSynced();
  assert.equal(shown(late), shown(one));
});

test('what is edited without a connection is saved when there is one again, and nothing is twice', async () => {
  const proxy = await NodeProxy.start(node.port);
  const away = edit('away', {}, { url: proxy.url });
  const here = edit('away');
  await Promise.all([away.whenSynced(), here.whenSynced()]);
  here.awareness.setLocalState({ name: 'here' });
  away.awareness.setLocalState({ name: 'away' });
  text(away).insert(0, 'base');
  await becomes('the text', 'base', () => shown(here));
  proxy.block(true);
  await becomes('it is offline', 'offline', () => away.state);
  assert.deepEqual(names(away), ['away']);
  await becomes('who is there', ['here'], () => names(here));
  text(away).insert(4, ' away');
  text(here).insert(0, 'here ');
  assert.equal(away.unsaved, 1);
  proxy.block(false);
  await away.whenSaved({ timeoutMs: 20_000 });
  for (const provider of [away, here]) {
    await becomes('the text', 'here base away', () => shown(provider));
    await becomes('who is there', ['away', 'here'], () => names(provider));
  }
  await proxy.stop();
});

test('a node that is killed in the middle of typing loses nothing that was shown as saved', async () => {
  const own = await StarlingNode.start({ 'documents.enabled': 'true' });
  const provider = edit('killed', {}, { url: own.url });
  await provider.whenSynced();
  let saved = '';
  provider.on('saved', () => {
    saved = shown(provider);
  });
  for (let kill = 0; kill < 3; kill++) {
    const end = Date.now() + 300;
    while (Date.now() < end) {
      text(provider).insert(text(provider).length, 'x');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until('something is saved', () => saved.length > 0);
    const before = saved;
    await own.kill();
    text(provider).insert(0, 'y');
    await own.restart();
    const fresh = edit('killed', {}, { url: own.url });
    await fresh.whenSynced();
    assert.ok(shown(fresh).replaceAll('y', '').length >= before.replaceAll('y', '').length);
    await provider.whenSaved({ timeoutMs: 20_000 });
    await becomes('the text', shown(provider), () => shown(fresh));
    fresh.destroy();
  }
  provider.destroy();
  await own.stop();
});

test('many documents of one client are one connection', async () => {
  const client = clients.connect(node.url);
  const some = Array.from({ length: 20 }, (_, at) => new DocProvider(client, `many-${at}`, new Y.Doc()));
  providers.push(...some);
  for (const [at, provider] of some.entries()) text(provider).insert(0, `${at}`);
  await Promise.all(some.map((provider) => provider.whenSaved({ timeoutMs: 20_000 })));
  assert.equal(client.stats.sessions, 1);
  for (const [at, provider] of some.entries()) {
    provider.destroy();
    const again = new DocProvider(client, `many-${at}`, new Y.Doc());
    providers.push(again);
    await again.whenSynced();
    assert.equal(shown(again), `${at}`);
  }
  assert.equal(client.stats.violations, 0);
});

test('a node that serves no documents says so', async () => {
  const plain = await StarlingNode.start();
  const provider = edit('plan', {}, { url: plain.url });
  await assert.rejects(provider.whenSynced(), { code: 'documents_off' });
  assert.equal(provider.state, 'failed');
  provider.destroy();
  await plain.stop();
});
