import { readFile } from 'node:fs/promises';
import pg from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../../src/demo/postgres.ts';
import { DecodingPump } from '../../support/decoding-pump.ts';
import { postgresServers } from '../../support/postgres.ts';
import { run } from '../../support/run.ts';

const settings = ["log_statement = 'all'", "log_line_prefix = '@@'", 'log_min_messages = log'];

describe.each(postgresServers)('real programs on $name: the record is the server’s own log', ({ start }) => {
  let server: PostgresServer;
  let pump: DecodingPump;
  let logged = 0;

  beforeAll(async () => {
    server = await start({ hba: ['host all all 127.0.0.1/32 trust'], settings });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    pump = await DecodingPump.open(server.port);
  });
  afterEach(() => pump.close());

  const at = () => ({ host: '127.0.0.1', port: pump.port, user: server.user, database: server.database });
  const program = async (name: string, ...args: string[]): Promise<string> => {
    const env = { PGHOST: '127.0.0.1', PGPORT: `${pump.port}`, PGUSER: server.user, PGDATABASE: server.database };
    const { code, stdout, stderr } = await run(name, args, { env, keepBytes: 1 << 24 });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return stdout;
  };

  /** Every statement of the server's log is recorded, with its parameters; every recorded one is there, and has one outcome. */
  async function expectSameAsLog(): Promise<void> {
    const wanted = pump.ran().toSorted();
    let found: string[] = [];
    const deadline = Date.now() + 5000;
    do {
      found = statementsOf((await readFile(server.logFile!, 'utf8')).slice(logged));
      if (found.length < wanted.length) await new Promise((resolve) => setTimeout(resolve, 20));
    } while (found.length < wanted.length && Date.now() < deadline);
    logged = (await readFile(server.logFile!, 'utf8')).length;
    expect(wanted.length).toBeGreaterThan(0);
    expect(found.toSorted()).toEqual(wanted);
    for (const events of pump.streams) {
      expect(events.filter(({ kind }) => kind === 'refusal')).toEqual([]);
      const asked = events.flatMap((event, seq) => (event.kind === 'statement' && event.expectsOutcome ? [seq] : []));
      const answered = events.flatMap((event) => (event.kind === 'outcome' ? [event.of] : []));
      expect(answered.toSorted((a, b) => a - b)).toEqual(asked);
    }
  }

  it('pg: parameters, a pool, LISTEN, a cursor, a stream', async () => {
    const pool = new pg.Pool({ ...at(), max: 10 });
    await pool.query('create table if not exists t (id int, note text)');
    const ask = async (id: number) => {
      const note = id % 3 === 0 ? null : `it's ${id}`;
      const { rows } = await pool.query('insert into t values ($1, $2) returning id, note', [id, note]);
      expect(rows).toEqual([{ id, note }]);
    };
    await Promise.all(Array.from({ length: 40 }, (_value, id) => ask(id)));
    const one = await pool.connect();
    const heard = new Promise<string | undefined>((resolve) => {
      one.once('notification', ({ payload }) => resolve(payload));
    });
    await one.query('listen orders');
    await pool.query("notify orders, 'new'");
    expect(await heard).toBe('new');
    const named = { name: 'by id', text: 'select note from t where id = $1', values: [4] };
    for (let times = 0; times < 3; times++) expect((await one.query(named)).rows).toEqual([{ note: "it's 4" }]);
    const cursor = one.query(new Cursor('select generate_series(1, $1::int) as n', [5]));
    expect(await cursor.read(2)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await cursor.read(9)).toHaveLength(3);
    await cursor.close();
    const streamed: unknown[] = [];
    const stream = one.query(new QueryStream('select generate_series(1, 250) as n', [], { batchSize: 100 }));
    for await (const row of stream) streamed.push(row);
    expect(streamed).toHaveLength(250);
    one.release();
    await pool.end();
    await expectSameAsLog();
  });

  it('psql: a script, \\d, COPY both ways', async () => {
    const copy = "\\copy (select generate_series(1, 1000)) to program 'cat > /dev/null'";
    const script = ['create table if not exists c (n int)', '\\d c', copy, "\\copy c from program 'seq 1 1000'"];
    const output = await program(
      'psql',
      '-X',
      '-qAt',
      ...[...script, 'select sum(n) from c'].flatMap((one) => ['-c', one]),
    );
    expect(output.trim().split('\n').at(-1)).toBe('500500');
    await expectSameAsLog();
  });

  it('pgbench: simple, extended and prepared', async () => {
    await program('pgbench', '-i', '-q', '-I', 'dtg');
    for (const protocol of ['simple', 'extended', 'prepared']) {
      // A count of transactions, not a time: so that none is cut off in its midst.
      const output = await program('pgbench', '-n', '-S', '-c', '4', '-t', '100', '-M', protocol);
      expect(output).toContain('number of transactions actually processed: 400/400');
    }
    await expectSameAsLog();
  });

  it('pg_dump, of a server of its own version', async () => {
    const [major] = /\d+/.exec((await run('pg_dump', ['--version'])).stdout) ?? [];
    const client = new pg.Client(at());
    await client.connect();
    const { rows } = await client.query<{ v: string }>("select current_setting('server_version') as v");
    await client.end();
    if (major && Number(major) >= Number.parseInt(rows[0]!.v, 10)) {
      expect(await program('pg_dump')).toContain('COPY public.c (n) FROM stdin;');
    } else process.stderr.write('NOT CHECKED: pg_dump is older than this server\n');
    await expectSameAsLog();
  });
});

/** Texts that the log says were run, each with its parameters. */
function statementsOf(log: string): string[] {
  const found: string[] = [];
  for (const entry of log.split(/^@@/m)) {
    const [, text] = /^LOG: {2}(?:statement|execute (?:fetch from )?[^:]+): ([^]*)\n$/.exec(entry) ?? [];
    const [, parameters] = /^DETAIL: {2}parameters: ([^]*)\n$/i.exec(entry) ?? [];
    if (text !== undefined) found.push(text.replaceAll('\n\t', '\n'));
    else if (parameters !== undefined) found.push(`${found.pop()!} ⟵ ${parameters}`);
  }
  return found;
}
