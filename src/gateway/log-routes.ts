import type { FastifyInstance } from 'fastify';
import { parseTilePath } from '../recording/merkle-tiles.ts';
import { unknownRoute } from './api/routes.ts';
import type { Cosigning } from './cosigning.ts';
import type { TransparencyLog } from './log.ts';

/**
 * `/log/` as C2SP tlog-tiles has it: checkpoint, tiles and bundles, and beside them the verifier key and who cosigns. Open to everybody: leaves name
 * nobody and quote nothing, and whoever watches the log must not need the gateway's leave.
 */
export function registerLog(app: FastifyInstance, log: TransparencyLog, cosigning?: Cosigning): void {
  app.get('/checkpoint', async (_request, reply) =>
    reply
      .type('text/plain; charset=utf-8')
      .header('cache-control', 'no-cache')
      .send((await cosigning?.checkpoint()) ?? (await log.store.checkpoint())),
  );
  app.get('/witnesses', async (_request, reply) =>
    reply.header('cache-control', 'no-cache').send({ witnesses: cosigning?.standings ?? [] }),
  );
  app.get('/key', async (_request, reply) =>
    reply.type('text/plain; charset=utf-8').header('cache-control', 'no-cache').send(`${log.verifierKey}\n`),
  );
  app.get('/keys/:number', async (request, reply) => {
    const { number } = request.params as { number: string };
    const proof = /^[1-9]\d{0,3}$/.test(number) ? await log.store.rollover(Number(number)) : undefined;
    if (proof === undefined) throw unknownRoute();
    return reply.type('text/plain; charset=utf-8').header('cache-control', 'no-cache').send(proof);
  });
  app.get('/tile/*', async (request, reply) => {
    const tile = parseTilePath(`tile/${(request.params as { '*': string })['*']}`);
    const bytes = tile && (await log.store.tile(tile));
    if (!bytes) throw unknownRoute();
    return reply
      .type('application/octet-stream')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(bytes);
  });
}
