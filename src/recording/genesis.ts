import { domains, sha256Of } from './digest.ts';
import { encodeFields, fieldsOf } from './fields.ts';

/** Who acts, as verified: the person, and the one process or credential that acts for them. */
export interface RecordedPrincipal {
  user: string;
  /** As declared by the client; null when none was. */
  actor: string | null;
  /** Minted by the gateway. */
  actorInstance: string;
  via: 'sign-in' | 'token';
}

/** What the gateway knows of a session when it allows it. */
export interface SessionFacts {
  principal: RecordedPrincipal;
  resource: { name: string; protocol: string; address: string; database: string | null };
  agent: string;
  /** The agent runs inside the gateway's process: it witnesses nothing. */
  colocated: boolean;
  /** The session that this one succeeds after a loss. */
  continues: string | null;
  /** What the client says of itself: recorded, believed in nothing. */
  declared: Record<string, string>;
  results: 'digest' | 'rows';
  /** What is left out besides passwords; absent: all that the protocol knows. */
  redact?: readonly string[] | undefined;
  /** On what terms it was allowed: `expiresAt` (RFC 3339), `idleSeconds`, `credential` (`kept`). Absent: on none. */
  terms?: Record<string, string> | undefined;
}

/** The first entry of every session: binds it to its place in the log and to everything that was decided when it was allowed. */
export interface Genesis extends RecordedPrincipal {
  sessionId: Uint8Array;
  gatewayVersion: string;
  /** Dense per gateway, from 1. */
  ordinal: number;
  /** Dense per agent, from 1. */
  agentOrdinal: number;
  /** Size of the transparency log when the session was opened; 0 while there is no log. */
  logSize: number;
  gatewayKeyId: string;
  principalSalt: Uint8Array;
  /** SHA-256("hoop principal v1\n" ‖ salt ‖ the principal's four fields): can be shown without the rest. */
  principalCommitment: Uint8Array;
  resource: string;
  protocol: string;
  agent: string;
  address: string;
  database: string | null;
  colocated: boolean;
  continues: string | null;
  declared: Record<string, string>;
  results: 'digest' | 'rows';
  redact?: readonly string[] | undefined;
  terms?: Record<string, string> | undefined;
}

export interface GenesisPlace {
  sessionId: Uint8Array;
  gatewayVersion: string;
  ordinal: number;
  agentOrdinal: number;
  logSize: number;
  gatewayKeyId: string;
  principalSalt: Uint8Array;
}

export function createGenesis(facts: SessionFacts, place: GenesisPlace): Genesis {
  const { principal, resource, agent, colocated, continues, declared, results, redact, terms } = facts;
  return {
    ...place,
    principalCommitment: commitPrincipal(place.principalSalt, principal),
    user: principal.user,
    actor: principal.actor,
    actorInstance: principal.actorInstance,
    via: principal.via,
    resource: resource.name,
    protocol: resource.protocol,
    agent,
    address: resource.address,
    database: resource.database,
    colocated,
    continues,
    declared,
    results,
    ...(redact && { redact }),
    ...(terms && { terms }),
  };
}

const principalFields = fieldsOf('genesis').filter(({ name }) =>
  ['user', 'actor', 'actorInstance', 'via'].includes(name),
);

export function commitPrincipal(salt: Uint8Array, principal: RecordedPrincipal): Uint8Array {
  return sha256Of(domains.principal, salt, encodeFields(principalFields, principal));
}
