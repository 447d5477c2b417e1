import { createPublicKey, randomBytes, verify } from 'node:crypto';
import type { Startup } from '../protocol/protocol.ts';
import { protocolNamed } from '../protocol/registry.ts';
import type { Duplex } from '../shared/duplex.ts';
import { UserError } from '../shared/errors.ts';
import {
  canWitness,
  controlRefusedSchema,
  linkHelloSchema,
  linkProofMessage,
  linkProofSchema,
  resourceReadySchema,
  type LinkHello,
  type LinkResource,
} from '../shared/handshake.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { handshakeVersion } from '../shared/version.ts';
import { checkVersion, readControl, refuseControl, writeControl } from '../tunnel/control.ts';
import type { Connection } from '../tunnel/websocket.ts';
import { WitnessFeed, type Refused, type SessionWitness } from './witness-feed.ts';

/** What the links need from the registry. */
export interface AgentRegistry {
  /** The agent whose pinned key this is. */
  agentByKey(publicKey: string): string | undefined;
  /** Uses up a join token and pins the key; the agent's name. Throws HOOP_JOIN_TOKEN. */
  joinAgent(joinToken: string, publicKey: string): string;
  /** Remembers what the agent offers; returns the names that belong to another agent and are not taken. */
  offerResources(agent: string, version: string, resources: LinkResource[]): string[];
}

export interface OpenedResource {
  duplex: Duplex;
  greeting: Uint8Array;
  cancel(): void;
}

export interface OpenResourceRequest {
  resource: string;
  session: string;
  stream: number;
  startup: Startup;
  label: string;
  /** Shows the agent what was recorded, where it witnesses. */
  witness?: SessionWitness | undefined;
}

/** One linked agent. */
export interface AgentLink {
  readonly agent: string;
  readonly version: string;
  /** True when the agent runs inside the gateway's process: it witnesses nothing. */
  readonly colocated: boolean;
  readonly resources: ReadonlyMap<string, LinkResource>;
  /** Undefined where the agent is colocated, or older than its witness. */
  readonly witness: WitnessFeed | undefined;
  /** Rejects at once when the signal aborts. */
  openResource(request: OpenResourceRequest, signal: AbortSignal): Promise<OpenedResource>;
  close(reason: string): void;
  /** With the reason. */
  readonly closed: Promise<string>;
}

export class AgentLinks {
  readonly #links = new Map<string, AgentLink>();
  readonly #registry: AgentRegistry;
  readonly #log: Log;
  /** Called when an agent's link is gone, so that its sessions end. */
  onLost: (link: AgentLink) => void = () => undefined;
  /** Called when an agent refuses to go on with a session, because what it was shown cannot be its record. */
  onRefused: (refused: Refused, agent: string) => void = () => undefined;
  /** Called with the stream on which an agent witnesses, before a word was said on it. */
  onWitness: (feed: WitnessFeed, agent: string, publicKey: string) => void = () => undefined;
  /** A session's entries, once it has ended: what an agent is shown again that has not seen the end. */
  recorded: (session: string, agent: string) => ReturnType<WitnessFeed['recorded']> = async () => undefined;

  constructor(registry: AgentRegistry, log: Log) {
    this.#registry = registry;
    this.#log = log;
  }

  byAgent(agent: string): AgentLink | undefined {
    return this.#links.get(agent);
  }

