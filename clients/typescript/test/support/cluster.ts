/** Three nodes of one cluster on this machine, with an authority and keys of their own. */

import { spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './eventually.ts';
import { BINARY, StarlingNode } from './node.ts';

const NAMES = ['a', 'b', 'c'] as const;

/** How long the three have to find each other on a machine that does more than this. */
const READY_MS_MAX = 40_000;

/** Nodes that find each other. */
export class StarlingCluster {
  private constructor(
    readonly nodes: readonly [StarlingNode, StarlingNode, StarlingNode],
    private readonly directory: string,
  ) {}

  /** Starts the nodes, with more of their configuration, and waits until all are ready. */
  static async start(set: Record<string, string> = {}): Promise<StarlingCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'starling-cluster-'));
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
    const ca = (...words: string[]) => {
      const { status, stderr } = spawnSync(BINARY, ['cluster', 'ca', ...words, '--dir', directory], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`starling cluster ca ${words[0]}: ${stderr}`);
    };
    ca('init');
    for (const name of NAMES) ca('issue', name);
    const keys = join(directory, 'gossip.keys');
    writeFileSync(keys, randomBytes(32).toString('hex'), { mode: 0o600 });
    const ports = await freePorts(2 * NAMES.length);
    const gossip = NAMES.map(() => `127.0.0.1:${ports.pop()}`);
    const [a, b, c] = await Promise.all(
      NAMES.map((name, at) =>
        StarlingNode.start({
          ...set,
          'node.name': name,
          'cluster.enabled': 'true',
          'cluster.id': 'test',
          'cluster.bootstrap': NAMES.join(','),
          'cluster.seeds': gossip.join(','),
          'cluster.link_listen': `127.0.0.1:${ports.pop()}`,
          'cluster.gossip_listen': gossip[at] as string,
          'cluster.gossip_keys': keys,
          'cluster.authority': join(directory, 'ca.pem'),
          'cluster.certificate': join(directory, `${name}.pem`),
          'cluster.key': join(directory, `${name}.key`),
        }),
      ),
    );
    const nodes = [a, b, c] as [StarlingNode, StarlingNode, StarlingNode];
    for (const node of nodes) await until('the node is ready', () => node.isReady(), READY_MS_MAX);
    return new StarlingCluster(nodes, directory);
  }

  /** Stops the nodes that run. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Below the ports that Linux hands out by itself: browsers and clients take those at any moment. */
const PORTS = [20_000, 32_000] as const;

/** Numbers that no UDP socket of this machine had a moment ago: a node has to know those of the others before it starts. */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(...PORTS);
    const socket = createSocket('udp4');
    const isFree = new Promise((resolve) => socket.once('listening', () => resolve(true)).once('error', resolve));
    socket.bind(port, '127.0.0.1');
    if ((await isFree) === true) ports.add(port);
    socket.close();
  }
  return [...ports];
}
