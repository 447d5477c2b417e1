import type { FastifyInstance } from 'fastify';
import { administrator, type ApiContext } from './context.ts';

export function registerLogActs(app: FastifyInstance, context: ApiContext): void {
  const { logKey } = context.ports;
  if (!logKey) return;
  app.post('/log/key', async (request, reply) =>
    reply.code(201).send(await logKey.rollOver(administrator(request, context))),
  );
}
