import { hostname } from 'node:os';
import { tunnelPath } from '../shared/api.ts';
import type { Duplex } from '../shared/duplex.ts';
import { UserError } from '../shared/errors.ts';
import type { ErrorCode } from '../shared/error-codes.ts';
import {
  controlRefusedSchema,
  sessionEndedSchema,
  tunnelOpenedSchema,
  type SessionEnded,
  type StreamOpen,
  type TunnelOpened,
} from '../shared/handshake.ts';
import { limits } from '../shared/limits.ts';
import { handshakeVersion, version } from '../shared/version.ts';
import { checkVersion, readControl, writeControl } from '../tunnel/control.ts';
import { tellTale } from './tell-tale.ts';
import { connectWebSocket, type Connection } from '../tunnel/websocket.ts';

export interface TunnelRequest {
  gateway: string;
  resource: string;
  actor?: string;
  continues?: string;
  /** End it after so long. */
  ttlSeconds?: number;
  /** What makes the local password the same each time. */
  keepCredential?: string;
  /** About the coding agent, as it says itself; recorded as declared. */
  declared?: Record<string, string>;
  /** DPoP-bound authorization for exactly this request. */
  authorize: (method: string, url: string) => Promise<Record<string, string>>;
  caFile?: string;
  signal: AbortSignal;
}

/** A live session as the client sees it. */
export interface SessionTunnel {
  readonly opened: TunnelOpened;
  /** A stream for one connection of a client program. */
  openStream(evidence: StreamOpen['evidence']): Promise<Duplex>;
  /** Says goodbye (`client_closed`) and waits shortly for the gateway to seal. */
  close(): Promise<void>;
  /** Resolves when the session is over, with what the gateway said, or with a loss. */
  readonly ended: Promise<SessionEnded>;
}

const lost: SessionEnded = {
  kind: 'ended',
  reason: 'tunnel_lost',
  message: 'the connection to the gateway was lost',
  final: false,
};

/** Opens one tunnel and with it one session. Throws UserError. */
export async function openSessionTunnel(request: TunnelRequest): Promise<SessionTunnel> {
  const url = new URL(tunnelPath, request.gateway).href;
  const connection = await connectWebSocket(url.replace(/^http/, 'ws'), {
    headers: await request.authorize('GET', url),
    signal: request.signal,
    ...(request.caFile === undefined ? {} : { caFile: request.caFile }),
  });
  try {
    return await openSession(connection, request);
  } catch (error) {
    connection.close('refused');
    throw error;
  }
}

async function openSession(
  connection: Connection,
  { resource, actor, continues, ttlSeconds, keepCredential, declared }: TunnelRequest,
): Promise<SessionTunnel> {
  const control = connection.open();
  await writeControl(control, {
    kind: 'open',
    version: handshakeVersion,
    resource,
    ...(actor === undefined ? {} : { actor }),
    ...(continues === undefined ? {} : { continues }),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(keepCredential === undefined ? {} : { keepCredential }),
    declared: {
      ...declared,
      ...tellTale(process.env)?.declared,
      host: hostname(),
      client: `hoop/${version}`,
      platform: process.platform,
      pid: String(process.pid),
    },
  });
  const { value: opened, rest } = await readControl(control, tunnelOpenedSchema.or(controlRefusedSchema));
  if (opened.kind === 'refused') {
    throw new UserError(
      opened.code as ErrorCode,
      opened.message,
      opened.next === undefined ? {} : { next: opened.next },
    );
  }
  checkVersion(opened.version, handshakeVersion, { theirs: 'gateway', ours: 'client' });
  const farewell = readControl(rest, sessionEndedSchema, { millisMax: Infinity }).then(
    ({ value }) => value,
    () => connection.closed.then(() => lost),
  );
  return {
    opened,
    ended: farewell,
    async openStream(evidence) {
      const duplex = connection.open();
      await writeControl(duplex, { kind: 'stream', evidence });
      return duplex;
    },
    async close() {
      await writeControl(rest, { kind: 'close', reason: 'client_closed' }).catch(() => undefined);
      await within(farewell, limits.drainMillisMax);
      connection.close('client_closed');
    },
  };
}

async function within(promise: Promise<unknown>, millis: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise((resolve) => (timer = setTimeout(resolve, millis)));
  await Promise.race([promise, deadline]);
  clearTimeout(timer);
}
