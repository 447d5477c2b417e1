import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { systemClock, type Clock } from '../shared/clock.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { openCatalog } from '../store/catalog.ts';
import { lockDataDir } from '../store/lock.ts';
import { openRegistry, type Registry } from '../store/registry.ts';
import { AgentLinks } from './agent-links.ts';
import { listenHost, listenPort, type GatewayConfig } from './config.ts';
import { createHttp } from './http.ts';
import { mayReach } from './identity/authorise.ts';
import { createIdentity, type Identity } from './identity/identity.ts';
import { listenHttp } from './listen-http.ts';
import { accessEnded, LiveSessions, recorderFailed } from './live-sessions.ts';
import { openRecorder } from './recorder.ts';
import { sessionsIndex } from './sessions-index.ts';
import { serveUpgrades } from './upgrades.ts';

export interface GatewayOptions {
  log: Log;
  clock?: Clock;
  /** Public keys of agents that run in this very process: recorded as colocated, they witness nothing. */
  colocatedKeys?: ReadonlySet<string>;
}

export interface RunningGateway {
  /** How clients reach it. */
  url: string;
  registry: Registry;
  identity: Identity;
  sessions: LiveSessions;
  /** Sessions of the last run that recovery had to seal. */
  interrupted: number;
  /** One-time code of the first start, while there is no administrator. */
  setupCode: string | undefined;
  setupUrl: string | undefined;
  /** Drains, seals, closes. */
  stop(): Promise<void>;
}

/** Puts a gateway together, recovers what the last run left, and listens. The data directory is locked until `stop`. */
export async function startGateway(config: GatewayConfig, options: GatewayOptions): Promise<RunningGateway> {
  const { log, clock = systemClock, colocatedKeys = new Set<string>() } = options;
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const lock = await lockDataDir(config.dataDir);
  try {
    return await assemble(config, { log, clock, colocatedKeys }, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function assemble(
  config: GatewayConfig,
  options: Required<GatewayOptions>,
  release: () => Promise<void>,
): Promise<RunningGateway> {
  const { log, clock, colocatedKeys } = options;
  const registry = openRegistry(config.dataDir, clock);
  const catalog = openCatalog(config.dataDir);
  const recorder = await openRecorder({
    dataDir: config.dataDir,
    catalog,
    clock,
    randomBytes,
    gatewayKeyId: registry.keys.gateway.kid,
    onFailure: (error) => {
      log.error({ error: error.message }, 'the record cannot be written; sessions end');
      void sessions.endWhere(() => true, recorderFailed);
    },
  });
  const listening = await listenHttp({
    host: listenHost(config),
    port: listenPort(config),
    tlsCert: config.tlsCert,
    tlsKey: config.tlsKey,
  });
  const url = (config.publicUrl ?? listening.url).replace(/\/+$/, '');
  const identity = await createIdentity({ publicUrl: url, registry, clock });
  const agents = new AgentLinks(registry.agents, log, colocatedKeys);
  const sessions = new LiveSessions({
    agents,
    recorder,
    catalog,
    mayReach: (principal, resource) => mayReach(registry, principal, resource),
    resourceIsKnown: (resource) => registry.agents.resource(resource) !== undefined,
    credentialKey: registry.keys.credentialKey,
    clock,
    log,
    messageBytesMax: config.messageBytesMax,
  });
  endWithAccess(identity, registry, sessions);
  const http = await createHttp({
    server: listening.server,
    identity,
    registry,
    ports: {
      agents: {
        online: (agent) => agents.byAgent(agent),
        disconnect: (agent, reason) => agents.byAgent(agent)?.close(reason),
      },
      sessions: sessionsIndex(catalog, recorder, sessions),
    },
    behindProxy: config.behindProxy,
    clock,
    log,
  });
  serveUpgrades({ server: listening.server as Server, http, agents, sessions, log });
  const setup = registry.users.isEmpty() ? registry.invitations.issue(null).secret : undefined;
  return {
    url,
    registry,
    identity,
    sessions,
    interrupted: recorder.interrupted,
    setupCode: setup,
    setupUrl: setup === undefined ? undefined : `${url}/setup?code=${setup}`,
    async stop() {
      await sessions.drain(limits.drainMillisMax);
      agents.closeAll('the gateway is stopping');
      await http.close();
      await recorder.close();
      catalog.close();
      registry.close();
      await release();
    },
  };
}

/** A session does not outlive the access behind it. */
function endWithAccess(identity: Identity, registry: Registry, sessions: LiveSessions): void {
  identity.onRevoked = (revocation) =>
    void sessions.endWhere(({ principal, session }) => {
      if (revocation.kind === 'user') return principal.userId === revocation.userId;
      if (revocation.kind === 'grant') return principal.grantId === revocation.grantId;
      return !mayReach(registry, principal, session.parts.resource);
    }, accessEnded);
}
