/** A proxy before a node, TCP and UDP on one port number: a node's discovery answers with the address it was asked by. */

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/** Times a port is looked for that is free for both protocols. */
const BINDS_MAX = 20;

/** Passes everything on, until it is told not to. */
export class NodeProxy {
  port = 0;
  /** UDP goes nowhere, in either direction, and nobody is told: a firewall does that. */
  isUdpBlocked = false;
  /** TCP connections are ended as soon as they are made. */
  isTcpBlocked = false;
  readonly #target: number;
  readonly #connections = new Set<Socket>();
  readonly #flows = new Map<number, UdpSocket>();
  #tcp: Server | undefined;
  #udp: UdpSocket | undefined;

  private constructor(target: number) {
    this.#target = target;
  }

  /** Starts before the node at a port. */
  static async start(target: number): Promise<NodeProxy> {
    const proxy = new NodeProxy(target);
    for (let bind = 1; ; bind++) {
      try {
        await proxy.#bind();
        return proxy;
      } catch (error) {
        if (bind === BINDS_MAX) throw error;
      }
    }
  }

  /** The HTTP base for clients. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Lets nothing through any more, and ends what there is; or everything again. */
  block(isBlocked: boolean): void {
    this.isUdpBlocked = isBlocked;
    this.isTcpBlocked = isBlocked;
    if (isBlocked) this.cutTcp();
  }

  /** Ends every TCP connection. */
  cutTcp(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutTcp();
    for (const flow of this.#flows.values()) flow.close();
    this.#udp?.close();
    await new Promise((resolve) => this.#tcp?.close(resolve));
  }

  async #bind(): Promise<void> {
    const tcp = createServer((client) => {
      if (this.isTcpBlocked) {
        client.destroy();
        return;
      }
      const server = dial(this.#target, '127.0.0.1');
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#connections.add(from);
        from.on('error', () => {});
        from.on('close', () => {
          this.#connections.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as { port: number };
    const udp = createSocket('udp4');
    try {
      udp.bind(port, '127.0.0.1');
      await once(udp, 'listening');
    } catch (error) {
      tcp.close();
      throw error;
    }
    udp.on('message', (packet, { port: from }) => {
      if (this.isUdpBlocked) return;
      this.#flow(udp, from).send(packet, this.#target, '127.0.0.1');
    });
    [this.port, this.#tcp, this.#udp] = [port, tcp, udp];
  }

  #flow(udp: UdpSocket, from: number): UdpSocket {
    const known = this.#flows.get(from);
    if (known) return known;
    const flow = createSocket('udp4');
    flow.on('message', (packet) => {
      if (!this.isUdpBlocked) udp.send(packet, from, '127.0.0.1');
    });
    this.#flows.set(from, flow);
    return flow;
  }
}
