import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { loadProtocols } from '../protocol/registry.ts';
import { systemClock, type Clock } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { openCatalog, type Catalog } from '../store/catalog.ts';
import { lockDataDir } from '../store/lock.ts';
import { clearExports } from '../store/recording-so-far.ts';
import { openRegistry, type Registry } from '../store/registry.ts';
import { keepThreadPoolAwake } from '../store/thread-pool.ts';
import type { GatewayWithin } from '../tunnel/in-process.ts';
import { AgentLinks, type AgentRegistry } from './agent-links.ts';
import type { ApiPorts } from './api/ports.ts';
import { listenHost, listenPort, type GatewayConfig } from './config.ts';
import { createHttp } from './http.ts';
import { createIdentity, type Identity } from './identity/identity.ts';
import { listenHttp } from './listen-http.ts';
import { logDamage } from './log-damage.ts';
import { accessEnded, LiveSessions, recorderFailed } from './live-sessions.ts';
import { Cosigning } from './cosigning.ts';
import { exportSession } from './log-export.ts';
import { gatewayKeyName } from './log-key.ts';
import { receiptsOf } from './log-receipts.ts';
import { logKeyActs } from './log-rollover.ts';
import { TransparencyLog } from './log.ts';
import { permit } from './permit.ts';
import { openRecorder, type Recorder } from './recorder.ts';
import { startRecordings, type RecordAct, type Recordings } from './recordings.ts';
import { sessionsIndex } from './sessions-index.ts';
import { serveUpgrades } from './upgrades.ts';
import { WitnessRefusals } from './witness-refusals.ts';
import { gatewayWithin } from './within.ts';

export interface GatewayOptions {
  log: Log;
  clock?: Clock;
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
  /** For an agent in this process. */
  within: GatewayWithin;
  /** Drains, seals, closes. */
  stop(): Promise<void>;
}

/** Puts a gateway together, recovers what the last run left, and listens. The data directory is locked until `stop`. */
export async function startGateway(config: GatewayConfig, options: GatewayOptions): Promise<RunningGateway> {
  const { log, clock = systemClock } = options;
  const opened: Opened = [];
  keepThreadPoolAwake();
  try {
    await makeDataDir(config.dataDir);
    const lock = await lockDataDir(config.dataDir);
    opened.push(() => lock.release());
    return await assemble(config, { log, clock }, opened);
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function makeDataDir(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 }).catch((cause: Error) => {
    throw new UserError('HOOP_CONFIG', `dataDir: ${dataDir} cannot be made: ${cause.message}`, {
      next: 'choose a folder that this user may write with --data-dir',
      cause,
    });
  });
}

/** What is open and how it is closed, in the order of opening. */
type Opened = (() => unknown)[];

async function closeAll(opened: Opened): Promise<void> {
  for (const close of opened.splice(0).toReversed()) await close();
}

async function assemble(
  config: GatewayConfig,
  { log, clock }: Required<GatewayOptions>,
  opened: Opened,
): Promise<RunningGateway> {
  const { tlsCert, tlsKey, behindProxy, messageBytesMax } = config;
  await loadProtocols();
  const listening = await listenHttp({ host: listenHost(config), port: listenPort(config), tlsCert, tlsKey });
  opened.push(() => listening.server.close());
  const url = (config.publicUrl ?? listening.url).replace(/\/+$/, '');
  const onFailure = (error: UserError) => {
    log.error({ error: error.message }, 'the record cannot be written; sessions end');
    void sessions.endWhere(() => true, recorderFailed);
  };
  const stores = await openStores({ config, clock, log, onFailure, opened });
  const { registry, catalog, recorder, transparency, cosigning, refusals, recordAct } = stores;
  logDamage(recorder, config.dataDir, log);
  const identity = await createIdentity({ publicUrl: url, registry, options: config, clock });
  const agents = new AgentLinks(loggedAgents(registry.agents, transparency), log);
  agents.onWitness = (feed, agent, publicKey) => cosigning.attend(feed, agent, publicKey);
  const sessions = new LiveSessions({
    agents,
    recorder,
    refusals,
    catalog,
    clock,
    log,
    messageBytesMax,
    policy: config.session ?? { keepCredential: true },
    permit: ({ userId }, resource, actor) => permit(registry.grants.rules(userId, resource), actor),
    resourceIsKnown: (resource) => registry.agents.resource(resource) !== undefined,
    credentialKey: registry.keys.credentialKey,
  });
  endWithAccess(identity, registry, sessions);
  const ports = apiPorts({ ...stores, dataDir: config.dataDir, agents, sessions });
  const http = await createHttp({
    server: listening.server,
    identity,
    registry,
    ports,
    transparency,
    cosigning,
    behindProxy,
    clock,
    log,
  });
  opened.push(() => http.close());
  serveUpgrades({ server: listening.server, http, agents, sessions, log });
  const over = new AbortController();
  return {
    url,
    registry,
    identity,
    sessions,
    ...firstSetup(config, registry, url),
    interrupted: recorder.interrupted,
    within: gatewayWithin({ url, links: agents, agents: registry.agents, recordAct, stopping: over.signal }),
    stop: stopping({ sessions, cosigning, agents, over }, opened),
  };
}

