import type { IncomingMessage } from 'node:http';

/**
 * API calls over Node's own client: undici, which the sign-in stands on, takes 60 ms to load, a quarter of the time in which
 * `hoop sessions` has to be there.
 */
export interface ApiRequest {
  method: string;
  headers: Record<string, string>;
  body?: string;
}

export interface ApiAnswer {
  status: number;
  /** Throws where the connection ends before the answer does. */
  chunks: AsyncIterable<Uint8Array>;
}

export type GatewayRequest = (url: string, request: ApiRequest) => Promise<ApiAnswer>;

/** Without a byte of an answer, or of the rest of one, for that long, the gateway is taken for gone. */
const silentMillisMax = 30_000;

/** Throws HOOP_GATEWAY_UNREACHABLE. The given CA is trusted too. */
export function openGatewayRequest(caFile?: string): GatewayRequest {
  return async (url, { method, headers, body }) => {
    const { request } = await (url.startsWith('https:') ? import('node:https') : import('node:http'));
    const ca = caFile === undefined ? undefined : await (await wordsForFailures()).trustedCertificates({ caFile });
    return new Promise((resolve, reject) => {
      const fail = (error: Error) =>
        void wordsForFailures().then(({ unreachable }) => reject(unreachable(url, firstOf(error))), reject);
      const sent = request(url, { method, headers, timeout: silentMillisMax, ...(ca ? { ca } : {}) }, (answer) =>
        resolve({ status: answer.statusCode ?? 0, chunks: chunksOf(answer, url) }),
      );
      sent.once('timeout', () => sent.destroy(new Error(`no answer in ${silentMillisMax / 1000} s`)));
      sent.once('error', fail);
      sent.end(body);
    });
  };
}

const wordsForFailures = () => import('../tunnel/upgrade.ts');

async function* chunksOf(answer: IncomingMessage, url: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer) yield chunk as Uint8Array;
  } catch (error) {
    const { unreachable } = await wordsForFailures();
    throw unreachable(url, new Error(`its answer was cut off (${(error as Error).message})`));
  }
}

/** Where a name has several addresses, one of the reasons stands for all. */
const firstOf = (error: Error): Error =>
  error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
