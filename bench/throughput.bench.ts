import { cpus } from 'node:os';
import { test } from 'vitest';
import { run } from '../test/support/run.ts';
import { startInstallation } from './installation.ts';

const seconds = 3;
const rounds = Number(process.env['HOOP_BENCH_ROUNDS'] ?? 5);

test('pgbench -S, side by side in interleaved rounds', async () => {
  await using installation = await startInstallation(['max_connections = 200']);
  const { postgres } = installation;
  const direct = {
    PGHOST: '127.0.0.1',
    PGPORT: String(postgres.port),
    PGUSER: postgres.user,
    PGPASSWORD: postgres.password,
    PGDATABASE: postgres.database,
  };
  const { environment: through } = await installation.connect();
  await run('pgbench', ['-i', '-q', '-s', '1'], { env: direct });
  console.log(
    `${cpus().length} × ${cpus()[0]?.model}, node ${process.version}, ${postgres.kind}, ${rounds} rounds of ${seconds} s`,
  );
  console.log('mode      clients  direct tps  hoop tps  ratio median [min–max]');
  for (const mode of ['simple', 'prepared']) {
    for (const clients of [1, 8, 64]) {
      await tps(direct, mode, clients, 2);
      await tps(through, mode, clients, 2);
      const pairs: [number, number][] = [];
      for (let round = 0; round < rounds; round++) {
        const order = round % 2 === 0 ? [direct, through] : [through, direct];
        const [first, second] = [
          await tps(order[0]!, mode, clients, seconds),
          await tps(order[1]!, mode, clients, seconds),
        ];
        pairs.push(round % 2 === 0 ? [first, second] : [second, first]);
      }
      const ratios = pairs.map(([a, b]) => b / a).toSorted((a, b) => a - b);
      const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
      const shown = (value: number, width: number) => value.toFixed(0).padStart(width);
      console.log(
        `${mode.padEnd(9)} ${String(clients).padStart(7)}  ${shown(median(pairs.map(([a]) => a)), 10)}  ${shown(median(pairs.map(([, b]) => b)), 8)}  ` +
          `${median(ratios).toFixed(2)} [${ratios[0]!.toFixed(2)}–${ratios.at(-1)!.toFixed(2)}]`,
      );
    }
  }
});

async function tps(env: Record<string, string>, mode: string, clients: number, time: number): Promise<number> {
  const { stdout, stderr } = await run(
    'pgbench',
    ['-n', '-S', '-M', mode, '-c', String(clients), '-j', '2', '-T', String(time)],
    { env },
  );
  const found = /tps = ([\d.]+) \(without/.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`pgbench failed: ${stderr}`);
  return Number(found);
}