  /** The one in this process. */
  get colocated(): AgentLink | undefined {
    return [...this.#links.values()].find((link) => link.colocated);
  }

  byResource(resource: string): AgentLink | undefined {
    return [...this.#links.values()].find((link) => link.resources.has(resource));
  }

  /** Runs the handshake on a new connection and keeps it until it closes. `colocated`: of an agent in this process. Never rejects. */
  async accept(connection: Connection, { colocated = false } = {}): Promise<void> {
    let control: Duplex | undefined;
    try {
      control = await connection.accept();
      const welcomed = await this.#handshake(control, colocated);
      const { publicKey, version } = welcomed.hello;
      const witness = canWitness(version) && !colocated ? new WitnessFeed(connection, this.#log) : undefined;
      if (witness) {
        witness.onRefused = (refused) => this.onRefused(refused, welcomed.agent);
        witness.recorded = (session) => this.recorded(session, welcomed.agent);
        this.onWitness(witness, welcomed.agent, publicKey);
      }
      const link = createLink(connection, welcomed, { colocated, witness });
      this.#links.get(link.agent)?.close('another process of this agent linked');
      this.#links.set(link.agent, link);
      this.#log.info({ agent: link.agent, resources: [...link.resources.keys()] }, 'agent linked');
      const reason = await link.closed;
      if (this.#links.get(link.agent) === link) this.#links.delete(link.agent);
      this.#log.info({ agent: link.agent, reason }, 'agent link closed');
      this.onLost(link);
    } catch (error) {
      const refusal = error instanceof UserError ? error : new UserError('HOOP_PROTOCOL', 'the link handshake failed');
      this.#log.warn({ code: refusal.code, error: String(error) }, 'an agent was refused');
      if (control) await refuseControl(control, refusal);
      connection.close(refusal.message);
    }
  }

  closeAll(reason: string): void {
    for (const link of this.#links.values()) link.close(reason);
  }

  async #handshake(control: Duplex, colocated: boolean): Promise<Welcomed> {
    const { value: hello, rest: afterHello } = await readControl(control, linkHelloSchema);
    checkVersion(hello.version, handshakeVersion, { theirs: 'agent', ours: 'gateway' });
    const nonce = randomBytes(32).toString('base64url');
    await writeControl(control, { kind: 'challenge', nonce });
    const { value: proof, rest } = await readControl(afterHello, linkProofSchema);
    if (!provesKey(hello.publicKey, nonce, proof.signature)) {
      throw new UserError('HOOP_JOIN_TOKEN', 'the agent could not prove its key', {
        next: 'hoop agents create NAME makes a new join token',
      });
    }
    const agent = this.#identify(hello);
    if (!colocated && this.#links.get(agent)?.colocated) throw runsWithin(agent);
    const taken = this.#registry.offerResources(agent, hello.agentVersion, hello.resources);
    if (taken.length > 0) this.#log.warn({ agent, taken }, 'resources that belong to another agent are not served');
    await writeControl(control, { kind: 'welcome', version: handshakeVersion, agent });
    return { agent, hello, taken, control: rest };
  }

  #identify(hello: LinkHello): string {
    const known = this.#registry.agentByKey(hello.publicKey);
    if (known !== undefined) return known;
    if (hello.joinToken !== undefined) return this.#registry.joinAgent(hello.joinToken, hello.publicKey);
    throw new UserError('HOOP_JOIN_TOKEN', 'this gateway does not know the agent’s key', {
      next: 'run `hoop agents create NAME` and start the agent with --join',
    });
  }
}

/** Two that take the link from each other would end each other's sessions. */
const runsWithin = (agent: string) =>
  new UserError('HOOP_CONFIG', `the agent ${agent} runs in the gateway’s own process (--agent)`, {
    next: 'leave this one stopped, or start the gateway without --agent',
  });

interface Welcomed {
  agent: string;
  hello: LinkHello;
  taken: string[];
  control: Duplex;
}

function provesKey(publicKey: string, nonce: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    return verify(null, Buffer.from(linkProofMessage(nonce, publicKey)), key, Buffer.from(signature, 'base64url'));
  } catch {
    return false; // not a key at all
  }
}

/** Sends cancels on the control stream. An agent that does not read them gets its link closed: what it is told must not pile up here. */
function cancelSender(connection: Connection, control: Duplex): (stream: string) => void {
  let waiting = 0;
  return (stream) => {
    if (waiting >= limits.cancelsWaitingMax) return connection.close('the agent does not read what it is told');
    waiting++;
    writeControl(control, { kind: 'cancel', stream })
      .catch(() => undefined) // the link is closing
      .finally(() => waiting--);
  };
}

function createLink(
  connection: Connection,
  { agent, hello, taken, control }: Welcomed,
  { colocated, witness }: Pick<AgentLink, 'colocated' | 'witness'>,
): AgentLink {
  const sendCancel = cancelSender(connection, control);
  const served = hello.resources.filter(({ name, protocol }) => !taken.includes(name) && protocolNamed(protocol));
  return {
    agent,
    version: hello.agentVersion,
    colocated,
    witness,
    resources: new Map(served.map((resource) => [resource.name, resource])),
    closed: connection.closed,
    close: (reason) => connection.close(reason),
    async openResource({ resource, session, stream, startup, label, witness: shower }, signal) {
      const name = `${session}/${stream}`;
      const duplex = connection.open();
      shower?.show()?.catch(() => undefined); // the link is closing
      const { answer, rest } = await askAgent(
        duplex,
        {
          kind: 'resource',
          resource,
          session,
          stream: name,
          label,
          startup,
          ...(shower && { witnessed: shower.shownSeq }),
        },
        signal,
      );
      if (answer.kind === 'refused') {
        rest.reset('refused');
        throw new UserError('HOOP_RESOURCE_UNREACHABLE', answer.message, answer.next ? { next: answer.next } : {});
      }
      return {
        duplex: shower?.over(rest) ?? rest,
        greeting: Buffer.from(answer.greeting, 'base64'),
        cancel: () => sendCancel(name),
      };
    },
  };
}

/** An agent that answers with something else, or not at all, gets its stream reset. */
async function askAgent(duplex: Duplex, request: object, signal: AbortSignal) {
  const giveUp = () => duplex.reset('nobody waits for it any more');
  signal.addEventListener('abort', giveUp);
  try {
    signal.throwIfAborted();
    await writeControl(duplex, request);
    const { value: answer, rest } = await readControl(duplex, resourceReadySchema.or(controlRefusedSchema));
    return { answer, rest };
  } catch (error) {
    duplex.reset('no answer that can be read');
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
