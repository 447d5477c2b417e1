/**
 * What the API can be asked, for its OpenAPI document: a test holds this table and the routes together. Bodies are those of shared/api.ts,
 * by which the routes parse what comes and the client what it is given.
 */
import * as z from 'zod';
import * as api from '../../shared/api.ts';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Whom it is answered. `owner`: users for what is theirs, administrators and auditors for all. */
export type Asker = 'anybody' | 'signed-in' | 'owner' | 'reviewer' | 'administrator';

export interface Operation {
  method: Method;
  /** Below the prefix, as in OpenAPI: `/users/{name}`. */
  path: string;
  summary: string;
  asker: Asker;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Without one: 204. */
  answer?: { status?: 200 | 201; schema: z.ZodType } | { type: string; what: string };
}

const userFilter = z.object({ user: z.string().optional() });
const invitationSchema = z.object({ url: z.string(), expiresAt: z.string() });
const ndjson = 'application/x-ndjson';

export const operations: readonly Operation[] = [
  {
    method: 'get',
    path: '/openapi.json',
    summary: 'This document.',
    asker: 'anybody',
    answer: { type: 'application/json', what: 'OpenAPI 3.1' },
  },
  { method: 'get', path: '/whoami', summary: 'Who asks.', asker: 'signed-in', answer: { schema: api.whoamiSchema } },
  { method: 'post', path: '/logout', summary: 'Ends the sign-in behind the token.', asker: 'signed-in' },
  { method: 'get', path: '/users', summary: 'All users.', asker: 'reviewer', answer: { schema: api.usersSchema } },
  {
    method: 'post',
    path: '/users',
    summary: 'Makes a user, with a password or with a one-time page where it is set.',
    asker: 'administrator',
    body: api.createUserSchema,
    answer: { status: 201, schema: api.userCreatedSchema },
  },
  {
    method: 'patch',
    path: '/users/{name}',
    summary: 'Changes role or groups, disables or enables. Sessions without a grant end.',
    asker: 'administrator',
    body: api.updateUserSchema,
    answer: { schema: api.userSchema },
  },
  {
    method: 'delete',
    path: '/users/{name}',
    summary: 'Removes a user and ends what is theirs.',
    asker: 'administrator',
  },
  {
    method: 'post',
    path: '/users/{name}/invitation',
    summary: 'A new one-time page where the user sets a password.',
    asker: 'administrator',
    answer: { status: 201, schema: invitationSchema },
  },
  {
    method: 'get',
    path: '/grants',
    summary: 'Who may reach what.',
    asker: 'reviewer',
    query: userFilter.extend({ resource: z.string().optional() }),
    answer: { schema: api.grantsSchema },
  },
  {
    method: 'post',
    path: '/grants',
    summary: 'Lets a user or a group reach a resource.',
    asker: 'administrator',
    body: api.createGrantSchema,
    answer: { status: 201, schema: api.grantSchema },
  },
  {
    method: 'delete',
    path: '/grants/{id}',
    summary: 'Takes a grant back. Sessions without one end.',
    asker: 'administrator',
  },
  { method: 'get', path: '/agents', summary: 'All agents.', asker: 'reviewer', answer: { schema: api.agentsSchema } },
  {
    method: 'post',
    path: '/agents',
    summary: 'Makes an agent and its join token.',
    asker: 'administrator',
    body: api.createAgentSchema,
    answer: { status: 201, schema: api.agentCreatedSchema },
  },
  { method: 'delete', path: '/agents/{name}', summary: 'Removes an agent and ends its link.', asker: 'administrator' },
  {
    method: 'post',
    path: '/agents/{name}/join-token',
    summary: 'A new join token.',
    asker: 'administrator',
    answer: { status: 201, schema: api.agentCreatedSchema },
  },
  {
    method: 'get',
    path: '/tokens',
    summary: 'Tokens for programs; users see their own.',
    asker: 'owner',
    query: userFilter,
    answer: { schema: api.tokensSchema },
  },
  {
    method: 'post',
    path: '/tokens',
    summary: 'Makes a token. Its secret is in this answer and nowhere else.',
    asker: 'administrator',
    body: api.createTokenSchema,
    answer: { status: 201, schema: api.tokenCreatedSchema },
  },
  { method: 'delete', path: '/tokens/{id}', summary: 'Revokes a token.', asker: 'owner' },
  {
    method: 'get',
    path: '/resources',
    summary: 'Resources that the caller may reach; all of them for administrators and auditors.',
    asker: 'signed-in',
    answer: { schema: api.resourcesSchema },
  },
  {
    method: 'get',
    path: '/resources/{name}',
    summary: 'One resource.',
    asker: 'signed-in',
    answer: { schema: api.resourceSchema },
  },
  {
    method: 'get',
    path: '/sessions',
    summary: 'Sessions, the newest first.',
    asker: 'owner',
    query: api.sessionsQuerySchema,
    answer: { schema: api.sessionsSchema },
  },
  {
    method: 'get',
    path: '/sessions/{id}',
    summary: 'One session: by its id, by the beginning of one, or `last`.',
    asker: 'owner',
    answer: { schema: api.sessionSchema },
  },
  {
    method: 'get',
    path: '/sessions/{id}/streams',
    summary: 'Its client connections.',
    asker: 'owner',
    answer: { schema: api.streamsSchema },
  },
  {
    method: 'post',
    path: '/sessions/{id}/kill',
    summary: 'Ends a session; answered when it has ended. Of others: administrators.',
    asker: 'owner',
    body: api.killSessionSchema,
  },
  {
    method: 'get',
    path: '/sessions/{id}/export',
    summary: 'One file that a stranger can verify (docs/recording-format.md).',
    asker: 'owner',
    query: api.exportQuerySchema,
    answer: { type: 'application/x-tar', what: 'recording, proofs, checkpoint, cosignatures, keys' },
  },
  {
    method: 'get',
    path: '/sessions/{id}/receipts',
    summary: 'Proofs that its beginning and its end are logged.',
    asker: 'owner',
    answer: { schema: api.receiptsSchema },
  },
  {
    method: 'get',
    path: '/sessions/{id}/statements',
    summary: 'Its statements in order, one a line.',
    asker: 'owner',
    query: api.statementsQuerySchema,
    answer: { type: ndjson, what: 'one Statement a line; an empty line says that nothing happened for a while' },
  },
  {
    method: 'get',
    path: '/sessions/{id}/entries',
    summary: 'Its entries as they are on disk.',
    asker: 'owner',
    answer: { type: 'application/octet-stream', what: 'each entry behind its length (u32, big-endian)' },
  },
  {
    method: 'get',
    path: '/recordings/stats',
    summary: 'What recordings take on disk, and legal holds.',
    asker: 'reviewer',
    answer: { schema: api.recordingStatsSchema },
  },
  {
    method: 'post',
    path: '/recordings/{id}/erase',
    summary: 'Erases what a statement said; its commitment stays.',
    asker: 'administrator',
    body: api.eraseSchema,
    answer: { schema: api.erasedSchema },
  },
  {
    method: 'put',
    path: '/recordings/{id}/hold',
    summary: 'Legal hold: stops retention and erasure.',
    asker: 'administrator',
    body: api.holdRequestSchema,
    answer: { schema: api.holdSchema },
  },
  { method: 'delete', path: '/recordings/{id}/hold', summary: 'Ends a legal hold.', asker: 'administrator' },
  {
    method: 'post',
    path: '/log/key',
    summary: 'Gives the log a new key, under the old one.',
    asker: 'administrator',
    answer: { status: 201, schema: api.rolledOverSchema },
  },
];
