import type * as z from 'zod';
import {
  agentCreatedSchema,
  agentsSchema,
  apiPrefix,
  erasedSchema,
  grantSchema,
  grantsSchema,
  holdSchema,
  receiptsSchema,
  recordingStatsSchema,
  resourceSchema,
  resourcesSchema,
  rolledOverSchema,
  sessionSchema,
  sessionsSchema,
  statementSchema,
  streamsSchema,
  tokenCreatedSchema,
  tokensSchema,
  userCreatedSchema,
  usersSchema,
  whoamiSchema,
  type createGrantSchema,
  type createTokenSchema,
  type createUserSchema,
  type eraseSchema,
  type SessionsQuery,
  type Statement,
} from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import type { Authorization } from './authorization.ts';
import { dpopProof } from './dpop-key.ts';
import { gatewayRefusal, notAGateway } from './gateway-refusal.ts';
import type { ApiAnswer, GatewayRequest } from './gateway-request.ts';

type Query = Record<string, string | number | boolean | undefined>;
const named = encodeURIComponent;

/** The gateway's HTTP API, typed; every answer is checked. Throws UserError only. */
export class GatewayApi {
  /** The gateway's own address. */
  readonly url: string;
  readonly #authorization: Authorization;
  readonly #send: GatewayRequest;

  constructor(url: string, authorization: Authorization, send: GatewayRequest) {
    this.url = url;
    this.#authorization = authorization;
    this.#send = send;
  }

  /** For exactly one request (also for a WebSocket upgrade: GET). A proof is good once and for a minute. */
  async authorizationHeaders(method: string, url: string): Promise<Record<string, string>> {
    const { accessToken, key } = await this.#authorization.credentials();
    return { authorization: `DPoP ${accessToken}`, dpop: dpopProof(key, method, url, accessToken) };
  }

  /** True where another sign-in is stored than the one that was used so far. */
  takeStored = () => this.#authorization.takeStored();

  whoami = () => this.#get(whoamiSchema, '/whoami');

  users = () => this.#get(usersSchema, '/users');
  createUser = (user: z.input<typeof createUserSchema>) => this.#post(userCreatedSchema, '/users', user);
  removeUser = (name: string) => this.#delete(`/users/${named(name)}`);
  inviteUser = (name: string) =>
    this.#post(userCreatedSchema.shape.invitation.unwrap(), `/users/${named(name)}/invitation`);

  grants = (query: Query = {}) => this.#get(grantsSchema, '/grants', query);
  createGrant = (grant: z.input<typeof createGrantSchema>) => this.#post(grantSchema, '/grants', grant);
  removeGrant = (id: string) => this.#delete(`/grants/${named(id)}`);

  agents = () => this.#get(agentsSchema, '/agents');
  createAgent = (name: string) => this.#post(agentCreatedSchema, '/agents', { name });
  removeAgent = (name: string) => this.#delete(`/agents/${named(name)}`);
  newJoinToken = (name: string) => this.#post(agentCreatedSchema, `/agents/${named(name)}/join-token`);

  tokens = (query: Query = {}) => this.#get(tokensSchema, '/tokens', query);
  createToken = (token: z.input<typeof createTokenSchema>) => this.#post(tokenCreatedSchema, '/tokens', token);
  revokeToken = (id: string) => this.#delete(`/tokens/${named(id)}`);

  resources = () => this.#get(resourcesSchema, '/resources');
  resource = (name: string) => this.#get(resourceSchema, `/resources/${named(name)}`);

  sessions = (query: Partial<SessionsQuery> = {}) => this.#get(sessionsSchema, '/sessions', query);
  /** By id, unique prefix, or `last`. */
  session = (id: string) => this.#get(sessionSchema, `/sessions/${named(id)}`);

