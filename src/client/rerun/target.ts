import { randomBytes } from 'node:crypto';
import type { BackendReady, Protocol, Startup, TlsMode, Transport } from '../../protocol/protocol.ts';
import type { Duplex } from '../../shared/duplex.ts';
import { UserError } from '../../shared/errors.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import { openSessionTunnel } from '../session-tunnel.ts';
import type { DsnTarget } from './dsn.ts';

/** Where statements are run again. */
export interface OpenTarget {
  /** The session that records it, where the target is a resource. */
  session: string | undefined;
  connect(startup: Startup, stream: number): Promise<BackendReady>;
  close(): Promise<void>;
}

/** Opens a TCP or TLS connection without the gateway. */
export type Dial = (address: string, tls: { mode: TlsMode; ca?: string }) => Promise<Transport>;

/** Shown in the target's own log. */
const label = 'hoop replay';
/** The actor of the session in which a recording is run again. */
const actor = 'hoop replay';

export interface ResourceTargetRequest {
  gateway: OpenedGateway;
  resource: string;
  /** The session that is run again. */
  recorded: string;
  protocol: Protocol;
  caFile: string | undefined;
  signal: AbortSignal;
}

/** As `hoop connect` does: a session of its own, recorded like any other. Without successors: a loss ends the run. */
export async function openResource(request: ResourceTargetRequest): Promise<OpenTarget> {
  const { gateway, resource, recorded, protocol, caFile, signal } = request;
  const tunnel = await openSessionTunnel({
    gateway: gateway.url,
    resource,
    actor,
    declared: { replays: recorded },
    authorize: (method, url) => gateway.api.authorizationHeaders(method, url),
    ...(caFile === undefined ? {} : { caFile }),
    signal,
  });
  return {
    session: tunnel.opened.session,
    connect: (startup, stream) =>
      protocol.backend.connect({
        dial: async () => carried(await tunnel.openStream({ tool: 'replay', call: `${recorded}/${stream}` })),
        tlsMode: 'disable', // the tunnel is encrypted already
        credentials: tunnel.opened.credential,
        startup,
        label,
        randomBytes,
      }),
    close: () => tunnel.close(),
  };
}

/** Straight to the server: nothing of it is recorded. */
export function openDsn({ address, credentials, tls }: DsnTarget, protocol: Protocol, dial: Dial): OpenTarget {
  return {
    session: undefined,
    async connect(startup) {
      try {
        return await protocol.backend.connect({
          dial: () => dial(address, tls),
          tlsMode: tls.mode,
          credentials,
          startup,
          label,
          randomBytes,
        });
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        throw new UserError(error.code, error.message, {
          next: 'check the DSN: host, port, user, password, database, sslmode',
          cause: error,
        });
      }
    },
    close: () => Promise.resolve(),
  };
}

function carried(duplex: Duplex): Transport {
  return {
    read: () => duplex.read(),
    write: (bytes) => duplex.write(bytes),
    end: () => duplex.end(),
    reset: (reason) => duplex.reset(reason),
    closed: duplex.closed,
    startTls: () => Promise.reject(new Error('a stream of a tunnel has no TLS of its own')),
    encrypted: false,
    peerCertificate: undefined,
  };
}
