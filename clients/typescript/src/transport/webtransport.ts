/** Frames over WebTransport: on one bidirectional stream that the client opens, each body behind its length. */

import { SERVER_FRAME_BYTES_MAX } from '../limits.ts';
import type { Connect, Measured } from '../transport.ts';
import { FrameFault } from '../wire/fault.ts';
import { Cutter, delimited } from '../wire/frame.ts';

/** Whether this environment has WebTransport. */
export const hasWebTransport = (): boolean => 'WebTransport' in globalThis;

/** Connects. */
export const webtransport: Connect = async ({ url, hashes }, listener, signal) => {
  const options: WebTransportOptions = { congestionControl: 'low-latency' };
  if (hashes) options.serverCertificateHashes = hashes.map((value) => ({ algorithm: 'sha-256', value }));
  const session = new WebTransport(url, options);
  let open = false;
  signal.addEventListener('abort', () => {
    if (!open) session.close();
  });
  // Whoever waits for `ready` or the stream hears of it too.
  session.closed.catch(() => {});
  await session.ready;
  const { readable, writable } = await session.createBidirectionalStream();
  open = true;
  const writer = writable.getWriter();
  const reader: ReadableStreamDefaultReader<Uint8Array> = readable.getReader();
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
      lost('the stream ended');
    } catch (error) {
      if (error instanceof FrameFault && open) listener.broken(error.message);
      else lost(detail(error));
    }
  })();
  // Where only the session is told of the end, reads may wait for ever.
  session.closed.then(
    () => lost('the session ended'),
    (error: unknown) => lost(detail(error)),
  );

  return {
    transport: 'webtransport',
    send(body) {
      writer.write(delimited(body)).catch((error: unknown) => lost(detail(error)));
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

/** Safari leaves the message empty: what else an error has. */
function detail(error: unknown): string {
  const { message, source, streamErrorCode } = error as Partial<WebTransportError>;
  return message || `a fault of the ${source} ${streamErrorCode}`;
}