function firstSetup({ localUsers }: GatewayConfig, registry: Registry, url: string) {
  if (!localUsers || !registry.users.isEmpty()) return { setupCode: undefined, setupUrl: undefined };
  const setupCode = registry.invitations.issue(null).secret;
  return { setupCode, setupUrl: `${url}/setup?code=${setupCode}` };
}

const stopping =
  (
    {
      sessions,
      cosigning,
      agents,
      over,
    }: { sessions: LiveSessions; cosigning: Cosigning; agents: AgentLinks; over: AbortController },
    opened: Opened,
  ) =>
  async (): Promise<void> => {
    await sessions.drain(limits.drainMillisMax);
    await cosigning.settle(limits.cosignatureMillisMax); // the ends of those sessions too
    over.abort();
    agents.closeAll('the gateway is stopping');
    await closeAll(opened);
  };

/** What the API may ask of the rest. */
function apiPorts(sources: ApiSources): ApiPorts {
  const { dataDir, agents, catalog, recorder, recordings, registry, sessions, transparency, recordAct } = sources;
  const exported = (id: string, heldSize: number | undefined) => {
    const agentKey = registry.agents.publicKey(catalog.agentOf(id) ?? '');
    const checkpointOver = (size: number) =>
      sources.cosigning.checkpointOver(size, agentKey, limits.cosignatureMillisMax);
    return exportSession({
      dataDir,
      id,
      log: transparency,
      heldSize,
      read: (each) => recorder.readRaw(each),
      checkpointOver,
    });
  };
  return {
    agents: {
      online: (agent) => agents.byAgent(agent),
      witnessKey: (agent) => sources.cosigning.keyOf(agent),
      disconnect: (agent, reason) => agents.byAgent(agent)?.close(reason),
    },
    sessions: sessionsIndex(catalog, recorder, sessions, exported, (id, seq) => registry.recordings.erasure(id, seq)),
    recordings,
    receipts: ({ id, state }) => receiptsOf(transparency, id, state === 'live'),
    logKey: logKeyActs({ log: transparency, keys: registry.keys, recordAct }),
    recordAct: ({ act, by, subject }) => recordAct({ act, by: by.user, via: by.via, subject }),
  };
}

interface ApiSources {
  dataDir: string;
  agents: AgentLinks;
  catalog: Catalog;
  recorder: Recorder;
  recordings: Recordings;
  registry: Registry;
  sessions: LiveSessions;
  transparency: TransparencyLog;
  cosigning: Cosigning;
  recordAct: RecordAct;
}

interface RecordingsSources {
  config: GatewayConfig;
  registry: Registry;
  catalog: Catalog;
  recorder: Recorder;
  transparency: TransparencyLog;
  clock: Clock;
  log: Log;
  recordAct: RecordAct;
}

/** Whoever changes by order what was recorded: erasure, retention. */
const openRecordings = ({ config, registry, recorder, transparency, log, ...rest }: RecordingsSources) =>
  startRecordings({
    ...rest,
    ...recorder.stores,
    dataDir: config.dataDir,
    periods: config.retention,
    registry: registry.recordings,
    log: transparency,
    operatorLog: log,
  });

