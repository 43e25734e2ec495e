/**
 * Frames over WebTransport: on one bidirectional stream that the client opens, each body behind its length; and datagrams,
 * of which each is one body.
 */

import { SERVER_FRAME_BYTES_MAX } from '../limits.ts';
import type { Connect, Measured } from '../transport.ts';
import { FrameFault } from '../wire/fault.ts';
import { Cutter, delimited } from '../wire/frame.ts';

/** Whether this environment has WebTransport. */
export const hasWebTransport = (): boolean => 'WebTransport' in globalThis;

/** Connects. */
export const webtransport: Connect = async ({ url, hashes }, listener, signal) => {
  const session = new WebTransport(url, {
    congestionControl: 'low-latency',
    serverCertificateHashes: hashes?.map((value) => ({ algorithm: 'sha-256', value })),
  } as WebTransportOptions);
  let open = false;
  const lost = (reason: string) => {
    if (!open) return;
    open = false;
    listener.lost({ code: 0, reason });
    session.close();
  };
  // Safari leaves the message empty: what else an error has.
  const failed = ({ message, source }: Partial<WebTransportError>) => lost(message || `a fault of the ${source}`);
  const ended = () => lost('the session ended');
  signal.addEventListener('abort', () => {
    if (!open) session.close();
  });
  // Where only the session is told of the end, reads may wait for ever. Before it is open, whoever waits for it hears of it.
  session.closed.then(ended, failed);
  await session.ready;
  const { readable, writable } = await session.createBidirectionalStream();
  open = true;
  const writer = writable.getWriter();
  const { datagrams } = session;
  const moments = datagrams.writable.getWriter();
  const cutter = new Cutter(SERVER_FRAME_BYTES_MAX);
  readable
    .pipeTo(
      new WritableStream({
        write: (bytes: Uint8Array) => {
          for (const body of cutter.cut(bytes)) listener.received(body);
        },
      }),
    )
    .then(ended, (error) => {
      if (error instanceof FrameFault) listener.broken(error.message);
      else failed(error);
    });
  // A datagram may hold anything. One with ephemeral states begins with their number among bodies, 14, and all else means nothing.
  datagrams.readable
    .pipeTo(
      new WritableStream({
        write: (body: Uint8Array<ArrayBuffer>) => {
          if (body[0] === 0x72) listener.received(body);
        },
      }),
    )
    .catch(failed);

  return {
    transport: 'webtransport',
    send(body, isLossy) {
      // A datagram that is too long for the path is dropped without a word.
      (isLossy ? moments.write(body) : writer.write(delimited(body))).catch(failed);
    },
    close(closeCode, reason) {
      if (!open) return;
      open = false;
      // The Goodbye that was written goes out before the session ends.
      const end = () => session.close({ closeCode, reason });
      writer.close().then(end, end);
    },
    // Not everywhere, and where it is it may throw; not in every type library either.
    measure: async () => (session as unknown as { getStats?: () => Promise<Measured> }).getStats?.() ?? {},
  };
};
