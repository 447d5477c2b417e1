import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex as NodeDuplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import { countCarried } from '../shared/heap.ts';
import { limits } from '../shared/limits.ts';
import { whenTurnEnds } from '../shared/turn.ts';
import { MuxConnection, type Connection } from './connection.ts';
import { startKeepalive } from './keepalive.ts';
import type { MuxEnd, MuxLimits } from './mux.ts';
import { trustedCertificates, unreachable, upgradeRefused } from './upgrade.ts';

export type { Connection } from './connection.ts';

export interface ConnectOptions {
  headers?: Record<string, string>;
  /** PEM, trusted beside the usual roots. */
  ca?: string;
  caFile?: string;
  rejectUnauthorized?: boolean;
  /** Stops the attempt; a connection that stands is closed with `close`. */
  signal?: AbortSignal;
  handshakeMillis?: number;
  limits?: Partial<MuxLimits>;
}

export interface AcceptOptions {
  limits?: Partial<MuxLimits>;
}

/** Past this many bytes in the transport's own buffers, streams wait their turn: the latency of the others stays low. */
const sendAheadBytes = 256 * 1024;
const closeMillisMax = 5_000;
/** Streams that may wait before somebody takes them: the gateway has not authenticated the other side yet, who dials chose it. */
const waitingMax = { client: 1024, server: 16 } as const;

const webSocketOptions = {
  perMessageDeflate: false,
  maxPayload: limits.webSocketBytesMax,
  closeTimeout: closeMillisMax,
} as const;

/** Dials a gateway. Throws UserError: what the gateway answered, or HOOP_GATEWAY_UNREACHABLE. */
export async function connectWebSocket(url: string, options: ConnectOptions = {}): Promise<Connection> {
  const ca = await trustedCertificates(options);
  options.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(url, {
      ...webSocketOptions,
      headers: options.headers ?? {},
      handshakeTimeout: options.handshakeMillis ?? limits.handshakeMillisMax,
      // A zero mask leaves the bytes as they are: masking in JavaScript costs a third of the throughput. It guards proxies against
      // scripts in browsers (RFC 6455, 10.3); docs/tunnel-protocol.md says why that does not apply here.
      generateMask: zeroMask,
      ...(ca === undefined ? {} : { ca }),
      ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
    });
    let socket: Socket;
    const stop = () => fail(options.signal?.reason);
    const fail = (error: unknown) => {
      options.signal?.removeEventListener('abort', stop);
      webSocket.on('error', () => undefined);
      webSocket.terminate();
      reject(error as Error);
    };
    options.signal?.addEventListener('abort', stop, { once: true });
    webSocket.once('unexpected-response', (_, response) => void upgradeRefused(response, url).then(fail));
    webSocket.once('upgrade', (response) => (socket = response.socket));
    webSocket.once('error', (cause) => fail(unreachable(url, cause)));
    webSocket.once('open', () => {
      options.signal?.removeEventListener('abort', stop);
      webSocket.removeAllListeners('error');
      resolve(new WebSocketConnection(webSocket, socket, 'client', options.limits));
    });
  });
}

/** Answers an upgrade request that was authenticated. Rejects when it is no WebSocket handshake, or when the client went away. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: NodeDuplex,
  head: Buffer,
  options: AcceptOptions = {},
): Promise<Connection> {
  const server = new WebSocketServer({ ...webSocketOptions, noServer: true, clientTracking: false });
  return new Promise((resolve, reject) => {
    const gone = () => reject(new UserError('HOOP_PROTOCOL', 'the client went away during the WebSocket handshake'));
    if (socket.destroyed) return gone();
    socket.once('close', gone);
    server.once('wsClientError', (cause) => {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      reject(new UserError('HOOP_PROTOCOL', `not a WebSocket handshake: ${cause.message}`, { cause }));
    });
    server.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off('close', gone);
      resolve(new WebSocketConnection(webSocket, socket, 'server', options.limits));
    });
  });
}

const zeroMask = (mask: Buffer): void => void mask.fill(0);

class WebSocketConnection extends MuxConnection {
  readonly closed: Promise<string>;
  readonly #webSocket: WebSocket;
  readonly #socket: NodeDuplex;
  #reason = 'lost';

  constructor(webSocket: WebSocket, socket: NodeDuplex, role: 'client' | 'server', muxLimits: Partial<MuxLimits> = {}) {
    super(waitingMax[role], {
      role,
      send: (pieces) => this.#send(pieces),
      onClose: (reason, how) => this.#muxClosed(reason, how),
      schedule: (flush) => whenTurnEnds('send', flush),
      limits: muxLimits,
    });
    this.#webSocket = webSocket;
    this.#socket = socket;
    const keepalive = this.#keepAlive();
    this.closed = new Promise((resolve) => {
      webSocket.once('close', (_code, said) => {
        keepalive.stop();
        this.mux.lost(said.toString() || 'lost');
        resolve(this.#reason);
      });
    });
    webSocket.on('message', (message, isBinary) => {
      keepalive.heard();
      if (isBinary) {
        const bytes = message as Buffer;
        countCarried(bytes.length);
        this.mux.receive(bytes);
      } else this.mux.close('a text message came; binary messages only');
    });
    webSocket.on('error', () => undefined); // 'close' follows, with what there is to say
    socket.on('drain', () => this.mux.drained());
  }

  /** The frames of one turn. They leave in one write, whatever the number of messages; where a message ends means nothing. */
  #send(pieces: Uint8Array[]): boolean {
    const webSocket = this.#webSocket;
    if (pieces.length === 1) webSocket.send(pieces[0]!);
    else {
      this.#socket.cork();
      for (const piece of pieces) webSocket.send(piece);
      this.#socket.uncork();
    }
    return webSocket.bufferedAmount < sendAheadBytes;
  }

  #muxClosed(reason: string, how: MuxEnd): void {
    this.#reason = reason;
    if (how === 'lost') return this.#webSocket.terminate();
    // A close frame holds 123 bytes; a character that was cut becomes one of three bytes.
    const said = Buffer.from(reason).subarray(0, 120).toString();
    this.#webSocket.close(how === 'closed' ? 1000 : 1002, said);
  }

  #keepAlive() {
    return startKeepalive({
      ping: () => void this.mux.ping(),
      onLost: () => this.mux.lost('lost'),
      clock: systemClock,
      setTimer: (callBack, millis) => {
        const timer = setTimeout(callBack, millis);
        return () => clearTimeout(timer);
      },
      intervalMillis: limits.pingIntervalMillis,
      silenceMillisMax: limits.pongMillisMax,
    });
  }
}
