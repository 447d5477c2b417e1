import { randomBytes } from 'node:crypto';
import { parseSessionId } from '../recording/session-id.ts';
import type { Session } from '../shared/api.ts';
import type { Catalog } from '../store/catalog.ts';
import { protocolNamed } from '../protocol/registry.ts';
import type { Clock } from '../shared/clock.ts';
import { UserError } from '../shared/errors.ts';
import type { LinkResource, TunnelOpen } from '../shared/handshake.ts';
import { limits } from '../shared/limits.ts';
import type { Log } from '../shared/log.ts';
import { pause } from '../shared/pause.ts';
import type { AgentLink, AgentLinks } from './agent-links.ts';
import { createHeldBudget } from './held-budget.ts';
import type { Principal } from './identity/principal.ts';
import { localPassword, localUser } from './local-credential.ts';
import type { Permit } from './permit.ts';
import type { Recorder } from './recorder.ts';
import { GatewaySession, type SessionEnd } from './session.ts';
import {
  decideTerms,
  recordedTerms,
  watchTerms,
  type SessionLine,
  type SessionPolicy,
  type SessionTerms,
} from './session-terms.ts';
import type { WitnessRefusals } from './witness-refusals.ts';

export interface LiveSessionsParts {
  agents: AgentLinks;
  recorder: Recorder;
  /** What agents say against the record. */
  refusals: WitnessRefusals;
  catalog: Catalog;
  /** Default deny: is there a grant, for this coding agent? */
  permit: (principal: Principal, resource: string, actor: string | null) => Permit;
  policy: SessionPolicy;
  resourceIsKnown: (resource: string) => boolean;
  credentialKey: Uint8Array;
  clock: Clock;
  log: Log;
  messageBytesMax: number;
}

/** All sessions of this gateway: who may open one, which run, and how they end. */
export class LiveSessions {
  readonly #parts: LiveSessionsParts;
  readonly #sessions = new Map<string, LiveSession>();
  readonly #held = createHeldBudget(limits.heldBytesMax);
  #draining = false;

  constructor(parts: LiveSessionsParts) {
    this.#parts = parts;
    parts.agents.onLost = (link) => this.endWhere((other) => other.link === link, agentLost);
    parts.agents.onRefused = (refused, agent) => {
      const { session: id } = refused;
      const isLive = this.get(id) !== undefined;
      void this.endWhere(({ session, link }) => session.id === id && link.agent === agent, witnessRefused);
      parts.refusals
        .add(refused, { agent, isLive })
        .catch((error: unknown) => parts.log.error({ error: String(error) }, 'not logged'));
    };
    parts.agents.recorded = async (id, agent) => {
      await this.get(id)?.ended;
      return parts.recorder.entriesForWitness(id, agent);
    };
  }

  get count(): number {
    return this.#sessions.size;
  }

  get(id: string): GatewaySession | undefined {
    return this.#sessions.get(id)?.session;
  }

