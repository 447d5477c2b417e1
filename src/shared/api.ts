/**
 * The gateway's HTTP API as the command line uses it: one zod schema per body, shared by both sides. All paths are under
 * `/api/v1`, all bodies JSON, all times RFC 3339 in UTC with milliseconds, all names lower-case. Field names are stable.
 * Authentication: `Authorization: DPoP <access token>` and a `DPoP` proof (RFC 9449). Errors: `ApiError` with a 4xx / 5xx status.
 */
import * as z from 'zod';

export const apiPrefix = '/api/v1';
export const oidcPath = '/oidc';
export const tunnelPath = '/tunnel';
export const linkPath = '/link';
export const clientId = 'hoop-cli';
/** RFC 8693 grant by which HOOP_TOKEN becomes a DPoP-bound access token. */
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const hoopTokenType = 'urn:hoop:token-type:user-token';

/** A session's longest life that anybody can ask for: a year, as a HOOP_TOKEN's. */
export const ttlSecondsMax = 366 * 24 * 3600;

/** Names of users, groups, agents and resources. */
export const nameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be 1 to 63 characters of a-z 0-9 . _ - and start with a letter or digit');

export const roleSchema = z.enum(['admin', 'auditor', 'user']);
export type Role = z.infer<typeof roleSchema>;

export const apiErrorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), next: z.string().optional() }),
});
export type ApiError = z.infer<typeof apiErrorSchema>;

/** GET /whoami */
export const whoamiSchema = z.object({
  user: z.string(),
  role: roleSchema,
  groups: z.array(z.string()),
  gateway: z.string(),
  gatewayVersion: z.string(),
  /** When the person last proved a password. */
  signedInAt: z.string().nullable(),
  /** How this request was authenticated: a sign-in or a HOOP_TOKEN. */
  via: z.enum(['sign-in', 'token']),
});
export type Whoami = z.infer<typeof whoamiSchema>;

/**
 * POST /users {name, role, groups, password?} → 201 UserCreated · GET /users → {users} · PATCH /users/:name UpdateUser → User ·
 * DELETE /users/:name → 204 · POST /users/:name/invitation → 201 {url, expiresAt}
 */
export const userSchema = z.object({
  name: z.string(),
  role: roleSchema,
  groups: z.array(z.string()),
  createdAt: z.string(),
  /** Has a password been set yet? */
  active: z.boolean(),
  disabled: z.boolean(),
});
export type User = z.infer<typeof userSchema>;
export const createUserSchema = z.object({
  name: nameSchema,
  role: roleSchema.default('user'),
  groups: z.array(nameSchema).default([]),
  password: z.string().min(10, 'must have at least 10 characters').max(200).optional(),
});
export const userCreatedSchema = z.object({
  user: userSchema,
  /** One-time page where the user sets a password; absent when a password was given. */
  invitation: z.object({ url: z.string(), expiresAt: z.string() }).optional(),
});
export type UserCreated = z.infer<typeof userCreatedSchema>;
export const updateUserSchema = z.object({
  role: roleSchema.optional(),
  groups: z.array(nameSchema).optional(),
  disabled: z.boolean().optional(),
});
export const usersSchema = z.object({ users: z.array(userSchema) });

/** What a grant asks besides. Names of actors are compared without regard to case; each is *as declared*. */
const grantRules = {
  /** Somebody says which coding agent it is. */
  requireActor: z.boolean().optional(),
  /** It is one of these. */
  actors: z.array(z.string().min(1).max(100)).min(1).max(20).optional(),
  /** A session on it lives so long after the approval behind it, at most. */
  maxTtlSeconds: z.number().int().min(1).max(ttlSecondsMax).optional(),
};