  receipts = (id: string) => this.#get(receiptsSchema, `/sessions/${named(id)}/receipts`);
  streams = async (id: string) => (await this.#get(streamsSchema, `/sessions/${named(id)}/streams`)).streams;

  killSession = async (id: string, reason: string | undefined): Promise<void> => {
    const body = reason === undefined ? {} : { reason };
    await textOf(await this.#request('POST', `/sessions/${named(id)}/kill`, body));
  };

  rotateLogKey = () => this.#post(rolledOverSchema, '/log/key');

  recordingStats = () => this.#get(recordingStatsSchema, '/recordings/stats');
  erase = (session: string, order: z.input<typeof eraseSchema>) =>
    this.#post(erasedSchema, `/recordings/${named(session)}/erase`, order);
  hold = async (session: string, reason?: string) =>
    this.#checked(
      holdSchema,
      await jsonOf(
        await this.#request('PUT', `/recordings/${named(session)}/hold`, reason === undefined ? {} : { reason }),
      ),
    );
  releaseHold = (session: string) => this.#delete(`/recordings/${named(session)}/hold`);

  /** In order (`follow`: as they are answered, to the session's end); throws where the answer is cut off, so that a part never looks like the whole. */
  async *statements(id: string, { follow = false } = {}): AsyncGenerator<Statement> {
    const answer = await this.#request('GET', `/sessions/${named(id)}/statements${follow ? '?follow=true' : ''}`);
    for await (const line of linesOf(answer))
      if (line !== '' || !follow) yield this.#checked(statementSchema, parseJson(line));
  }

  /** The recording's entries as they are on disk, each behind its length; `recordedEntries` reads them. */
  entries = async (id: string): Promise<AsyncIterable<Uint8Array>> =>
    (await this.#request('GET', `/sessions/${named(id)}/entries`)).chunks;

  /** The file of `hoop sessions export`; throws where the answer is cut off. `heldSize`: with a proof from that size of the log on. */
  async exported(id: string, heldSize?: number): Promise<AsyncIterable<Uint8Array>> {
    const query = heldSize === undefined ? '' : `?heldSize=${heldSize}`;
    return (await this.#request('GET', `/sessions/${named(id)}/export${query}`)).chunks;
  }

  async #get<S extends z.ZodType>(schema: S, path: string, query: Query = {}): Promise<z.infer<S>> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(
      given.map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const answer = await this.#request('GET', search === '' ? path : `${path}?${search}`);
    return this.#checked(schema, await jsonOf(answer));
  }

  async #post<S extends z.ZodType>(schema: S, path: string, body?: unknown): Promise<z.infer<S>> {
    return this.#checked(schema, await jsonOf(await this.#request('POST', path, body)));
  }

  async #delete(path: string): Promise<void> {
    await textOf(await this.#request('DELETE', path));
  }

  /** An access token that the gateway no longer takes is renewed once; a refused request was not carried out. */
  async #request(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    try {
      return await this.#once(method, path, body);
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'HOOP_SIGN_IN' || !(error instanceof Unauthorized))
        throw error;
      await this.#authorization.refused(error.accessToken);
      return this.#once(method, path, body);
    }
  }

  async #once(method: string, path: string, body: unknown): Promise<ApiAnswer> {
    const url = this.url + apiPrefix + path;
    const headers = await this.authorizationHeaders(method, url);
    const answer = await this.#send(url, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status >= 200 && answer.status < 300) return answer;
    const refusal = gatewayRefusal(await jsonOf(answer)) ?? notAGateway(url, answer.status);
    if (answer.status === 401 && refusal.code === 'HOOP_SIGN_IN')
      throw new Unauthorized(refusal, (headers['authorization'] ?? '').slice('DPoP '.length));
    throw refusal;
  }

  #checked<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
    const result = schema.safeParse(body);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new UserError(
      'HOOP_VERSION_SKEW',
      `the gateway’s answer is not understood (${issue?.path.join('.') || 'body'}: ${issue?.message})`,
      { next: 'use the same version of hoop on both sides; `hoop whoami` shows the gateway’s', cause: result.error },
    );
  }
}

class Unauthorized extends UserError {
  readonly accessToken: string;

  constructor({ message, next }: UserError, accessToken: string) {
    super('HOOP_SIGN_IN', message, next === undefined ? {} : { next });
    this.accessToken = accessToken;
  }
}

async function textOf(answer: ApiAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.chunks) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

const jsonOf = async (answer: ApiAnswer): Promise<unknown> => parseJson(await textOf(answer));

async function* linesOf({ chunks }: ApiAnswer): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest === '') return;
  throw new UserError('HOOP_GATEWAY_UNREACHABLE', 'the answer was cut off in the middle of a line', {
    next: 'try again',
  });
}

/** Undefined where it is no JSON: the schema says so. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
