import type { Agent, RequestInit, Response } from 'undici';
import * as z from 'zod';
import { gatewayRefusal, notAGateway } from './gateway-refusal.ts';

export type GatewayFetch = (url: string, init?: RequestInit) => Promise<Response>;

const connectMillisMax = 10_000;
const headersMillisMax = 30_000;

/**
 * undici's `fetch` to gateways, loaded at first use: the given CA is trusted too; what does not answer is HOOP_GATEWAY_UNREACHABLE.
 * Redirects are not followed.
 */
export function openGatewayFetch(caFile?: string): GatewayFetch {
  let dispatcher: Agent | undefined;
  return async (url, init = {}) => {
    const undici = await import('undici');
    dispatcher ??= await agentWith(undici.Agent, caFile);
    try {
      return await undici.fetch(url, { redirect: 'manual', ...init, dispatcher });
    } catch (error) {
      init.signal?.throwIfAborted();
      const { unreachable } = await import('../tunnel/upgrade.ts');
      throw unreachable(url, rootCause(error));
    }
  };
}

async function agentWith(Constructor: typeof Agent, caFile: string | undefined): Promise<Agent> {
  const { trustedCertificates } = await import('../tunnel/upgrade.ts');
  const ca = await trustedCertificates(caFile === undefined ? {} : { caFile });
  return new Constructor({
    connect: { timeout: connectMillisMax, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: headersMillisMax,
  });
}

/** fetch says only "fetch failed"; the reason is below, and for several addresses in a list. */
function rootCause(error: unknown): Error {
  let cause = error;
  while (cause instanceof Error) {
    const below: unknown = cause instanceof AggregateError ? cause.errors[0] : cause.cause;
    if (!(below instanceof Error)) return cause;
    cause = below;
  }
  return new Error(String(cause));
}

const healthSchema = z.object({ version: z.string(), gateway: z.string() });

/** The gateway's own address: tokens and proofs are made for it, whatever name it was reached by. */
export async function ownAddress(gateway: string, send: GatewayFetch): Promise<string> {
  const url = `${gateway}/healthz`;
  const answer = await send(url);
  const body = await answer.json().catch(() => undefined);
  const health = healthSchema.safeParse(body);
  if (!answer.ok || !health.success) throw gatewayRefusal(body) ?? notAGateway(url, answer.status);
  return health.data.gateway;
}
