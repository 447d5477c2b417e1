import { test } from 'vitest';
import { startPostgres } from '../src/demo/postgres.ts';
import { startRedis, type RedisServer } from '../test/support/redis.ts';
import { run } from '../test/support/run.ts';
import { residentMib } from './machine.ts';
import { keepResults } from './results.ts';
import { playCell, showCell, type Cell, type CellResult } from './rounds.ts';
import { hoop, type Target } from './targets.ts';

/** Requests of one round, by how many are sent before an answer is read. */
const requests = { 1: 20_000, 16: 80_000 };

test('Redis, side by side in interleaved rounds', async () => {
  const redis = await startRedis();
  const postgres = await startPostgres({ database: 'orders' });
  const line =
    `{ name: cache, protocol: redis, address: "127.0.0.1:${redis.port}", database: "0", tls: { mode: disable },` +
    ` credentials: { user: ${redis.user}, password: ${redis.password} } }`;
  const ways: Target[] = [];
  try {
    ways.push(directly(redis), await hoop(postgres, 'hoop, ws', { resources: [line], resource: 'cache' }));
    const results: CellResult[] = [];
    for (const pipelined of [1, 16] as const)
      for (const clients of [1, 8, 50]) {
        const result = await playCell(redisCell(clients, pipelined), ways);
        showCell(result);
        results.push(result);
      }
    const memory = ways.flatMap(({ name, processes }) =>
      Object.entries(processes).map(([role, pid]) => ({ target: name, role, ...residentMib(pid) })),
    );
    keepResults('redis', { results, memory });
  } finally {
    for (const way of ways) await way.stop();
    await postgres.stop();
    await redis.stop();
  }
});

function directly({ port, user, password }: RedisServer): Target {
  return {
    name: 'direct',
    environment: {
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(port),
      REDIS_USERNAME: user,
      REDIS_PASSWORD: password,
    },
    processes: {},
    stop: () => Promise.resolve(),
  };
}

/** Each SET of three bytes; the whole of a round's requests, however long they take. */
function redisCell(clients: number, pipelined: 1 | 16): Cell {
  return {
    name: `redis-benchmark SET, ${clients} client${clients === 1 ? '' : 's'}, ${pipelined === 1 ? 'not pipelined' : `pipelines of ${pipelined}`}`,
    unit: 'tps',
    async play({ name, environment }) {
      const { REDIS_HOST, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD } = environment as Record<string, string>;
      const login = ['-h', REDIS_HOST!, '-p', REDIS_PORT!, '--user', REDIS_USERNAME!, '-a', REDIS_PASSWORD!];
      const load = ['-t', 'set', '-n', String(requests[pipelined]), '-c', String(clients), '-P', String(pipelined)];
      const { stdout, stderr } = await run('redis-benchmark', [...login, ...load, '--csv'], { env: environment });
      const perSecond = /"SET","([\d.]+)"/.exec(stdout)?.[1];
      if (perSecond === undefined) throw new Error(`redis-benchmark on ${name} failed: ${stderr}${stdout}`);
      return { value: Number(perSecond), perSecond: Number(perSecond) };
    },
  };
}
