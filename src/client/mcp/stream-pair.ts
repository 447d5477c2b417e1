import { Duplex as NodeDuplex, duplexPair } from 'node:stream';
import type { Duplex } from '../../shared/duplex.ts';
import { socketDuplex } from '../../shared/socket-duplex.ts';

/**
 * A connection that never leaves this process: `socket` for a driver that wants a socket to connect, `duplex` for the session's stream.
 * No port is opened that another process could find.
 */
export function streamPair(): { socket: NodeDuplex; duplex: Duplex } {
  const [near, far] = duplexPair({ allowHalfOpen: true });
  near.allowHalfOpen = false; // as a driver's own socket: when the other side has ended, it is over
  near.once('close', () => far.destroy());
  far.once('close', () => near.destroy());
  return { socket: asSocket(near), duplex: socketDuplex(far) };
}

/** What drivers call on a socket besides a stream's own methods. */
function asSocket(stream: NodeDuplex): NodeDuplex {
  const same = () => stream;
  const connect = () => {
    queueMicrotask(() => stream.emit('connect'));
    return stream;
  };
  return Object.assign(stream, {
    connect,
    setNoDelay: same,
    setKeepAlive: same,
    setTimeout: same,
    ref: same,
    unref: same,
  });
}
