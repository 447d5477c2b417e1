import { MuxConnection, type Connection } from './connection.ts';

/** Streams that may wait before somebody takes them. */
const waitingMax = 1024;

/** The gateway, for an agent in its own process: whoever owns that process owns both, so such an agent witnesses nothing. */
export interface GatewayWithin {
  /** How clients reach it. */
  url: string;
  /** A join token for a key that it does not know yet. Throws HOOP_EXISTS when the agent within has another key. */
  join(publicKey: string): Promise<string | undefined>;
  /** A new link. */
  link(): Connection;
  /** Names of resources that are served over such a link now: those of another agent are not. */
  readonly served: string[];
  /** Aborts when sessions are over and links end because the gateway stops. */
  stopping: AbortSignal;
}

/** Two ends of a connection that never leaves this process: frames, credit and resets as over a WebSocket, and no system call. */
export function connectInProcess(): { dialled: Connection; accepted: Connection } {
  const dialled = new InProcessConnection('client', () => accepted);
  const accepted: InProcessConnection = new InProcessConnection('server', () => dialled);
  return { dialled, accepted };
}

class InProcessConnection extends MuxConnection {
  readonly closed: Promise<string>;
  readonly #peer: () => InProcessConnection;
  #inbox: Uint8Array[] = [];
  #resolveClosed!: (reason: string) => void;

  constructor(role: 'client' | 'server', peer: () => InProcessConnection) {
    super(waitingMax, {
      role,
      send: (pieces) => {
        peer().#take(pieces);
        return true; // never full: what the other side does not read is bounded by the credit of its streams
      },
      onClose: (reason) => this.#over(reason),
      schedule: (flush) => process.nextTick(flush),
    });
    this.#peer = peer;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  /** Never within a call of the side that sends: what it does not expect there is bytes. */
  #take(pieces: Uint8Array[]): void {
    if (this.#inbox.length === 0) process.nextTick(() => this.#deliver());
    this.#inbox.push(...pieces);
  }

  #deliver(): void {
    const pieces = this.#inbox;
    this.#inbox = [];
    for (const piece of pieces) this.mux.receive(piece);
  }

  /** What was sent before is taken before this. */
  #over(reason: string): void {
    this.#resolveClosed(reason);
    process.nextTick(() => this.#peer().mux.lost(reason));
  }
}
