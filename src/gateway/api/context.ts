import type { FastifyRequest } from 'fastify';
import type * as z from 'zod';
import type { Clock } from '../../shared/clock.ts';
import { UserError } from '../../shared/errors.ts';
import type { Registry } from '../../store/registry.ts';
import { requireFreshAdmin } from '../identity/authorise.ts';
import type { Identity } from '../identity/identity.ts';
import type { Principal } from '../identity/principal.ts';
import type { ApiPorts } from './ports.ts';

/** What the routes of the API stand on. */
export interface ApiContext {
  registry: Registry;
  identity: Identity;
  ports: ApiPorts;
  clock: Clock;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the API's own hook before any route runs. */
    principal: Principal | null;
  }
}

/** Who asks; the hook has seen to it that somebody does. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === null) throw new Error('a route of the API ran without authentication');
  return request.principal;
}

/** The administrator who asks, freshly signed in. */
export function administrator(request: FastifyRequest, { clock }: ApiContext): Principal {
  const principal = principalOf(request);
  requireFreshAdmin(principal, clock);
  return principal;
}

/** Parses what came from outside; the message names the field. */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  );
  throw new UserError('HOOP_USAGE', faults.join('; ').slice(0, 1000), { next: 'correct it and try again' });
}

/** RFC 3339 in UTC with milliseconds. */
export const iso = (millis: number): string => new Date(millis).toISOString();
export const isoOrNull = (millis: number | null): string | null => (millis === null ? null : iso(millis));

/** One path parameter. */
export const named = (request: FastifyRequest, name: string): string =>
  (request.params as Record<string, string | undefined>)[name] ?? '';
