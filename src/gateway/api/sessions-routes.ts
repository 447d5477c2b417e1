import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  exportQuerySchema,
  killSessionSchema,
  sessionsQuerySchema,
  statementsQuerySchema,
  type Statement,
} from '../../shared/api.ts';
import { requireFreshAdmin } from '../identity/authorise.ts';
import type { Principal } from '../identity/principal.ts';
import { followedLines } from './followed-lines.ts';
import { named, parse, principalOf, type ApiContext } from './context.ts';

/** Users see their own sessions; for them, those of others do not exist. */
const restriction = ({ role, user }: Principal): string | undefined => (role === 'user' ? user : undefined);

export function registerSessions(app: FastifyInstance, { ports, clock }: ApiContext): void {
  const find = async (by: Principal, id: string) => ports.sessions.find(id.slice(0, 100), restriction(by));

  /** Whoever reads the recording of somebody else stands in the record too. */
  const findToRead = async (request: FastifyRequest) => {
    const by = principalOf(request);
    const session = await find(by, named(request, 'id'));
    if (session.user !== by.user)
      await ports.recordAct?.({ act: 'recording-read', by, subject: { session: session.id, user: session.user } });
    return session;
  };

  app.get('/sessions', async (request) => {
    const query = parse(sessionsQuerySchema, request.query);
    return ports.sessions.list(query, restriction(principalOf(request)));
  });

  app.get('/sessions/:id', async (request) => find(principalOf(request), named(request, 'id')));

  app.get('/sessions/:id/streams', async (request) => {
    const session = await findToRead(request);
    return { streams: await ports.sessions.streams(session.id) };
  });

  app.post('/sessions/:id/kill', async (request, reply) => {
    const by = principalOf(request);
    const { reason } = parse(killSessionSchema, request.body ?? {});
    const session = await find(by, named(request, 'id'));
    if (session.user !== by.user) requireFreshAdmin(by, clock);
    await ports.sessions.kill(session.id, by.user, reason);
    await ports.recordAct?.({ act: 'session-killed', by, subject: { session: session.id, user: session.user } });
    return reply.code(204).send();
  });

  app.get('/sessions/:id/export', async (request, reply) => {
    const by = principalOf(request);
    const { heldSize } = parse(exportQuerySchema, request.query);
    const session = await find(by, named(request, 'id'));
    if (session.user !== by.user)
      await ports.recordAct?.({ act: 'recording-exported', by, subject: { session: session.id, user: session.user } });
    const bytes = await ports.sessions.export(session.id, heldSize);
    return reply.type('application/x-tar').send(Readable.from(bytes, { objectMode: false }));
  });

  app.get('/sessions/:id/receipts', async (request) => {
    const session = await find(principalOf(request), named(request, 'id'));
    return (await ports.receipts?.(session)) ?? { session: session.id, open: null, end: null };
  });

  app.get('/sessions/:id/statements', async (request, reply) => {
    const { follow } = parse(statementsQuerySchema, request.query);
    const session = await findToRead(request);
    const lines = Readable.from(
      follow
        ? followedLines((signal) => ports.sessions.statements(session.id, signal), reply.raw)
        : ndjson(ports.sessions.statements(session.id)),
      { objectMode: false },
    );
    return reply.type('application/x-ndjson; charset=utf-8').send(lines);
  });

  app.get('/sessions/:id/entries', async (request, reply) => {
    const session = await findToRead(request);
    const frames = Readable.from(framed(await ports.sessions.entries(session.id)), { objectMode: false });
    return reply.type('application/octet-stream').send(frames);
  });
}

/** Bytes that are sent in one write: a write for each entry would cost more than the entry. */
const pieceBytes = 64 * 1024;

/** One behind the other, each behind its length. */
async function* framed(entries: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const entry of entries) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(entry.length);
      held.push(length, Uint8Array.from(entry));
      bytes += length.length + entry.length;
      if (bytes < pieceBytes) continue;
      yield Buffer.concat(held);
      held = [];
      bytes = 0;
    }
  } catch (error) {
    yield Buffer.concat(held);
    throw error;
  }
  yield Buffer.concat(held);
}

async function* ndjson(statements: AsyncIterable<Statement>): AsyncGenerator<string> {
  let held = '';
  try {
    for await (const statement of statements) {
      held += `${JSON.stringify(statement)}\n`;
      if (held.length < pieceBytes) continue;
      yield held;
      held = '';
    }
  } catch (error) {
    yield held; // what is intact of a damaged recording is given
    throw error;
  }
  yield held;
}
