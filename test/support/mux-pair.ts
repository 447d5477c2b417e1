import type { Duplex } from '../../src/shared/duplex.ts';
import { createMux, type Mux, type MuxEnd, type MuxLimits } from '../../src/tunnel/mux.ts';

export interface MuxEndpoint {
  mux: Mux;
  /** Streams that the other side opened, as they came. */
  streams: Duplex[];
  /** Set once the multiplexer is over. */
  over: { reason: string; how: MuxEnd } | undefined;
}

/** Two multiplexers with a wire of arrays between them; the client is the first. */
export function muxPair(limits: Partial<MuxLimits> = {}): [MuxEndpoint, MuxEndpoint] {
  const client = endpoint('client', limits, (bytes) => server.mux.receive(bytes));
  const server = endpoint('server', limits, (bytes) => client.mux.receive(bytes));
  return [client, server];
}

function endpoint(
  role: 'client' | 'server',
  limits: Partial<MuxLimits>,
  deliver: (bytes: Uint8Array) => void,
): MuxEndpoint {
  const made: MuxEndpoint = { mux: undefined as unknown as Mux, streams: [], over: undefined };
  made.mux = createMux({
    role,
    limits,
    schedule: queueMicrotask,
    onStream: (stream) => made.streams.push(stream),
    onClose: (reason, how) => (made.over = { reason, how }),
    send: (chunks) => {
      const message = Buffer.concat(chunks);
      queueMicrotask(() => deliver(message));
      return true;
    },
  });
  return made;
}
