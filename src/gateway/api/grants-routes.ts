import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { createGrantSchema, type Grant } from '../../shared/api.ts';
import type { GrantRules, StoredGrant } from '../../store/registry/grants.ts';
import { requireRole } from '../identity/authorise.ts';
import { administrator, iso, named, parse, principalOf, type ApiContext } from './context.ts';

const filterSchema = z.object({ user: z.string().optional(), resource: z.string().optional() });

export function registerGrants(app: FastifyInstance, context: ApiContext): void {
  const { registry, identity, ports } = context;

  app.get('/grants', async (request) => {
    requireRole(principalOf(request), 'admin', 'auditor');
    return { grants: registry.grants.list(parse(filterSchema, request.query)).map(shown) };
  });

  app.post('/grants', async (request, reply) => {
    const by = administrator(request, context);
    const { user, group, resource, ...rules } = parse(createGrantSchema, request.body);
    const userId = user === undefined ? null : registry.users.get(user).id;
    const grant = registry.grants.create({ userId, group: group ?? null, resource, createdBy: by.user, ...rules });
    await ports.recordAct?.({ act: 'grant-added', by, subject: subjectOf(grant) });
    return reply.code(201).send(shown(grant));
  });

  app.delete('/grants/:id', async (request, reply) => {
    const by = administrator(request, context);
    const grant = registry.grants.remove(named(request, 'id'));
    identity.onRevoked({ kind: 'access' });
    await ports.recordAct?.({ act: 'grant-removed', by, subject: subjectOf(grant) });
    return reply.code(204).send();
  });
}

const subjectOf = ({ user, group, resource, requireActor, actors, maxTtlSeconds }: StoredGrant) => ({
  user,
  group,
  resource,
  ...(requireActor && { requireActor: 1 }),
  ...(actors && { actors: actors.join(', ') }),
  ...(maxTtlSeconds !== undefined && { maxTtlSeconds }),
});

const shown = ({ id, user, group, resource, createdAt, createdBy, ...rules }: StoredGrant): Grant => ({
  id,
  ...(user === null ? {} : { user }),
  ...(group === null ? {} : { group }),
  resource,
  createdAt: iso(createdAt),
  createdBy,
  ...rulesOf(rules),
});

const rulesOf = ({ requireActor, actors, maxTtlSeconds }: GrantRules) => ({
  ...(requireActor && { requireActor }),
  ...(actors && { actors: [...actors] }),
  ...(maxTtlSeconds !== undefined && { maxTtlSeconds }),
});