  /** Authorises and opens; the genesis entry is durable when this resolves. Throws UserError. */
  async open(principal: Principal, request: TunnelOpen): Promise<GatewaySession> {
    const line = this.#lineOf(principal, request);
    this.#authorise(principal, request, line);
    await this.#recordAgain();
    await this.endWhere(({ root }) => root === line?.root, clientLost);
    // Again, and without a pause up to the map: rights, the link and the count may have changed while the predecessor ended.
    const { link, resource, terms } = this.#authorise(principal, request, line);
    if (line && [...this.#sessions.values()].some(({ root }) => root === line.root)) throw secondOfInstance();
    const session = this.#create({ principal, request, link, resource, line, terms });
    this.#sessions.set(session.id, { session, principal, link, root: line?.root ?? session.id });
    const stopWatching = watchTerms(session, terms, this.#parts.clock);
    void session.ended.then(() => {
      stopWatching();
      this.#sessions.delete(session.id);
    });
    try {
      await session.parts.recorder.durable(); // nothing of a session that is not on disk may be forwarded
    } catch (error) {
      await session.end(recorderFailed);
      throw error;
    }
    return session;
  }

  /** After the record has failed and all sessions with it: the next one finds out whether it can be written again. Throws HOOP_RECORDER. */
  async #recordAgain(): Promise<void> {
    const { recorder, log } = this.#parts;
    if (!recorder.hasFailed) return;
    await Promise.all([...this.#sessions.values()].map(({ session }) => session.ended));
    const { interrupted } = await recorder.resume();
    log.info(
      { interrupted },
      'the record can be written again; what was durable of the sessions that failed is sealed',
    );
  }

  #authorise(principal: Principal, request: TunnelOpen, line: Line | undefined): Allowed {
    const { agents, permit, resourceIsKnown } = this.#parts;
    const { resource: name } = request;
    if (this.#draining)
      throw new UserError('HOOP_GATEWAY_DRAINING', 'the gateway is stopping', { next: 'try again in a moment' });
    const permitted = permit(principal, name, actorOf(request, line));
    if (permitted.kind === 'none') throw this.#denied(principal, name, resourceIsKnown(name));
    if (permitted.kind === 'other-actor') throw otherActor(principal, name, permitted.actors);
    const terms = this.#terms(principal, request, line, permitted.ttlMillisMax);
    const link = agents.byResource(name);
    const resource = link?.resources.get(name);
    if (!link || !resource) {
      if (!resourceIsKnown(name)) throw unknownResource(name);
      throw new UserError('HOOP_AGENT_OFFLINE', `no agent that serves ${name} is linked to the gateway`, {
        next: 'start it with `hoop agent start`, or try again when it is back',
      });
    }
    const mine = [...this.#sessions.values()].filter((other) => other.principal.user === principal.user);
    if (mine.length >= limits.sessionsPerUserMax) {
      throw new UserError('HOOP_LIMIT', `${principal.user} has ${mine.length} live sessions already`, {
        next: 'end some first',
      });
    }
    return { link, resource, terms };
  }

  #terms(principal: Principal, request: TunnelOpen, line: Line | undefined, ttlMillisMax: number | undefined) {
    const { policy, clock } = this.#parts;
    const isCredentialKept = request.keepCredential !== undefined;
    if (isCredentialKept && !policy.keepCredential) throw keptRefused();
    const ttlMillis = request.ttlSeconds === undefined ? undefined : request.ttlSeconds * 1000;
    const now = clock.nowMicros() / 1000;
    return decideTerms({ now, principal, ttlMillis, isCredentialKept, policy, ttlMillisMax, line });
  }

  /** Only those who may see all resources learn whether a name exists. */
  #denied(principal: Principal, name: string, known: boolean): UserError {
    if (!known && principal.role !== 'user') return unknownResource(name);
    return new UserError('HOOP_DENIED', `${principal.user} has no grant for ${name}, or it does not exist`, {
      next: `\`hoop resources\` lists what you may reach; an administrator can run: hoop grants add --user ${principal.user} --resource ${name}`,
    });
  }

  /** Whose it is comes first: nobody continues, or ends, a session of somebody else. */
  #lineOf(principal: Principal, { continues, resource }: TunnelOpen): Line | undefined {
    if (continues === undefined) return undefined;
    const predecessor = this.#predecessor(continues, principal, resource);
    let root = predecessor;
    for (let steps = 0; root.continues !== null && steps < successorsMax; steps++)
      root = this.#predecessor(root.continues, principal, resource);
    return {
      root: root.id,
      actor: predecessor.actor,
      actorInstance: predecessor.actorInstance,
      startedAt: Date.parse(root.startedAt),
      predecessorStartedAt: Date.parse(predecessor.startedAt),
      predecessorExpiresAt: predecessor.expiresAt ? Date.parse(predecessor.expiresAt) : undefined,
    };
  }

  #predecessor(id: string, principal: Principal, resource: string): Session {
    // By its whole id: `last` and prefixes are for people.
    const row = parseSessionId(id) ? this.#parts.catalog.find(id, principal.user) : undefined;
    if (row?.id === id && row.resource === resource) return row;
    throw new UserError('HOOP_NOT_FOUND', 'the session to continue is not one of yours on this resource', {
      next: 'run `hoop connect` again',
    });
  }

  #create({ principal, request, link, resource, line, terms }: Creation): GatewaySession {
    const { recorder, credentialKey, clock, log, messageBytesMax } = this.#parts;
    const protocol = protocolNamed(resource.protocol);
    if (!protocol)
      throw new UserError('HOOP_PROTOCOL', `this gateway does not know the protocol ${resource.protocol}`, {
        next: 'upgrade the gateway',
      });
    const actor = actorOf(request, line);
    // The same through a line of successors: it is one process.
    const actorInstance = line?.actorInstance ?? randomBytes(16).toString('hex');
    const witness = link.witness?.session();
    const facts = {
      principal: { user: principal.user, via: principal.via, actor, actorInstance },
      resource: {
        name: resource.name,
        protocol: resource.protocol,
        address: resource.address,
        database: resource.database,
      },
      agent: link.agent,
      colocated: link.colocated,
      continues: request.continues ?? null,
      declared: request.declared,
      results: resource.results,
      redact: resource.redact,
      terms: recordedTerms(terms),
    };
    const opened = recorder.openSession(facts, witness && ((id, entry) => witness.add(id, entry)));
    if (!witness && !link.colocated) opened.note('unwitnessed', { agentVersion: link.version });
    const kept = request.keepCredential === undefined ? undefined : `kept:${request.keepCredential}`;
    const password = localPassword(credentialKey, kept ?? line?.root ?? opened.id, principal.user, resource.name);
    const credential = { user: localUser, password, database: resource.database ?? resource.name };
    return new GatewaySession({
      recorder: opened,
      link,
      witness,
      resource: resource.name,
      user: principal.user,
      actor,
      protocol,
      policy: { results: resource.results, redact: resource.redact },
      credential,
      held: this.#held,
      expiresAt: terms.expiresAt,
      clock,
      log,
      messageBytesMax,
    });
  }

