/** The node's binary as a child process: started, killed, started again, asked what it counts. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Where the binary is: `make` tells, and leaves a link in the clone. */
export const BINARY = process.env.STARLING_BINARY ?? '../../starling';

/** What tokens of these tests are signed with. */
export const SECRET = 'a secret of the tests, long enough for HS256';

const BASE = `
[auth]
anonymous = true
leeway = "0s"
[[auth.keys]]
id = "test"
algorithm = "HS256"
secret = "${SECRET}"
[log]
format = "json"
[client]
origins = ["loopback"]
[limits]
connections_per_address_max = 20000
[[namespaces]]
match = "demo"
publish_rate = 0
[[namespaces]]
match = "log"
durability = "persisted"
publish_rate = 0
[[namespaces]]
match = "live"
durability = "ephemeral"
policy = "drop"
publish_rate = 0
[[namespaces]]
match = "board"
keyed = true
publish_rate = 0
`;

/** Nodes that were not stopped: a test that fails leaves one running, and it ends with the test. */
const running = new Set<StarlingNode>();
process.once('exit', () => {
  for (const node of running) node.abandon();
});

/** A node that serves the namespaces `demo` (two minutes of history), `log` (on disk), `live` (none), `board` (keyed). */
export class StarlingNode {
  readonly log: string[] = [];
  port = 0;
  #admin = '127.0.0.1:0';
  /** Where it keeps what it keeps. */
  readonly directory = mkdtempSync(join(tmpdir(), 'starling-test-'));
  #process: ChildProcess | undefined;

  /** Starts a node and waits until it serves. */
  static async start(set: Record<string, string> = {}): Promise<StarlingNode> {
    const node = new StarlingNode(set);
    running.add(node);
    await node.restart();
    return node;
  }

  private constructor(private readonly set: Record<string, string>) {}

  /** The HTTP base for clients. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Its process, for whoever asks the system about it. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts it on the ports it had, as a new generation. */
  async restart(): Promise<void> {
    const set = {
      'client.listen': `127.0.0.1:${this.port}`,
      'admin.listen': this.#admin,
      'node.data_dir': this.directory,
      ...this.set,
    };
    const flags = Object.entries(set).map(([key, value]) => `--set=${key}=${value}`);
    const file = join(this.directory, 'starling.toml');
    writeFileSync(file, BASE);
    const child = spawn(BINARY, ['serve', '--config', file, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the node ended with ${code}:\n${this.log.join('\n')}`)));
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.log.push(line);
        const { fields } = line.startsWith('{') ? JSON.parse(line) : {};
        if (fields?.message !== 'serving') return;
        this.port = Number(new URL(fields.url).port);
        this.#admin = fields.admin;
        resolve();
      });
    });
  }

  /** Ends it as a crash does: no goodbye, no flush. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Stops it without a word, as a machine that is gone: its sockets stay, and nobody answers. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  /** Ends that. */
  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Stops it in order, for good. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    this.abandon();
    running.delete(this);
  }

  /** Ends it without waiting. */
  abandon(): void {
    this.#process?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Whether it says that clients may come: in a cluster some time after it serves. */
  async isReady(): Promise<boolean> {
    return (await fetch(`http://${this.#admin}/health/ready`)).ok;
  }

  /** The value of a metric, by its whole name with labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${this.#admin}/metrics`)).text();
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    return line ? Number(line.split(' ').at(-1)) : 0;
  }

  /** Sessions that are open over each transport, by the node's own count. */
  async carries(): Promise<{ webtransport: number; websocket: number }> {
    const of = (transport: string) => this.metric(`starling_connections{transport="${transport}"}`);
    return { webtransport: await of('webtransport'), websocket: await of('websocket') };
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}