/** Every administrative act is a line of the gateway's log and a leaf of the transparency log. */
const actRecorder =
  ({ transparency, clock, log }: { transparency: TransparencyLog; clock: Clock; log: Log }): RecordAct =>
  async ({ act, by, via, subject }) => {
    log.info({ act, by, ...subject }, 'administrative act');
    const at = new Date(clock.nowMicros() / 1000).toISOString();
    await transparency.act(Buffer.from(`${JSON.stringify({ act, at, by, via, subject })}\n`));
  };

interface OpenStores {
  config: GatewayConfig;
  clock: Clock;
  log: Log;
  onFailure: (error: UserError) => void;
  opened: Opened;
}

/** Registry (truth), catalog (derived), the transparency log, recorder (which recovers what the last run left). */
async function openStores({ config, clock, log: operatorLog, onFailure, opened }: OpenStores) {
  const { dataDir } = config;
  const registry = openRegistry(dataDir, clock);
  opened.push(() => registry.close());
  const catalog = openCatalog(dataDir);
  opened.push(() => catalog.close());
  const { keys } = registry;
  const log = await TransparencyLog.open({ dataDir, keys, clock, onFailure });
  const removedOrdinals = () => registry.recordings.removedOrdinals();
  const recorder = await openRecorder({
    dataDir,
    catalog,
    clock,
    randomBytes,
    gatewayKeyId: () => gatewayKeyName(log.key),
    log,
    removedOrdinals,
    onFailure,
  });
  opened.push(() => recorder.close());
  await log.checkpoint(); // what recovery found is signed before anything new begins
  log.start();
  await clearExports(dataDir);
  keys.destroyReplaced(); // a crash may have come between a new key and this
  opened.push(() => log.close());
  const stores = { registry, catalog, recorder, transparency: log };
  const recordAct = actRecorder({ transparency: log, clock, log: operatorLog });
  const recordings = await openRecordings({ ...stores, config, clock, log: operatorLog, recordAct });
  opened.push(() => recordings.close());
  const cosigning = await openCosigning({ dataDir, log, operatorLog, recordAct });
  const refusals = await WitnessRefusals.open({ dataDir, recorder, catalog, log, clock });
  return { ...stores, recordAct, recordings, cosigning, refusals };
}

/** An agent that does not cosign has said that the log is not the one it has seen: once a run, in the log itself. */
function openCosigning(parts: {
  dataDir: string;
  log: TransparencyLog;
  operatorLog: Log;
  recordAct: RecordAct;
}): Promise<Cosigning> {
  const { operatorLog, recordAct, ...rest } = parts;
  const said = new Set<string>();
  const onDeclined = (agent: string, subject: { verdict: string; why: string }): void => {
    if (said.has(agent)) return;
    said.add(agent);
    recordAct({ act: 'witness.declined', by: agent, via: 'link', subject }).catch((error: unknown) =>
      operatorLog.error({ error: String(error) }, 'not logged'),
    );
  };
  return Cosigning.open({ ...rest, operatorLog, onDeclined });
}

/** A key that an agent is pinned to from now on has its leaf. */
const loggedAgents = (agents: Registry['agents'], log: TransparencyLog): AgentRegistry => ({
  agentByKey: (publicKey) => agents.agentByKey(publicKey),
  joinAgent(joinToken, publicKey) {
    const agent = agents.joinAgent(joinToken, publicKey);
    log.agentKey(Buffer.from(publicKey, 'base64url'));
    return agent;
  },
  offerResources: (agent, version, resources) => agents.offerResources(agent, version, resources),
});

/** A session does not outlive the access behind it. */
function endWithAccess(identity: Identity, registry: Registry, sessions: LiveSessions): void {
  identity.onRevoked = (revocation) =>
    void sessions.endWhere(({ principal, session }) => {
      if (revocation.kind === 'user') return principal.userId === revocation.userId;
      if (revocation.kind === 'grant') return principal.grantId === revocation.grantId;
      const { resource, actor } = session.parts;
      return permit(registry.grants.rules(principal.userId, resource), actor).kind !== 'permitted';
    }, accessEnded);
}
