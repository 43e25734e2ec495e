/** A PostgreSQL of a test's own, on loopback: a database that the nodes of a cluster share. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../../clients/typescript/test/support/eventually.ts';

/** Where Debian keeps the binaries: none of them is in the path. */
const DEBIAN = '/usr/lib/postgresql';

/** Whom it runs as. */
interface User {
  uid: number;
  gid: number;
}

/** See the module. */
export class Postgres {
  #process: ChildProcess | undefined;

  private constructor(
    private readonly directory: string,
    private readonly port: number,
    private readonly user: User | undefined,
  ) {}

  /** A new one that takes connections. */
  static async start(): Promise<Postgres> {
    const directory = mkdtempSync(join(tmpdir(), 'starling-postgres-'));
    // It refuses to run as root.
    const user = process.getuid?.() === 0 ? postgresUser() : undefined;
    if (user !== undefined) chownSync(directory, user.uid, user.gid);
    const server = new Postgres(directory, await freePort(), user);
    process.once('exit', () => server.#abandon());
    const words = ['--no-sync', '--auth=trust', '--username=starling', '--no-locale', '--encoding=UTF8'];
    const made = spawnSync(binary('initdb'), [...words, server.#data], { ...user, cwd: directory, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
    await server.restart();
    return server;
  }

  /** How a node reaches it. */
  get url(): string {
    return `postgres://starling@127.0.0.1:${this.port}/postgres?sslmode=disable`;
  }

  /** Starts it after it was stopped. */
  async restart(): Promise<void> {
    const words = ['-D', this.#data, '-k', this.directory, '-p', `${this.port}`, '-c', 'listen_addresses=127.0.0.1'];
    this.#process = spawn(binary('postgres'), words, { ...this.user, cwd: this.directory, stdio: 'ignore' });
    const ready = ['-h', this.directory, '-p', `${this.port}`];
    await until('PostgreSQL is ready', () => spawnSync(binary('pg_isready'), ready).status === 0, 30_000);
  }

  /** Ends it without waiting for anybody. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    await ended;
  }

  /** Ends it, and removes what it kept. */
  async remove(): Promise<void> {
    await this.stop();
    this.#abandon();
  }

  get #data(): string {
    return join(this.directory, 'data');
  }

  #abandon(): void {
    this.#process?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function binary(name: string): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const paths = versions.map((version) => join(DEBIAN, version, 'bin', name));
  return paths.find((path) => existsSync(path)) ?? name;
}

function postgresUser(): User {
  const id = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}

/** A port that nobody listened on a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('it listens on TCP');
  return address.port;
}
