import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { exportQuerySchema, sessionsQuerySchema, type Statement } from '../../shared/api.ts';
import type { Principal } from '../identity/principal.ts';
import { named, parse, principalOf, type ApiContext } from './context.ts';

/** Users see their own sessions; for them, those of others do not exist. */
const restriction = ({ role, user }: Principal): string | undefined => (role === 'user' ? user : undefined);

export function registerSessions(app: FastifyInstance, { ports }: ApiContext): void {
  const find = async (by: Principal, id: string) => ports.sessions.find(id.slice(0, 100), restriction(by));

  app.get('/sessions', async (request) => {
    const query = parse(sessionsQuerySchema, request.query);
    return { sessions: await ports.sessions.list(query, restriction(principalOf(request))) };
  });

  app.get('/sessions/:id', async (request) => find(principalOf(request), named(request, 'id')));

  app.get('/sessions/:id/export', async (request, reply) => {
    const by = principalOf(request);
    const { heldSize } = parse(exportQuerySchema, request.query);
    const session = await find(by, named(request, 'id'));
    if (session.user !== by.user)
      await ports.recordAct?.({ act: 'recording-exported', by, subject: { session: session.id, user: session.user } });
    const bytes = await ports.sessions.export(session.id, heldSize);
    return reply.type('application/x-tar').send(Readable.from(bytes, { objectMode: false }));
  });

  app.get('/sessions/:id/statements', async (request, reply) => {
    const by = principalOf(request);
    const session = await find(by, named(request, 'id'));
    if (session.user !== by.user) {
      await ports.recordAct?.({ act: 'recording-read', by, subject: { session: session.id, user: session.user } });
    }
    const lines = Readable.from(ndjson(ports.sessions.statements(session.id)), { objectMode: false });
    return reply.type('application/x-ndjson; charset=utf-8').send(lines);
  });
}

async function* ndjson(statements: AsyncIterable<Statement>): AsyncGenerator<string> {
  for await (const statement of statements) yield `${JSON.stringify(statement)}\n`;
}
