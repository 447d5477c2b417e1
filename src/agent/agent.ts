import type { Transport } from '../protocol/protocol.ts';
import { randomBytes } from 'node:crypto';
import { protocolNamed } from '../protocol/registry.ts';
import { linkPath } from '../shared/api.ts';
import { backoffMillis } from '../shared/backoff.ts';
import type { Duplex } from '../shared/duplex.ts';
import { UserError } from '../shared/errors.ts';
import type { ErrorCode } from '../shared/error-codes.ts';
import {
  canWitness,
  controlRefusedSchema,
  linkCancelSchema,
  linkChallengeSchema,
  linkProofMessage,
  linkStreamSchema,
  linkWelcomeSchema,
} from '../shared/handshake.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { pause } from '../shared/pause.ts';
import { pump } from '../shared/pump.ts';
import { handshakeVersion, version } from '../shared/version.ts';
import { keepThreadPoolAwake } from '../store/thread-pool.ts';
import { checkVersion, prefixed, readControl, refuseControl, writeControl } from '../tunnel/control.ts';
import type { GatewayWithin } from '../tunnel/in-process.ts';
import { afterSequence } from '../tunnel/sequence-frame.ts';
import { connectWebSocket, type Connection } from '../tunnel/websocket.ts';
import type { AgentConfig, ResourceConfig } from './config.ts';
import type { AgentKey } from './key.ts';
import { loginDeadline } from './login-deadline.ts';
import { readSecret } from './secret.ts';
import { dial } from './transport.ts';
import { serveWitness } from './witness-stream.ts';
import { Witness } from './witness.ts';

export interface AgentParts {
  gateway: string;
  joinToken?: string;
  config: AgentConfig;
  key: AgentKey;
  log: Log;
  signal: AbortSignal;
  /** In the gateway's own process, in the place of a WebSocket; it witnesses nothing then. */
  within?: GatewayWithin;
  /** Called each time the link stands. */
  onLinked?: (agent: string) => void;
}

/** Refusals that trying again cannot cure. */
const finalCodes = new Set<ErrorCode>(['HOOP_JOIN_TOKEN', 'HOOP_VERSION_SKEW', 'HOOP_CONFIG']);

/** Dials out to the gateway and serves its resources until the signal aborts; dials again with backoff and jitter. */
export async function runAgent(parts: AgentParts): Promise<void> {
  keepThreadPoolAwake();
  const witness = parts.within ? undefined : await Witness.open(parts.config.stateDir, parts.key, parts.log);
  try {
    await keepLinked(parts, witness);
  } finally {
    await witness?.close();
  }
}

async function keepLinked(parts: AgentParts, witness: Witness | undefined): Promise<void> {
  let joinToken = parts.joinToken;
  for (let attempt = 0; !parts.signal.aborted; attempt++) {
    try {
      const connection = await openLink(parts);
      const link = await greet(connection, parts, joinToken);
      joinToken = undefined; // used up
      attempt = 0;
      parts.onLinked?.(link.agent);
      if (witness && !link.witnessed)
        parts.log.warn(
          { gateway: parts.gateway },
          'the gateway is older than its witness: its record is not witnessed',
        );
      await serve(connection, link.control, { ...parts, witness: link.witnessed ? witness : undefined });
      await witness?.unlinked();
      if (parts.signal.aborted) return;
      parts.log.warn({ gateway: parts.gateway }, 'the link to the gateway closed');
    } catch (error) {
      if (parts.signal.aborted) return;
      if (error instanceof UserError && finalCodes.has(error.code)) throw error;
      parts.log.warn(
        { error: error instanceof Error ? error.message : String(error) },
        'the gateway cannot be reached; trying again',
      );
    }
    await pause(backoffMillis(attempt, limits.agentBackoffMillisMax), parts.signal);
  }
}

async function openLink({ within, gateway, config, signal }: AgentParts): Promise<Connection> {
  if (within) return within.link();
  return connectWebSocket(linkUrl(gateway), { signal, ...caOf(config) });
}

async function greet(
  connection: Connection,
  parts: AgentParts,
  joinToken: string | undefined,
): Promise<{ agent: string; control: Duplex; witnessed: boolean }> {
  const { key, config } = parts;
  const control = connection.open();
  await writeControl(control, {
    kind: 'hello',
    version: handshakeVersion,
    agentVersion: version,
    publicKey: key.publicKey,
    ...(joinToken === undefined ? {} : { joinToken }),
    resources: config.resources.map(offered),
  });
  const challenge = await readControl(control, linkChallengeSchema.or(controlRefusedSchema));
  if (challenge.value.kind === 'refused') throw refusalOf(challenge.value);
  await writeControl(control, {
    kind: 'proof',
    signature: key.sign(linkProofMessage(challenge.value.nonce, key.publicKey)),
  });
  const { value: welcome, rest } = await readControl(challenge.rest, linkWelcomeSchema.or(controlRefusedSchema));
  if (welcome.kind === 'refused') throw refusalOf(welcome);
  checkVersion(welcome.version, handshakeVersion, { theirs: 'gateway', ours: 'agent' });
  return { agent: welcome.agent, control: rest, witnessed: canWitness(welcome.version) };
}

/** What a link is served with; the witness where the gateway shows its record. */
type Serving = AgentParts & { witness: Witness | undefined };

