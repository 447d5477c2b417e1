import type { Duplex as NodeDuplex } from 'node:stream';
import type { ConnectInfo } from '../../protocol/protocol.ts';
import type { Duplex } from '../../shared/duplex.ts';
import { UserError } from '../../shared/errors.ts';
import type { StreamOpen } from '../../shared/handshake.ts';
import { ConnectedResource, type ConnectionState } from '../connected-resource.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import { ttlSecondsOf } from '../parse-time.ts';
import { SessionReceipts } from '../session-receipts.ts';
import type { DevicePrompt } from '../sign-in.ts';
import { chooseTokenStore, openTokenStore } from '../token-store.ts';
import { streamPair } from './stream-pair.ts';

export interface RecordedSessionOptions {
  gateway: () => Promise<OpenedGateway>;
  resource: string;
  /** Asked when the session is opened. */
  actor: () => string | undefined;
  /** About the coding agent, as it says itself. */
  declared: Record<string, string>;
  ttlMillis?: number | undefined;
  caFile: string | undefined;
  /** A line for whoever reads the log. */
  say: (line: string) => void;
  signal: AbortSignal;
}

export interface ReadySession {
  id: string;
  info: ConnectInfo;
  /** A connection of the session, as a socket that a driver can have. What is declared stands in the record with its stream. */
  connect: (declared: StreamOpen['evidence']) => NodeDuplex;
}

/**
 * The session of one `hoop mcp` process: opened when it is first needed, kept as `hoop connect` keeps one, without a local port. Where a
 * person has to sign in, the error says where and with which code, and the sign-in goes on meanwhile.
 */
export class RecordedSession {
  readonly #options: RecordedSessionOptions;
  #ready: Promise<ReadySession> | undefined;
  #kept: Promise<unknown> | undefined;
  /** The one that runs, or ran last. */
  #last: string | undefined;
  /** Of a session that was idle: the next one goes on as the same actor instance. */
  #continues: string | undefined;
  /** Why this process opens no further one: somebody ended it, or its time is over. */
  #over: string | undefined;
  /** Shown to the person while a sign-in waits for its approval. */
  #prompt: Promise<DevicePrompt | undefined> | undefined;

  constructor(options: RecordedSessionOptions) {
    this.#options = options;
  }

