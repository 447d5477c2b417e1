import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { createTokenSchema, type Token, type TokenCreated } from '../../shared/api.ts';
import type { StoredToken } from '../../store/registry/tokens.ts';
import { requireFresh } from '../identity/authorise.ts';
import { administrator, iso, isoOrNull, named, parse, principalOf, type ApiContext } from './context.ts';

const filterSchema = z.object({ user: z.string().optional() });

export function registerTokens(app: FastifyInstance, context: ApiContext): void {
  const { registry, identity, ports, clock } = context;

  /** A user sees only the tokens that act as that user. */
  app.get('/tokens', async (request) => {
    const { role, user } = principalOf(request);
    const wanted = parse(filterSchema, request.query).user;
    const tokens = registry.tokens.list(role === 'user' ? user : wanted).map(shown);
    return { tokens: role === 'user' && wanted !== undefined && wanted !== user ? [] : tokens };
  });

  app.post('/tokens', async (request, reply) => {
    const by = administrator(request, context);
    const { user, name, ttlSeconds } = parse(createTokenSchema, request.body);
    const made = registry.tokens.create({ userId: registry.users.get(user).id, name: name ?? null, ttlSeconds });
    await ports.recordAct?.({ act: 'token-created', by, subject: { user, token: made.token.id } });
    const created: TokenCreated = { token: shown(made.token), secret: made.secret };
    return reply.code(201).send(created);
  });

  /** Users may end their own tokens. */
  app.delete('/tokens/:id', async (request, reply) => {
    const by = principalOf(request);
    if (by.role === 'admin') requireFresh(by, clock);
    const token = registry.tokens.revoke(named(request, 'id'), by.role === 'admin' ? undefined : by.user);
    identity.revokeToken(token.id);
    await ports.recordAct?.({ act: 'token-revoked', by, subject: { user: token.user, token: token.id } });
    return reply.code(204).send();
  });
}

const shown = ({ id, user, name, createdAt, expiresAt, lastUsedAt }: StoredToken): Token => ({
  id,
  user,
  name,
  createdAt: iso(createdAt),
  expiresAt: iso(expiresAt),
  lastUsedAt: isoOrNull(lastUsedAt),
});
