import { join } from 'node:path';
import { localProtocolNamed } from '../protocol/local-registry.ts';
import type { ConnectInfo, LocalProtocol } from '../protocol/protocol.ts';
import { backoffMillis } from '../shared/backoff.ts';
import { resetAfter, type Duplex } from '../shared/duplex.ts';
import { UserError } from '../shared/errors.ts';
import type { ErrorCode } from '../shared/error-codes.ts';
import type { SessionEnded, StreamOpen } from '../shared/handshake.ts';
import { limits } from '../shared/limits.ts';
import { pause } from '../shared/pause.ts';
import { pump } from '../shared/pump.ts';
import type { LocalPort } from './local-port.ts';
import { openSessionTunnel, type SessionTunnel, type TunnelRequest } from './session-tunnel.ts';

/** What a person is shown of one resource. */
export type ConnectionState =
  | { state: 'opening' }
  /** `endsAt`: in milliseconds, by this machine's clock. */
  | { state: 'ready'; session: string; port: number; streams: number; continues?: string; endsAt?: number }
  | { state: 'reconnecting'; why: string; port: number }
  | { state: 'signing-in'; why: string; port: number }
  | { state: 'ended'; why: string; reason: string }
  | { state: 'failed'; error: UserError };

export interface ConnectedResourceParts {
  request: Omit<TunnelRequest, 'signal'>;
  openPort: (
    onConnection: (duplex: Duplex, evidence: StreamOpen['evidence']) => void,
    opening: () => Promise<LocalProtocol['opening']>,
  ) => Promise<LocalPort>;
  /** Where a unix socket stands too, and what client programs are then told to use. */
  socketFolder?: string;
  /** Called when the sign-in behind a successor session has gone; resolves when there is a new one. */
  signInAgain: () => Promise<void>;
  onState: (state: ConnectionState) => void;
  signal: AbortSignal;
}

const inAMoment = 'try again in a moment';

/** Refusals after which a successor session is worth another try. */
const passing = new Set<ErrorCode>([
  'HOOP_GATEWAY_UNREACHABLE',
  'HOOP_GATEWAY_DRAINING',
  'HOOP_AGENT_OFFLINE',
  'HOOP_LIMIT',
  'HOOP_RECORDER',
]);

/**
 * Keeps one resource connected: a session, its local port, and after a loss (sleep, network, a restart of the gateway) a successor
 * session on the same port with the same credential.
 */
export class ConnectedResource {
  readonly #parts: ConnectedResourceParts;
  #tunnel: SessionTunnel | undefined;
  #why = 'the session is opening';
  /** What who is turned away can do. */
  #next = inAMoment;
  #protocol: LocalProtocol | undefined;
  #port: LocalPort | undefined;
  #streams = 0;
  #isOver = false;
  #endsAt: number | undefined;
  #opening: Promise<ConnectInfo> | undefined;

  constructor(parts: ConnectedResourceParts) {
    this.#parts = parts;
  }

  get port(): number | undefined {
    return this.#port?.port;
  }

  get session(): string | undefined {
    return this.#tunnel?.opened.session;
  }

