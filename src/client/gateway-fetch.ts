import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { z } from 'zod';
import { apiErrorSchema } from '../shared/api.ts';
import type { ErrorCode } from '../shared/error-codes.ts';
import { UserError } from '../shared/errors.ts';
import { trustedCertificates, unreachable } from '../tunnel/upgrade.ts';

export type GatewayFetch = (url: string, init?: RequestInit) => Promise<Response>;

const connectMillisMax = 10_000;
const headersMillisMax = 30_000;

/** `fetch` to gateways: the given CA is trusted too; what does not answer is HOOP_GATEWAY_UNREACHABLE. Redirects are not followed. */
export async function openGatewayFetch(caFile?: string): Promise<GatewayFetch> {
  const ca = await trustedCertificates(caFile === undefined ? {} : { caFile });
  const dispatcher = new Agent({
    connect: { timeout: connectMillisMax, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: headersMillisMax,
  });
  return async (url, init = {}) => {
    try {
      return await fetch(url, { redirect: 'manual', ...init, dispatcher });
    } catch (error) {
      init.signal?.throwIfAborted();
      throw unreachable(url, rootCause(error));
    }
  };
}

/** fetch says only "fetch failed"; the reason is below, and for several addresses in a list. */
export function rootCause(error: unknown): Error {
  let cause = error;
  while (cause instanceof Error) {
    const below: unknown = cause instanceof AggregateError ? cause.errors[0] : cause.cause;
    if (!(below instanceof Error)) return cause;
    cause = below;
  }
  return new Error(String(cause));
}

/** The gateway's "no" as it said it, or undefined when the body is something else. */
export function gatewayRefusal(body: unknown): UserError | undefined {
  const parsed = apiErrorSchema.safeParse(body);
  if (!parsed.success) return undefined;
  const { code, message, next } = parsed.data.error;
  return new UserError(code as ErrorCode, message, next === undefined ? {} : { next });
}

export function notAGateway(url: string, status: number): UserError {
  return new UserError('HOOP_GATEWAY_UNREACHABLE', `${new URL(url).origin} answered ${status}, not as a hoop gateway`, {
    next: 'check the gateway’s address and the proxies in between',
  });
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
