import type * as z from 'zod';
import { apiPrefix } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import type { Authorization } from './authorization.ts';
import { dpopProof } from './dpop-key.ts';
import { gatewayRefusal, notAGateway } from './gateway-refusal.ts';
import type { ApiAnswer, GatewayRequest } from './gateway-request.ts';

export type Query = Record<string, string | number | boolean | undefined>;

/** Asks the gateway's HTTP API; what there is to ask stands in `api/`. Every answer is checked. Throws UserError only. */
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

  async get<S extends z.ZodType>(schema: S, path: string, query: Query = {}): Promise<z.infer<S>> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(
      given.map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const answer = await this.request('GET', search === '' ? path : `${path}?${search}`);
    return this.#checked(schema, await jsonOf(answer));
  }

  async post<S extends z.ZodType>(schema: S, path: string, body?: unknown): Promise<z.infer<S>> {
    return this.#checked(schema, await jsonOf(await this.request('POST', path, body)));
  }

  async put<S extends z.ZodType>(schema: S, path: string, body: unknown): Promise<z.infer<S>> {
    return this.#checked(schema, await jsonOf(await this.request('PUT', path, body)));
  }

  /** A POST that is answered with nothing. */
  async order(path: string, body: unknown): Promise<void> {
    await textOf(await this.request('POST', path, body));
  }

  /**
   * Lines of JSON as they come; with `beats` an empty one is a sign of life. Throws where the answer is cut off, so that a part never looks
   * like the whole.
   */
  async *lines<S extends z.ZodType>(schema: S, path: string, { beats = false } = {}): AsyncGenerator<z.infer<S>> {
    for await (const line of linesOf(await this.request('GET', path)))
      if (line !== '' || !beats) yield this.#checked(schema, parseJson(line));
  }

  async delete(path: string): Promise<void> {
    await textOf(await this.request('DELETE', path));
  }

  /** An access token that the gateway no longer takes is renewed once; a refused request was not carried out. */
  async request(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
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
