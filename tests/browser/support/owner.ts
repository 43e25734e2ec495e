/** Channels of a cluster by the node that owns them. */

import assert from 'node:assert/strict';
import type { StarlingNode } from '../../../clients/typescript/test/support/node.ts';

/** Channels that are tried: a third of all has any of three nodes for its owner. */
const CHANNELS_MAX = 64;

/**
 * A channel of `owner`. A node has an actor for each channel that it owns and for each that it passes on: a publish at the
 * gateway makes one at the owner, and then one at the owner itself makes no more. It has others, which come and go.
 */
export async function channelOf(owner: StarlingNode, gateway: StarlingNode): Promise<string> {
  const channels = () => owner.metric('starling_channels');
  for (let n = 0; n < CHANNELS_MAX; n++) {
    const name = `demo:cluster-${n}`;
    const before = await channels();
    await publishFirst(gateway, name);
    const after = await channels();
    if (after === before) continue;
    await publishFirst(owner, name);
    if ((await channels()) === after) return name;
  }
  throw new Error(`none of ${CHANNELS_MAX} channels is the node's`);
}

async function publishFirst(node: StarlingNode, name: string): Promise<void> {
  const answer = await fetch(`${node.url}/v1/channels/${name}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ data: '"first"' }),
  });
  assert.equal(answer.status, 200, await answer.text());
}