  /** Throws UserError; the next call tries again. */
  async ready(): Promise<ReadySession> {
    if (this.#over !== undefined) throw sessionOver(this.#over);
    if (this.#prompt) throw signInNeeded(await this.#prompt);
    this.#ready ??= this.#open();
    try {
      return await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      if (!(error instanceof UserError) || error.code !== 'HOOP_SIGN_IN' || process.env['HOOP_TOKEN']) throw error;
      throw signInNeeded(await this.#askToSignIn());
    }
  }

  /** Resolves when the session is sealed, or there is none. */
  async closed(): Promise<void> {
    await this.#ready?.catch(() => undefined);
    await this.#kept;
  }

  async #open(): Promise<ReadySession> {
    const { resource, declared, ttlMillis, caFile, signal } = this.#options;
    const actor = this.#options.actor();
    const gateway = await this.#options.gateway();
    const { api, url } = gateway;
    let carry!: (duplex: Duplex, evidence: StreamOpen['evidence']) => void;
    const receipts = new SessionReceipts({ gateway, say: this.#options.say });
    const connected = new ConnectedResource({
      request: {
        gateway: url,
        resource,
        declared,
        authorize: (method, target) => api.authorizationHeaders(method, target),
        ...(actor === undefined ? {} : { actor }),
        ...(this.#continues === undefined ? {} : { continues: this.#continues }),
        ...(caFile === undefined ? {} : { caFile }),
        ...(ttlMillis === undefined ? {} : { ttlSeconds: ttlSecondsOf(ttlMillis) }),
      },
      // No port that another process could find: connections are handed over in memory.
      openPort: (onConnection) => {
        carry = onConnection;
        const nothing = () => undefined;
        return Promise.resolve({ host: 'localhost', port: 0, listenAt: () => Promise.resolve(), close: nothing });
      },
      signInAgain: () => this.#signInAgain(gateway),
      onState: (state) => {
        receipts.onState(state);
        this.#report(state);
      },
      signal,
    });
    const info = await connected.open();
    const over = () => (this.#ready = undefined);
    this.#kept = connected
      .keep()
      .then(over, over)
      .then(() => receipts.settle());
    return {
      id: connected.session!,
      info,
      connect: (evidence) => {
        const { socket, duplex } = streamPair();
        carry(duplex, evidence);
        return socket;
      },
    };
  }

  /** Starts the device flow, once; resolves when there is something to show. */
  #askToSignIn(): Promise<DevicePrompt | undefined> {
    this.#prompt ??= new Promise((resolve, reject) => {
      const ask = async () => {
        const { url: gateway, send } = await this.#options.gateway();
        const { signal, say } = this.#options;
        const { signIn } = await import('../sign-in.ts'); // late: its libraries are half of a start
        await signIn({ gateway, send, store: await chooseTokenStore(say), show: resolve, signal });
      };
      ask()
        .catch(reject)
        .finally(() => (this.#prompt = undefined));
    });
    return this.#prompt;
  }

  async #signInAgain({ url: gateway, send, api }: OpenedGateway): Promise<void> {
    if (await api.takeStored()) return;
    await this.#askAgain({ gateway, send });
    await api.takeStored();
  }

  #askAgain({ gateway, send }: { gateway: string; send: OpenedGateway['send'] }): Promise<void> {
    if (process.env['HOOP_TOKEN']) {
      return Promise.reject(new UserError('HOOP_SIGN_IN', 'the token in HOOP_TOKEN has expired or was revoked'));
    }
    return new Promise((resolve, reject) => {
      this.#prompt = new Promise<DevicePrompt | undefined>((show) => {
        setTimeout(() => show(undefined), otherProcessMillis).unref(); // another process asks, and shows its code
        const again = async () => {
          const { signInAgain } = await import('../sign-in.ts');
          await signInAgain({ gateway, send, store: await openTokenStore(), show, signal: this.#options.signal });
        };
        again()
          .then(resolve, reject)
          .finally(() => (this.#prompt = undefined));
      });
    });
  }

  #report(state: ConnectionState): void {
    const { say, resource } = this.#options;
    if (state.state === 'ready') {
      this.#last = state.session;
      this.#continues = undefined;
    }
    if (state.state === 'ended') {
      this.#ready = undefined;
      if (state.reason === 'idle') this.#continues = this.#last;
      if (state.reason === 'expired' || state.reason === 'killed') this.#over = state.why;
    }
    if (state.state === 'ready') say(`session ${state.session} on ${resource}`);
    else if ('why' in state) say(`${resource}: ${state.state}, ${state.why}`);
  }
}

const sessionOver = (why: string): UserError =>
  new UserError('HOOP_SESSION_ENDED', `the session has ended: ${why}`, {
    next: 'a person can start this MCP server anew, which opens a session of its own',
  });

const otherProcessMillis = 2000;

function signInNeeded(prompt: DevicePrompt | undefined): UserError {
  if (!prompt) {
    return new UserError('HOOP_SIGN_IN', 'a sign-in waits for its approval in another hoop process', {
      next: 'approve the code that it shows, then call the tool again',
    });
  }
  const { url, userCode, expiresInSeconds } = prompt;
  const code = userCode === undefined ? ' in a browser of this machine' : ` and enter ${userCode}`;
  return new UserError('HOOP_SIGN_IN', `somebody has to sign in first: open ${url}${code}`, {
    next: `the code is good for ${Math.round(expiresInSeconds / 60)} minutes; call the tool again after it was approved`,
  });
}
