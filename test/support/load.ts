import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const script = fileURLToPath(new URL('../fixtures/load/pipeline.sql', import.meta.url));

export interface Load {
  /** Statements of the driver that were answered so far. */
  answered: string[];
  /** Resolves when both programs have seen the connection end (or have stopped). */
  ended: Promise<void>;
  stop(): void;
}

/** What clients do all day: pgbench with pipelines of parameterised statements, and a driver, until the connection ends. */
export function startLoad(environment: Record<string, string>, name: string): Load {
  const env = { ...process.env, ...environment, PGAPPNAME: name };
  const args = ['-n', '-M', 'extended', '-c', '3', '-j', '1', '-T', '120', '-f', script];
  const pgbench = spawn('pgbench', args, { env, stdio: 'ignore' });
  const gone = new Promise<void>((resolve) => pgbench.once('close', () => resolve()));
  const answered: string[] = [];
  let stopped = false;
  const drive = async () => {
    const client = new pg.Client({ ...at(environment), application_name: name });
    client.on('error', () => undefined);
    try {
      await client.connect();
      for (let number = 0; !stopped; number++) {
        await client.query('select $1::int, $2::text', [number, `it's ${number} of ${name}`]);
        answered.push(`select $1::int, $2::text | $1 = '${number}', $2 = 'it''s ${number} of ${name}'`);
      }
    } catch {
      // The connection ended: that is what the load is for.
    }
    await client.end().catch(() => undefined);
  };
  return {
    answered,
    ended: Promise.all([gone, drive()]).then(() => undefined),
    stop() {
      stopped = true;
      pgbench.kill('SIGTERM');
    },
  };
}

/** For the driver: what `hoop connect` gives programs. */
export const at = (environment: Record<string, string>) => ({
  host: environment['PGHOST']!,
  port: Number(environment['PGPORT']),
  user: environment['PGUSER']!,
  password: environment['PGPASSWORD']!,
  database: environment['PGDATABASE']!,
});
