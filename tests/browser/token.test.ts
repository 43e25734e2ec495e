/** Tokens that end while a page is connected: refreshed in the session, or not. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { becomes, until } from '../../clients/typescript/test/support/eventually.ts';
import { StarlingNode } from '../../clients/typescript/test/support/node.ts';
import { forged, token } from '../../clients/typescript/test/support/token.ts';
import { start, type Tab } from './support/browser.ts';
import { called, follow, got, publish, told, ways } from './support/follow.ts';

const browser = await start();
const node = await StarlingNode.start({ 'auth.anonymous': 'false' });
after(async () => {
  await node.stop();
  await browser.stop();
});

/** How long the first token of a session is good for. */
const SHORT_S = 3;

/** Connects with a provider that gives these tokens in turn, the last again and again; when it is denied, none. */
async function connect(tab: Tab, way: { transport: string; worker: boolean }, tokens: (string | null)[]) {
  await tab.evaluate(
    ([url, transport, worker, tokens]) => {
      const { bench } = window;
      const getToken = ({ why }: { why: string }) => {
        bench.asked.push(why);
        const token = tokens.length > 1 ? tokens.shift() : tokens[0];
        if (!token) throw new bench.DeniedError('signed out');
        return token;
      };
      bench.client = new bench.Client({ url, transports: [transport as 'websocket'], worker, getToken });
    },
    [node.url, way.transport, way.worker, tokens] as const,
  );
  await follow(tab, 'demo:token');
}

const state = (tab: Tab) => tab.evaluate(() => window.bench.client.state);
const asked = (tab: Tab) => tab.evaluate(() => window.bench.asked);

test('over every way a token is refreshed in the session, which goes on past the end of the first', async () => {
  const all = await Promise.all(ways(browser.transports).map(async (way) => ({ way, tab: await browser.page() })));
  const end = Math.floor(Date.now() / 1_000) + SHORT_S;
  await Promise.all(
    all.map(async ({ way, tab }) => {
      await connect(tab, way, [token({ exp: end }), token({ exp: end + 600 })]);
      const session = await state(tab);
      await becomes(`questions for a token, ${called(way)}`, ['first', 'refresh'], () => asked(tab));
      await until('the first token has ended', () => Date.now() > (end + 1) * 1_000);
      await publish(tab, 'demo:token', 0, 3);
      assert.deepEqual(await state(tab), session, 'the same session');
    }),
  );
  for (const { way, tab } of all) {
    await becomes(`messages, ${called(way)}`, all.length * 3, async () => (await got(tab, 'demo:token')).length);
    assert.deepEqual(await told(tab, 'demo:token'), ['rewound'], 'attached once');
    await tab.close();
  }
  for (const transport of browser.transports) {
    const opened = `starling_connections_accepted_total{transport="${transport}",result="opened"}`;
    assert.equal(await node.metric(opened), 2, `the node has seen two connections over ${transport}`);
  }
});

const [transport] = browser.transports;
const WAY = { transport: transport as string, worker: true };

test('a refresh that the node does not accept: the session goes on to its end, and the application is told why', async () => {
  const tab = await browser.page();
  const end = Math.floor(Date.now() / 1_000) + SHORT_S;
  await connect(tab, WAY, [token({ exp: end }), forged({ exp: end + 600 })]);
  await until('it is refused', async () => (await node.metric('starling_refusals_total{code="unauthorized"}')) > 0);
  assert.equal((await state(tab)).kind, 'connected', 'the old token holds on');
  await becomes('the state', 'closed', async () => (await state(tab)).kind);
  const closed = (await state(tab)) as { reason: { code: number; name: string } };
  assert.deepEqual([closed.reason.code, closed.reason.name], [4401, 'unauthorized']);
  assert.deepEqual(await asked(tab), ['first', 'refresh', 'replace', 'replace']);
  const ended = `starling_connections_closed_total{transport="${WAY.transport}",code="token_expired"}`;
  assert.equal(await node.metric(ended), 1, 'the node ended it for its token');
  const refused = await tab.evaluate(() =>
    window.bench.client
      .channel('demo:token')
      .publish(1)
      .then(
        () => 'published',
        ({ name, code, number }) => [name, code, number],
      ),
  );
  assert.deepEqual(refused, ['ClosedError', 'unauthorized', 4401]);
  await tab.close();
});

test('a provider that gives no more tokens ends the client with a code', async () => {
  const tab = await browser.page();
  const end = Math.floor(Date.now() / 1_000) + SHORT_S;
  await connect(tab, WAY, [token({ exp: end }), null]);
  await becomes('the state', 'closed', async () => (await state(tab)).kind);
  const { reason } = (await state(tab)) as { reason: { code: number; reason: string } };
  assert.deepEqual([reason.code, reason.reason], [4401, 'no token: signed out']);
  await tab.close();
});