/** POST /grants {user | group, resource, …rules} → 201 Grant · GET /grants?user=&resource= → {grants} · DELETE /grants/:id */
export const grantSchema = z.object({
  id: z.string(),
  user: z.string().optional(),
  group: z.string().optional(),
  /** A resource's name, or `*`. */
  resource: z.string(),
  createdAt: z.string(),
  createdBy: z.string(),
  ...grantRules,
});
export type Grant = z.infer<typeof grantSchema>;
export const createGrantSchema = z
  .object({
    user: nameSchema.optional(),
    group: nameSchema.optional(),
    resource: z.union([nameSchema, z.literal('*')]),
    ...grantRules,
  })
  .refine((grant) => (grant.user === undefined) !== (grant.group === undefined), 'name either a user or a group');
export const grantsSchema = z.object({ grants: z.array(grantSchema) });

/** POST /agents {name} → 201 AgentCreated · GET /agents → {agents} · DELETE /agents/:name · POST /agents/:name/join-token → AgentCreated */
export const agentSchema = z.object({
  name: z.string(),
  createdAt: z.string(),
  /** Fingerprint of the pinned Ed25519 key; null until it joined. */
  key: z.string().nullable(),
  online: z.boolean(),
  lastSeenAt: z.string().nullable(),
  version: z.string().nullable(),
  resources: z.array(z.string()),
});
export type Agent = z.infer<typeof agentSchema>;
export const createAgentSchema = z.object({ name: nameSchema });
export const agentsSchema = z.object({ agents: z.array(agentSchema) });
export const agentCreatedSchema = z.object({
  agent: agentSchema,
  joinToken: z.object({ token: z.string(), expiresAt: z.string() }),
});
export type AgentCreated = z.infer<typeof agentCreatedSchema>;

/** GET /resources → {resources} (those the caller may reach; admin and auditor: all) · GET /resources/:name → Resource */
export const resourceSchema = z.object({
  name: z.string(),
  protocol: z.string(),
  agent: z.string(),
  online: z.boolean(),
  /** host:port as the agent dials it. */
  address: z.string(),
  database: z.string().nullable(),
  tls: z.string(),
  /** Always true: there is no switch. */
  recorded: z.literal(true),
  results: z.enum(['digest', 'rows']),
  /** May recorded sessions be run again there (`sandbox: true` in agent.yaml)? */
  sandbox: z.boolean().default(false),
  /** The verifier key with which its agent cosigns the log; null where none does now. */
  witness: z.string().nullable().optional(),
  /** May the caller connect? */
  granted: z.boolean(),
});
export type Resource = z.infer<typeof resourceSchema>;
export const resourcesSchema = z.object({ resources: z.array(resourceSchema) });

/** POST /tokens {user, ttlSeconds, name?} → 201 TokenCreated · GET /tokens?user= → {tokens} · DELETE /tokens/:id */
export const tokenSchema = z.object({
  id: z.string(),
  user: z.string(),
  name: z.string().nullable(),
  createdAt: z.string(),
  expiresAt: z.string(),
  lastUsedAt: z.string().nullable(),
});
export type Token = z.infer<typeof tokenSchema>;
export const createTokenSchema = z.object({
  user: nameSchema,
  name: z.string().max(100).optional(),
  ttlSeconds: z
    .number()
    .int()
    .min(60)
    .max(366 * 24 * 3600),
});
export const tokenCreatedSchema = z.object({ token: tokenSchema, secret: z.string() });
export type TokenCreated = z.infer<typeof tokenCreatedSchema>;
export const tokensSchema = z.object({ tokens: z.array(tokenSchema) });

/** `truncated`, `altered`: its agent has seen entries that the record has not, or other ones. */
const sessionStates = ['live', 'sealed', 'interrupted', 'truncated', 'altered'] as const;
const sessionStateSchema = z.enum(sessionStates);