/** Takes streams until the link closes. */
async function serve(connection: Connection, control: Duplex, parts: Serving): Promise<void> {
  const cancels = new Map<string, () => Promise<void>>();
  connection.onStream = (duplex) => void serveStream(duplex, parts, cancels);
  const stop = () => connection.close('agent stopping');
  parts.signal.addEventListener('abort', stop, { once: true });
  void takeCommands(control, cancels, parts.log);
  await connection.closed;
  parts.signal.removeEventListener('abort', stop);
}

async function takeCommands(control: Duplex, cancels: Map<string, () => Promise<void>>, log: Log): Promise<void> {
  try {
    for (let from = control; ;) {
      const { value, rest } = await readControl(from, linkCancelSchema, { millisMax: Infinity });
      from = rest;
      cancels
        .get(value.stream)?.()
        .catch((error: unknown) => log.warn({ error: String(error) }, 'a cancel did not reach the resource'));
    }
  } catch {
    // The link is closing; `serve` sees it too.
  }
}

/** One stream of the link: dial, log in, hand over, pump. */
async function serveStream(duplex: Duplex, parts: Serving, cancels: Map<string, () => Promise<void>>): Promise<void> {
  let resource: Transport | undefined;
  let name: string | undefined;
  let asked: string | undefined;
  try {
    const { value: request, rest } = await readControl(duplex, linkStreamSchema);
    if (request.kind === 'witness') return parts.witness ? serveWitness(rest, parts.witness, parts.log) : rest.end();
    asked = request.resource;
    const bytes = await witnessed(rest, request, parts.witness);
    const ready = await openResource(request, parts, duplex.closed);
    resource = ready.resource;
    name = request.stream;
    cancels.set(name, ready.cancel);
    await writeControl(duplex, { kind: 'ready', greeting: Buffer.from(ready.greeting).toString('base64') });
    await pump(bytes, prefixed(ready.leftover, resource));
  } catch (error) {
    const refusal = error instanceof UserError ? error : unexpected(error, parts.log);
    if (error instanceof UserError)
      parts.log.warn({ resource: asked, error: error.message }, 'a client could not be connected to its resource');
    await refuseControl(duplex, refusal);
    resource?.reset('refused');
  } finally {
    // A session that is ended by force has its streams cut off and what runs cancelled, which may come in either order.
    const over = name;
    if (over !== undefined) setTimeout(() => cancels.delete(over), limits.lingerMillis).unref();
  }
}

/** The stream's bytes as the resource may have them: each after its entry. Throws HOOP_PROTOCOL for what was not shown to the witness. */
async function witnessed(
  stream: Duplex,
  { session, witnessed: seq }: { session: string; witnessed?: number | undefined },
  witness: Witness | undefined,
): Promise<Duplex> {
  if (!witness) return stream;
  if (seq === undefined) {
    throw new UserError('HOOP_PROTOCOL', 'the gateway did not show the agent its record of this connection', {
      next: 'ask the gateway’s administrator; nothing goes to the resource unwitnessed',
    });
  }
  await witness.until(session, seq);
  return afterSequence(stream, (needed) => witness.until(session, needed));
}

async function openResource(
  request: { resource: string; label: string; startup: { parameters: Record<string, string> } },
  parts: AgentParts,
  gone: Promise<void>,
) {
  const config = parts.config.resources.find(({ name }) => name === request.resource);
  const protocol = config && protocolNamed(config.protocol);
  if (!config || !protocol) {
    throw new UserError('HOOP_NOT_FOUND', `this agent has no resource ${request.resource}`, {
      next: 'add it to agent.yaml and start the agent again',
    });
  }
  const { user, password } = config.credentials;
  const logins = loginDeadline(() => dial(config), limits.handshakeMillisMax);
  let isOpening = true; // later ones are cancels, which outlive their stream
  void gone.then(() => isOpening && logins.abandon());
  const ready = await protocol.backend.connect({
    dial: logins.dial,
    tlsMode: config.tls.mode,
    credentials: {
      user,
      password: password === undefined ? undefined : await readSecret(password),
      database: config.database ?? protocol.defaultDatabase(config.name),
    },
    startup: request.startup,
    label: request.label,
    randomBytes,
  });
  isOpening = false;
  logins.done(ready.resource);
  return ready;
}

const offered = ({ name, protocol, address, database, tls, results, sandbox, redact }: ResourceConfig) => ({
  name,
  protocol,
  address,
  database: database ?? protocolNamed(protocol)?.defaultDatabase(name) ?? name,
  tls: tls.mode,
  results,
  ...(sandbox && { sandbox }),
  ...(redact && { redact }),
});

function unexpected(error: unknown, log: Log): UserError {
  log.error({ error: error instanceof Error ? error.message : String(error) }, 'a stream could not be opened');
  return new UserError('HOOP_RESOURCE_UNREACHABLE', 'the agent could not open the resource', {
    next: 'read the agent’s log',
  });
}

const refusalOf = (refusal: { code: string; message: string; next?: string | undefined }) =>
  new UserError(refusal.code as ErrorCode, refusal.message, refusal.next === undefined ? {} : { next: refusal.next });

const linkUrl = (gateway: string) => new URL(linkPath, gateway).href.replace(/^http/, 'ws');
const caOf = (config: AgentConfig) => (config.caFile === undefined ? {} : { caFile: config.caFile });