  async endWhere(match: (entry: LiveSession) => boolean, end: SessionEnd): Promise<void> {
    await Promise.all([...this.#sessions.values()].filter(match).map(({ session }) => session.end(end)));
  }

  /** Somebody ends a live session, for good. Throws HOOP_USAGE for one that is not live. */
  async kill(id: string, by: string, reason: string | undefined): Promise<void> {
    const session = this.get(id);
    if (!session) {
      throw new UserError('HOOP_USAGE', `session ${id} has ended already`, {
        next: `hoop sessions show ${id} says how`,
      });
    }
    const why = reason === undefined ? '' : `: ${reason}`;
    session.parts.recorder.note('killed', { by, ...(reason === undefined ? {} : { reason }) });
    await session.end({ reason: 'killed', message: `${by} ended this session${why}`, final: true, cancels: true });
  }

  /** Takes no new session and no new statement, lets those in flight finish for a while, and seals each session when it is done. */
  async drain(millisMax: number): Promise<void> {
    this.#draining = true;
    const tooLong = new AbortController();
    const deadline = pause(millisMax, tooLong.signal);
    const drained = [...this.#sessions.values()].map(async ({ session }) => {
      await Promise.race([session.drain(gatewayStopped), deadline]);
      await session.end(gatewayStopped);
    });
    await Promise.all(drained);
    tooLong.abort();
    await this.endWhere(() => true, gatewayStopped); // one that was being opened
  }
}

interface LiveSession {
  session: GatewaySession;
  principal: Principal;
  link: AgentLink;
  /** The first session of its line: one actor instance. */
  root: string;
}

interface Line extends SessionLine {
  root: string;
  actor: string | null;
  actorInstance: string;
}

interface Allowed {
  link: AgentLink;
  resource: LinkResource;
  terms: SessionTerms;
}

interface Creation extends Allowed {
  principal: Principal;
  request: TunnelOpen;
  line: Line | undefined;
}

/** A successor is the actor that its predecessor was, whatever it says. */
const actorOf = (request: TunnelOpen, line: Line | undefined): string | null =>
  line ? line.actor : (request.actor ?? null);

/** A client that loses its tunnel every minute for a week has this many successors; the line is then begun anew. */
const successorsMax = 10_000;

const unknownResource = (name: string) =>
  new UserError('HOOP_NOT_FOUND', `there is no resource ${name}`, { next: '`hoop resources` lists them' });

const otherActor = ({ user }: Principal, name: string, actors: string[]): UserError =>
  new UserError(
    'HOOP_DENIED',
    `${user} may reach ${name} only by ${actors.length === 0 ? 'a coding agent that says who it is' : actors.join(' or ')}`,
    { next: 'say who acts with --as NAME (or HOOP_ACTOR); an administrator can change the grant' },
  );
const secondOfInstance = (): UserError =>
  new UserError('HOOP_LIMIT', 'another session of this actor instance was opened at the same time', {
    next: 'try again in a moment, or run `hoop connect` again for an instance of its own',
  });
const keptRefused = (): UserError =>
  new UserError('HOOP_DENIED', 'this gateway does not let local passwords be kept from session to session', {
    next: 'connect without --keep-credential',
  });

export const clientClosed: SessionEnd = {
  reason: 'client_closed',
  message: 'the client ended the session',
  final: true,
};
export const clientLost: SessionEnd = { reason: 'client_lost', message: 'the client stopped answering', final: false };
export const agentLost: SessionEnd = {
  reason: 'agent_lost',
  message: 'the agent beside the resource is gone',
  final: false,
};
export const witnessRefused: SessionEnd = {
  reason: 'witness_refused',
  message: 'the agent beside the resource refuses what it was shown of the record; its log and the gateway’s say why',
  final: true,
};
export const gatewayStopped: SessionEnd = {
  reason: 'gateway_stopped',
  message: 'the gateway is stopping',
  final: false,
};
export const accessEnded: SessionEnd = {
  reason: 'access_ended',
  message: 'the sign-in or the grant behind this session ended',
  final: true,
  cancels: true,
};
export const recorderFailed: SessionEnd = {
  reason: 'recorder_failed',
  message: 'the record cannot be written, so nothing more is forwarded',
  final: false,
};
