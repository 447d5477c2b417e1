import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Whoami } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import { version } from '../../shared/version.ts';
import type { Identity } from '../identity/identity.ts';
import type { Principal } from '../identity/principal.ts';
import { registerAgents } from './agents-routes.ts';
import { sendApiError } from './api-error.ts';
import { isoOrNull, principalOf, type ApiContext } from './context.ts';
import { registerGrants } from './grants-routes.ts';
import { registerLogActs } from './log-routes.ts';
import { registerRecordings } from './recordings-routes.ts';
import { registerResources } from './resources-routes.ts';
import { registerSessions } from './sessions-routes.ts';
import { registerTokens } from './tokens-routes.ts';
import { registerUsers } from './users-routes.ts';

/** The whole API, in a scope of its own: no route runs before somebody is authenticated. */
export function registerApi(app: FastifyInstance, context: ApiContext): void {
  const { identity } = context;
  app.decorateRequest('principal', null);
  // preParsing, so that a stranger's body is not even read.
  app.addHook('preParsing', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    request.principal = await authenticateRequest(identity, request);
  });
  app.setErrorHandler(sendApiError);
  app.setNotFoundHandler((request, reply) => sendApiError(unknownRoute(), request, reply));

  app.get('/whoami', async (request) => whoami(principalOf(request), identity.publicUrl));
  app.post('/logout', async (request, reply) => {
    identity.revokeGrant(principalOf(request).grantId);
    return reply.code(204).send();
  });
  registerUsers(app, context);
  registerGrants(app, context);
  registerAgents(app, context);
  registerTokens(app, context);
  registerResources(app, context);
  registerSessions(app, context);
  registerRecordings(app, context);
  registerLogActs(app, context);
}

export const unknownRoute = (): UserError =>
  new UserError('HOOP_NOT_FOUND', 'this gateway has no such page or call', {
    next: 'use the same version of hoop on both sides',
  });

const whoami = ({ user, role, groups, authTime, via }: Principal, gateway: string): Whoami => ({
  user,
  role,
  groups,
  gateway,
  gatewayVersion: version,
  signedInAt: isoOrNull(authTime),
  via,
});

function authenticateRequest(identity: Identity, request: FastifyRequest): Promise<Principal> {
  const { authorization, dpop } = request.headers;
  return identity.authenticate({
    method: request.method,
    url: identity.publicUrl + request.url,
    authorization,
    proof: typeof dpop === 'string' ? dpop : undefined,
  });
}
