import type { FastifyInstance } from 'fastify';
import { eraseSchema, holdRequestSchema } from '../../shared/api.ts';
import { requireRole } from '../identity/authorise.ts';
import { administrator, named, parse, principalOf, type ApiContext } from './context.ts';

export function registerRecordings(app: FastifyInstance, context: ApiContext): void {
  const { recordings, sessions } = context.ports;
  if (!recordings) return;
  const idOf = async (typed: string) => (await sessions.find(typed.slice(0, 100))).id;

  app.get('/recordings/stats', async (request) => {
    requireRole(principalOf(request), 'admin', 'auditor');
    return recordings.stats();
  });

  app.post('/recordings/:id/erase', async (request) => {
    const by = administrator(request, context);
    const { seq, only, reason } = parse(eraseSchema, request.body);
    return recordings.erase({ session: await idOf(named(request, 'id')), seq, only, reason }, by);
  });

  app.put('/recordings/:id/hold', async (request) => {
    const by = administrator(request, context);
    const { reason } = parse(holdRequestSchema, request.body ?? {});
    return recordings.hold(await idOf(named(request, 'id')), reason, by);
  });

  app.delete('/recordings/:id/hold', async (request, reply) => {
    const by = administrator(request, context);
    await recordings.release(await idOf(named(request, 'id')), by);
    return reply.code(204).send();
  });
}