  /** Resolves when the port is usable; throws UserError when it cannot become so. */
  async open(): Promise<ConnectInfo> {
    const { onState, openPort } = this.#parts;
    onState({ state: 'opening' });
    // The port first: where it is taken, no session must stand in the record.
    this.#port = await openPort(
      (duplex, evidence) => void this.#carry(duplex, evidence),
      async () => {
        await this.#opening?.catch(() => undefined); // a program may come as soon as the port is there
        return this.#protocol?.opening;
      },
    );
    this.#opening = this.#openSession();
    try {
      return await this.#opening;
    } catch (error) {
      this.#port.close();
      throw error;
    }
  }

  async #openSession(): Promise<ConnectInfo> {
    const { request, signal } = this.#parts;
    const { host, port } = this.#port!;
    const tunnel = await openSessionTunnel({ ...request, signal });
    this.#protocol = localProtocolNamed(tunnel.opened.protocol);
    if (!this.#protocol) {
      await tunnel.close();
      throw new UserError('HOOP_VERSION_SKEW', `this hoop does not know the protocol ${tunnel.opened.protocol}`, {
        next: 'upgrade hoop on this machine',
      });
    }
    const socketFolder = await this.#listenOnSocket(this.#protocol).catch(async (error: unknown) => {
      await tunnel.close();
      throw error;
    });
    const { user, password, database } = tunnel.opened.credential;
    this.#use(tunnel);
    return this.#protocol.connectInfo({ host: socketFolder ?? host, port, user, password, database });
  }

  /** The folder, when there is to be a socket in it. Its name is the protocol's, which is known only now. */
  async #listenOnSocket({ name, socketName }: LocalProtocol): Promise<string | undefined> {
    const { socketFolder } = this.#parts;
    if (socketFolder === undefined) return undefined;
    if (!socketName) {
      throw new UserError('HOOP_USAGE', `a resource that speaks ${name} has no unix socket here`, {
        next: 'connect it without --socket',
      });
    }
    const port = this.#port!;
    await port.listenAt(join(socketFolder, socketName(port.port)));
    return socketFolder;
  }

  /** Stays until the signal aborts or the session ends for good; opens successors in between. */
  async keep(): Promise<SessionEnded> {
    for (;;) {
      const tunnel = this.#tunnel!;
      const end = await Promise.race([tunnel.ended, aborted(this.#parts.signal)]);
      this.#why = end.message;
      if (this.#parts.signal.aborted) return this.#finish(tunnel, end);
      this.#tunnel = undefined;
      if (end.final) return this.#overForGood(end);
      this.#parts.onState({ state: 'reconnecting', why: end.message, port: this.#port!.port });
      const successor = await this.#succeed(tunnel.opened.session);
      if (!successor) return this.#over({ ...end, reason: 'client_closed', message: 'stopped while reconnecting' });
      this.#use(successor, tunnel.opened.session);
    }
  }

  async #succeed(continues: string): Promise<SessionTunnel | undefined> {
    const { signal, request, onState } = this.#parts;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await openSessionTunnel({ ...request, continues, signal });
      } catch (error) {
        if (signal.aborted) return undefined;
        if (!(error instanceof UserError)) throw error;
        const isNews = error.message !== this.#why;
        this.#why = error.message;
        if (error.code === 'HOOP_SIGN_IN') {
          onState({ state: 'signing-in', why: error.message, port: this.#port!.port });
          this.#next = 'a person has to approve a new sign-in; hoop shows where';
          await this.#parts.signInAgain();
          this.#next = inAMoment;
        } else if (!passing.has(error.code)) {
          this.#port?.close();
          onState({ state: 'failed', error });
          throw error;
        } else if (isNews) onState({ state: 'reconnecting', why: error.message, port: this.#port!.port });
        await pause(backoffMillis(attempt, limits.clientBackoffMillisMax), signal);
      }
    }
    return undefined;
  }

  #use(tunnel: SessionTunnel, continues?: string): void {
    this.#tunnel = tunnel;
    const { secondsLeft } = tunnel.opened;
    this.#endsAt = secondsLeft === null ? undefined : Date.now() + secondsLeft * 1000;
    this.#announce(continues);
  }

  #announce(continues?: string): void {
    const session = this.#tunnel?.opened.session;
    if (session === undefined || !this.#port) return;
    this.#parts.onState({
      state: 'ready',
      session,
      port: this.#port.port,
      streams: this.#streams,
      ...(continues === undefined ? {} : { continues }),
      ...(this.#endsAt === undefined ? {} : { endsAt: this.#endsAt }),
    });
  }

  /** One connection of a client program: a stream of the session, or the protocol's own error while there is none. */
  async #carry(local: Duplex, evidence: StreamOpen['evidence']): Promise<void> {
    await this.#opening?.catch(() => undefined); // it may come as soon as the port is there
    const tunnel = this.#tunnel;
    if (!tunnel) return this.#turnAway(local);
    this.#streams++;
    this.#announce();
    try {
      await pump(local, await tunnel.openStream(evidence));
    } catch (error) {
      local.reset(error instanceof Error ? error.message : 'the session ended');
    }
    this.#streams--;
    this.#announce();
  }

  async #turnAway(local: Duplex): Promise<void> {
    if (!this.#protocol) return local.reset('no session could be opened');
    const deadline = resetAfter(local, limits.handshakeMillisMax, 'it did not say hello in time');
    await this.#protocol.frontend.refuse(
      local,
      'HOOP_SESSION_ENDED',
      this.#isOver ? `the session has ended: ${this.#why}` : `hoop is not connected: ${this.#why}; ${this.#next}`,
    );
    clearTimeout(deadline);
  }

  async #finish(tunnel: SessionTunnel, end: SessionEnded): Promise<SessionEnded> {
    await tunnel.close();
    return this.#over({ ...end, reason: 'client_closed', message: 'the session is closed' });
  }

  /** Whoever comes to the port in this moment is told why, then nobody listens. */
  async #overForGood(end: SessionEnded): Promise<SessionEnded> {
    this.#isOver = true;
    this.#parts.onState({ state: 'ended', why: end.message, reason: end.reason });
    await pause(limits.endedPortMillis, this.#parts.signal);
    this.#port?.close();
    return end;
  }

  #over(end: SessionEnded): SessionEnded {
    this.#port?.close();
    this.#parts.onState({ state: 'ended', why: end.message, reason: end.reason });
    return end;
  }
}

function aborted(signal: AbortSignal): Promise<SessionEnded> {
  const end: SessionEnded = { kind: 'ended', reason: 'client_closed', message: 'stopped', final: true };
  return new Promise((resolve) => {
    if (signal.aborted) resolve(end);
    else signal.addEventListener('abort', () => resolve(end), { once: true });
  });
}
