/** Frames over WebTransport: on one bidirectional stream that the client opens, each body behind its length. */

import { SERVER_FRAME_BYTES_MAX } from '../limits.ts';
import type { Connect, Measured } from '../transport.ts';
import { FrameFault } from '../wire/fault.ts';
import { Cutter, delimited } from '../wire/frame.ts';

/** `getStats` is not everywhere, and not in every type library. */
interface Stats {
  smoothedRtt?: number;
  packetsLost?: number;
}

/** Whether this environment has WebTransport. */
export const hasWebTransport = (): boolean => 'WebTransport' in globalThis;

/** Connects. */
export const webtransport: Connect = async ({ url, hashes }, listener, signal) => {
  const options: WebTransportOptions = { congestionControl: 'low-latency' };
  if (hashes) options.serverCertificateHashes = hashes.map((value) => ({ algorithm: 'sha-256', value }));
  const session = new WebTransport(url, options);
  const abandon = () => session.close();
  signal.addEventListener('abort', abandon, { once: true });
  // Whoever waits for `ready` or the stream hears of it too.
  session.closed.catch(() => {});
  await session.ready;
  const { readable, writable } = await session.createBidirectionalStream();
  signal.removeEventListener('abort', abandon);
  const writer = writable.getWriter();
  const reader: ReadableStreamDefaultReader<Uint8Array> = readable.getReader();
  let open = true;
  const lost = (reason: string) => {
    if (open) listener.lost({ code: 0, reason });
    open = false;
    session.close();
  };

  void (async () => {
    const cutter = new Cutter(SERVER_FRAME_BYTES_MAX);
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (!open) return;
        if (done) break;
        for (const body of cutter.cut(value)) {
          listener.received(body);
          if (!open) return;
        }
      }
      lost('the server ended the stream');
    } catch (error) {
      if (error instanceof FrameFault && open) listener.broken(error.message);
      else lost(`the stream was lost: ${detail(error)}`);
    }
  })();
  // Where only the session is told of the end, reads may wait for ever.
  session.closed.then(
    () => lost('the session was closed'),
    (error: unknown) => lost(`the session was lost: ${detail(error)}`),
  );

  const getStats = (session as unknown as { getStats?: () => Promise<Stats> }).getStats?.bind(session);
  return {
    transport: 'webtransport',
    send(body) {
      writer.write(delimited(body)).catch((error: unknown) => lost(`the stream was lost: ${detail(error)}`));
    },
    close(closeCode, reason) {
      if (!open) return;
      open = false;
      // The Goodbye that was written goes out before the session ends.
      const end = () => session.close({ closeCode, reason });
      writer.close().then(end, end);
    },
    ...(getStats && { measure: () => getStats().then(measured, () => ({})) }),
  };
};

function measured({ smoothedRtt, packetsLost }: Stats): Measured {
  return {
    ...(smoothedRtt !== undefined && { rttMs: smoothedRtt }),
    ...(packetsLost !== undefined && { packetsLost }),
  };
}

/** Safari leaves the message empty: what else an error has. */
function detail(error: unknown): string {
  const { message, source, streamErrorCode } = error as Partial<WebTransportError>;
  return message || `${source ?? 'unknown'} ${streamErrorCode ?? ''}`.trim();
}