/** GET /sessions?user=&actor=&resource=&since=&until=&state=&text=&class=&errors=&after=&limit= → {sessions, next} newest first · GET /sessions/:idOrPrefix (or `last`) → Session */
export const sessionSchema = z.object({
  id: z.string(),
  user: z.string(),
  /** As declared by the client; null when none was. */
  actor: z.string().nullable(),
  /** Minted by the gateway: one per `hoop connect` process. */
  actorInstance: z.string(),
  resource: z.string(),
  protocol: z.string(),
  agent: z.string(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  /** live · sealed · interrupted */
  state: sessionStateSchema,
  /** Why it ended: client_closed, client_lost, agent_lost, gateway_stopped, killed, recorder_failed, interrupted, … */
  reason: z.string().nullable(),
  statements: z.number().int(),
  errors: z.number().int(),
  streams: z.number().int(),
  /** The session that this one succeeds after a loss. */
  continues: z.string().nullable(),
  /** When it ends at the latest, by its own wish or by policy. */
  expiresAt: z.string().nullish(),
});
export type Session = z.infer<typeof sessionSchema>;
export const sessionsSchema = z.object({
  /** `match`: the number of the newest statement with the text that was looked for. */
  sessions: z.array(sessionSchema.extend({ match: z.number().int().optional() })),
  /** What `after` has to be for those that follow; null where there are no more. A page that was searched for text may be short. */
  next: z.string().nullable().default(null),
});
export type SessionsPage = z.infer<typeof sessionsSchema>;
const statementClasses = ['write', 'ddl', 'dangerous'] as const;
export const sessionsQuerySchema = z.object({
  user: z.string().optional(),
  actor: z.string().optional(),
  resource: z.string().optional(),
  state: sessionStateSchema.optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  /** Words that follow each other in one statement; `drop tab*` for the beginning of the last. Of sessions that have ended. */
  text: z.string().min(1).max(500).optional(),
  /** With a statement of that class, of sessions that have ended. */
  class: z.enum(statementClasses).optional(),
  /** With an error or a refusal. */
  errors: z.stringbool().optional(),
  /** A session: those before it. */
  after: z.string().min(1).max(100).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
});
export type SessionsQuery = z.infer<typeof sessionsQuerySchema>;

/** GET /sessions/:id/streams: the client connections of a session, with what is known of each (as declared). */
export const streamsSchema = z.object({
  streams: z.array(
    z.object({
      stream: z.number().int(),
      openedAt: z.string(),
      closedAt: z.string().nullable(),
      reason: z.string().nullable(),
      facts: z.record(z.string(), z.string()),
    }),
  ),
});
export type SessionStream = z.infer<typeof streamsSchema>['streams'][number];

/** POST /sessions/:id/kill → 204 when the session has ended. One's own; an administrator's act for others. */
export const killSessionSchema = z.object({ reason: z.string().max(200).optional() });

/** GET /sessions/:id/export → a tar file (recording/export-format.ts). `heldSize`: with a proof from that size of the log on. */
export const exportQuerySchema = z.object({ heldSize: z.coerce.number().int().min(1).optional() });

/** GET /sessions/:id/receipts → Receipts: C2SP tlog-proofs of the session's `open` leaf and of that of its end; null before it is logged. */
export const receiptsSchema = z.object({
  session: z.string(),
  open: z.string().max(8192).nullable(),
  end: z.string().max(8192).nullable(),
});
export type Receipts = z.infer<typeof receiptsSchema>;

/** GET /sessions/:id/entries → all entries as they are on disk (docs/recording-format.md), each behind its length (u32). */

/**
 * GET /sessions/:id/statements → application/x-ndjson, one Statement a line, in order. `follow`: of a session that runs also those to come,
 * each when it is answered, until it ends; an empty line says that nothing happened for a while.
 */
export const statementsQuerySchema = z.object({ follow: z.stringbool().default(false) });
export const statementSchema = z.object({
  session: z.string(),
  /** Entry number in the session: what `--seq` and proofs refer to. */
  seq: z.number().int(),
  stream: z.number().int(),
  at: z.string(),
  /** query · execute · parse · function-call · cancel · refusal · … */
  verb: z.string(),
  /**
   * Text as UTF-8 (invalid bytes replaced; `textBase64` then has the exact bytes). Null when the entry carries none. Of a Redis command:
   * its words as redis-cli takes them, each byte exact.
   */
  text: z.string().nullable(),
  textBase64: z.string().optional(),
  /** Encoding of the text, as the connection's setting named it; absent for UTF-8. */
  encoding: z.string().optional(),
  /** False where SQL that ran before (and is recorded) may have put another statement under the name that was executed. */
  resolved: z.literal(false).optional(),
  parameters: z.array(
    z.object({
      type: z.number().int(),
      format: z.number().int(),
      /** Exact bytes; null is SQL NULL. */
      base64: z.string().nullable(),
      /** As a person reads it. */
      shown: z.string(),
    }),
  ),
  portal: z.string().optional(),
  rowLimit: z.number().int().optional(),
  arguments: z.array(z.string()).optional(),
  /** The entry that has what is named here: the script of a Redis EVALSHA, the library of an FCALL. */
  of: z.number().int().optional(),
  /** Function that a function-call names (PostgreSQL: OID). */
  functionId: z.number().int().optional(),
  /** COPY data that the client sent with the statement: bytes of whole CopyData messages. */
  dataBytes: z.number().int().optional(),
  redactions: z.array(z.string()).optional(),
  /** The entry is there, what it said was erased; nulls where the gateway has no record of by whom. `verb` is then its kind. */
  erased: z.object({ at: z.string().nullable(), by: z.string().nullable() }).optional(),
  /** Rows, where the resource's owner wants them kept: the first `outcome.rowsKept` of them. Values as text, null is SQL NULL. */
  results: z
    .array(z.object({ columns: z.array(z.string()), rows: z.array(z.array(z.string().nullable())) }))
    .optional(),
  outcome: z
    .object({
      status: z.enum(['ok', 'error', 'skipped', 'cancelled', 'suspended', 'refused', 'unknown']),
      tag: z.string().optional(),
      rows: z.number().int().optional(),
      errorCode: z.string().optional(),
      errorMessage: z.string().optional(),
      durationMicros: z.number().optional(),
      resultSha256: z.string().optional(),
      resultBytes: z.number().optional(),
      rowsKept: z.number().int().optional(),
    })
    .nullable(),
});
export type Statement = z.infer<typeof statementSchema>;

/**
 * POST /recordings/:id/erase → Erased · PUT /recordings/:id/hold → Hold · DELETE /recordings/:id/hold → 204 (administrators, freshly
 * signed in) · GET /recordings/stats → RecordingStats (administrators and auditors)
 */
const reasonSchema = z.string().min(1).max(500).optional();
export const eraseSchema = z.object({
  seq: z.number().int().min(0),
  /** This entry and no other; else the whole statement: what it builds on, its data, its rows, its outcome. */
  only: z.boolean().default(false),
  reason: reasonSchema,
});
export const erasedSchema = z.object({ session: z.string(), entries: z.array(z.number().int()) });
export type Erased = z.infer<typeof erasedSchema>;
export const holdRequestSchema = z.object({ reason: reasonSchema });
export const holdSchema = z.object({
  session: z.string(),
  reason: z.string().nullable(),
  heldAt: z.string(),
  heldBy: z.string(),
});
export type Hold = z.infer<typeof holdSchema>;
const recordingTotalsSchema = z.object({
  recordings: z.number().int(),
  statements: z.number().int(),
  /** Of both files of each recording. */
  bytes: z.number().int(),
  bytesPerStatement: z.number().nullable(),
  /** When the oldest session began. */
  oldest: z.string().nullable(),
});
export type RecordingTotals = z.infer<typeof recordingTotalsSchema>;
export const recordingStatsSchema = z.object({
  ...recordingTotalsSchema.shape,
  journalBytes: z.number().int(),
  removed: z.number().int(),
  resources: z.array(z.object({ resource: z.string(), ...recordingTotalsSchema.shape })),
  holds: z.array(holdSchema),
});
export type RecordingStats = z.infer<typeof recordingStatsSchema>;

/** POST /log/key → 201 RolledOver: the log's key is replaced (administrators; docs/recording-format.md). Both are verifier keys. */
export const rolledOverSchema = z.object({ before: z.string(), key: z.string() });
export type RolledOver = z.infer<typeof rolledOverSchema>;
