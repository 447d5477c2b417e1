import { resolve } from 'node:path';
import type { ConnectInfo } from '../protocol/protocol.ts';
import { UserError } from '../shared/errors.ts';
import type { SessionEnded } from '../shared/handshake.ts';
import { ConnectedResource, type ConnectionState } from './connected-resource.ts';
import { openLocalPort } from './local-port.ts';
import type { OpenedGateway } from './open-gateway.ts';
import { SessionReceipts } from './session-receipts.ts';
import { keptCredential, rememberedPort, rememberPort } from './settings.ts';
import type { DevicePrompt } from './sign-in.ts';
import { tellTale } from './tell-tale.ts';
import { ttlSecondsOf } from './parse-time.ts';
import { openTokenStore } from './token-store.ts';

export interface ConnectOptions {
  gateway: OpenedGateway;
  resource: string;
  /** `--as`; else what the environment gives away. */
  actor: string | undefined;
  ttlMillis?: number | undefined;
  /** The same local password as the last time. */
  keepCredential?: boolean | undefined;
  /** Asked for; otherwise the one that the resource had before, or a free one. 0 takes a free one and remembers nothing. */
  port: number | undefined;
  /** A folder for a unix socket beside the port. */
  socketFolder?: string | undefined;
  caFile: string | undefined;
  onState: (state: ConnectionState) => void;
  /** A sign-in is needed while it runs: shows the code. */
  showPrompt: (prompt: DevicePrompt) => void;
  /** A line for the person. */
  say: (line: string) => void;
  signal: AbortSignal;
}

export interface Connection {
  resource: string;
  info: ConnectInfo;
  session: string;
  /** Resolves when it is over; throws UserError when no successor session can be had. */
  kept: Promise<SessionEnded>;
}

/** Opens a session on a resource and keeps it. Resolves when client programs can connect; throws UserError. */
export async function connectResource(options: ConnectOptions): Promise<Connection> {
  const { gateway, resource, port, socketFolder, caFile, onState, showPrompt, say, signal } = options;
  const { actor = tellTale(process.env)?.actor, ttlMillis } = options;
  const { api, url, send } = gateway;
  const remembered = port === undefined ? await rememberedPort(url, resource) : port;
  const kept = options.keepCredential ? await keptCredential(url, resource) : undefined;
  const receipts = new SessionReceipts({ gateway, say });
  const connected = new ConnectedResource({
    request: {
      gateway: url,
      resource,
      authorize: (method, target) => api.authorizationHeaders(method, target),
      ...(actor === undefined ? {} : { actor }),
      ...(caFile === undefined ? {} : { caFile }),
      ...(ttlMillis === undefined ? {} : { ttlSeconds: ttlSecondsOf(ttlMillis) }),
      ...(kept === undefined ? {} : { keepCredential: kept }),
    },
    openPort: (onConnection, opening) =>
      openLocalPort({ onConnection, opening, ...(remembered ? { port: remembered } : {}) }),
    ...(socketFolder === undefined ? {} : { socketFolder: resolve(socketFolder) }),
    signInAgain: async () => {
      if (process.env['HOOP_TOKEN']) throw tokenOver();
      if (await api.takeStored()) return;
      const { signInAgain } = await import('./sign-in.ts'); // late: its libraries are half of a start
      await signInAgain({ gateway: url, send, store: await openTokenStore(), show: showPrompt, signal });
      await api.takeStored();
    },
    onState: (state) => {
      receipts.onState(state);
      onState(state);
    },
    signal,
  });
  const info = await connected.open();
  if (port !== 0) await rememberPort(url, resource, connected.port!);
  const session = connected.session!;
  const over = connected.keep().finally(() => receipts.settle());
  over.catch(() => undefined); // whoever waits for it hears of it
  return { resource, info, session, kept: over };
}

const tokenOver = (): UserError =>
  new UserError('HOOP_SIGN_IN', 'the token in HOOP_TOKEN has expired or was revoked', {
    next: 'ask an administrator for a new one: hoop tokens create',
  });
