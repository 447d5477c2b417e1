import { Readable } from 'node:stream';
import pg from 'pg';
import Cursor from 'pg-cursor';
import { describe, expect, test } from 'vitest';
import { postgresServers } from '../support/postgres.ts';
import { run } from '../support/run.ts';
import type { Connected } from '../support/stack.ts';
import { aliceAtOrders, at, libpqEnvironment } from '../support/alice.ts';

const copyBytes = 100 * 1024 * 1024;

describe.each(postgresServers)('real clients through hoop to $name', ({ start }) => {
  const here = aliceAtOrders(start);

  /** Runs with a session of its own; gives what the record says of it. */
  const recorded = async (act: (connected: Connected) => Promise<void>) => {
    const connected = await here.stack.connect(here.alice);
    const { session } = connected;
    await act(connected);
    await connected.idle();
    await connected.close();
    return here.stack.statements(here.alice, session);
  };

  test('psql: a script with every kind of statement gives what it gives directly', async () => {
    const script = `
      \\set ON_ERROR_STOP 0
      create table psql_t (id int, t text);
      insert into psql_t select g, 'row ' || g from generate_series(1, 5) g; select count(*) from psql_t;
      begin; savepoint a; select 1/0; rollback to a; update psql_t set t = null where id = 2; commit;
      select * from psql_t order by id;
      \\copy psql_t to stdout
      \\d psql_t
      prepare p as select $1::int + 1; execute p(41); deallocate p;
      drop table psql_t;
    `;
    const args = ['-X', '-q', '-v', 'VERBOSITY=terse'];
    const direct = await run('psql', args, { env: libpqEnvironment(here.server), input: script });
    let through = direct;
    const statements = await recorded(async (connected) => {
      through = await run('psql', args, {
        env: { ...libpqEnvironment(connected), PGREQUIREAUTH: 'scram-sha-256' },
        input: script,
      });
    });
    // Generated constraint names and OIDs aside there is nothing here that differs between two runs.
    expect({ ...through, stdout: through.stdout }).toEqual(direct);
    const texts = statements.map(({ text }) => text);
    expect(texts).toContain("insert into psql_t select g, 'row ' || g from generate_series(1, 5) g;");
    expect(texts).toContain('COPY  psql_t TO STDOUT ');
    expect(statements.find(({ text }) => text === 'select 1/0;')?.outcome).toMatchObject({
      status: 'error',
      errorCode: '22012',
    });
    expect(statements.every(({ outcome }) => outcome !== null && outcome.status !== 'unknown')).toBe(true);
  });

  test('pg: a pool of ten, each statement once, each with its parameters and its stream', async () => {
    const statements = await recorded(async (connected) => {
      const pool = new pg.Pool({ ...at(connected), max: 10 });
      const answers = await Promise.all(
        Array.from(
          { length: 200 },
          async (_, n) =>
            (await pool.query('select $1::int * 2 as twice, pg_sleep(0.001)', [n])).rows[0].twice as number,
        ),
      );
      expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => n * 2));
      await pool.end();
    });
    const asked = statements.filter(({ verb }) => verb === 'execute');
    expect(asked).toHaveLength(200);
    expect(asked.map(({ parameters }) => parameters[0]?.shown).toSorted()).toEqual(
      Array.from({ length: 200 }, (_, n) => `'${n}'`).toSorted(),
    );
    expect(new Set(asked.map(({ stream }) => stream)).size).toBe(10);
    expect(asked.every(({ outcome }) => outcome?.status === 'ok' && outcome.rows === 1)).toBe(true);
  });

  test('pg: named statements, LISTEN/NOTIFY, a cursor', async () => {
    const statements = await recorded(async (connected) => {
      const client = new pg.Client(at(connected));
      await client.connect();
      const notified = new Promise((resolve) =>
        client.once('notification', ({ channel, payload }) => resolve(`${channel} ${payload}`)),
      );
      await client.query('listen news');
      await client.query("notify news, 'hello'");
      expect(await notified).toBe('news hello');
      for (const n of [1, 2]) {
        expect((await client.query({ name: 'plus', text: 'select $1::int + 1 as n', values: [n] })).rows).toEqual([
          { n: n + 1 },
        ]);
      }
      const cursor = client.query(new Cursor('select * from generate_series(1, $1::int) n', [25]));
      const sizes = [];
      for (let rows = await cursor.read(10); rows.length > 0; rows = await cursor.read(10)) sizes.push(rows.length);
      expect(sizes).toEqual([10, 10, 5]);
      await cursor.close();
      await client.end();
    });
    const shown = statements.map(({ text, parameters, outcome }) => [
      text,
      parameters.map((p) => p.shown).join(),
      outcome?.status,
    ]);
    expect(shown).toContainEqual(['select $1::int + 1 as n', "'1'", 'ok']);
    expect(shown).toContainEqual(['select $1::int + 1 as n', "'2'", 'ok']);
    const fetched = statements.filter(({ text }) => text?.includes('generate_series(1, $1'));
    expect(fetched.map(({ outcome, rowLimit }) => [outcome?.status, outcome?.rows, rowLimit])).toEqual(
      [
        ['suspended', 10, 10],
        ['suspended', 10, 10],
        ['ok', 5, 10],
        ['ok', 0, 10],
      ].slice(0, fetched.length),
    );
    expect(fetched.length).toBeGreaterThanOrEqual(3);
  });

  test.each(['simple', 'extended', 'prepared'])(
    'pgbench -S -M %s with 8 clients: every transaction is recorded',
    async (mode) => {
      await run('pgbench', ['-i', '-q', '-s', '1', '--no-vacuum'], { env: libpqEnvironment(here.server) });
      let transactions = 0;
      const statements = await recorded(async (connected) => {
        const ran = await run('pgbench', ['-n', '-S', '-M', mode, '-c', '8', '-j', '2', '-t', '50'], {
          env: libpqEnvironment(connected),
        });
        expect(ran.stderr).not.toMatch(/error|aborted/i);
        transactions = Number(/processed: (\d+)/.exec(ran.stdout)?.[1]);
      });
      expect(transactions).toBe(400);
      const selects = statements.filter(
        ({ text, verb }) => text?.startsWith('SELECT abalance') && (verb === 'query' || verb === 'execute'),
      );
      expect(selects).toHaveLength(400);
      expect(selects.every(({ outcome }) => outcome?.status === 'ok' && outcome.rows === 1)).toBe(true);
      if (mode !== 'simple')
        expect(selects.every(({ parameters }) => /^'\d+'$/.test(parameters[0]?.shown ?? ''))).toBe(true);
    },
  );

  test('COPY of 100 MB in and out: the bytes arrive, and what was sent is in the record', async () => {
    const line = `${'x'.repeat(1023)}\n`;
    const count = copyBytes / line.length;
    const block = line.repeat(256);
    let digest = '';
    const statements = await recorded(async (connected) => {
      const env = libpqEnvironment(connected);
      await run('psql', ['-X', '-c', 'create unlogged table big (t text)'], { env });
      const input = Readable.from(
        (function* () {
          for (let n = 0; n < count / 256; n++) yield block;
        })(),
      );
      const copied = await run('psql', ['-X', '-c', 'copy big from stdin'], { env, input });
      expect([copied.code, copied.stdout.trim(), copied.stderr]).toEqual([0, `COPY ${count}`, '']);
      const out = await run('psql', ['-X', '-c', 'copy big to stdout'], { env, keepBytes: 1024 });
      expect(out.stdoutBytes).toBe(copyBytes);
      digest = out.stdoutSha256;
    });
    const direct = await run('psql', ['-X', '-c', 'copy big to stdout'], {
      env: libpqEnvironment(here.server),
      keepBytes: 1024,
    });
    expect(digest).toBe(direct.stdoutSha256);
    const into = statements.find(({ text }) => text === 'copy big from stdin');
    expect(into?.outcome).toMatchObject({ status: 'ok', tag: `COPY ${count}` });
    expect(into?.dataBytes).toBeGreaterThanOrEqual(copyBytes);
    expect(statements.find(({ text }) => text === 'copy big to stdout')?.outcome?.resultBytes).toBeGreaterThanOrEqual(
      copyBytes,
    );
    await run('psql', ['-X', '-c', 'drop table big'], { env: libpqEnvironment(here.server) });
  }, 120_000);

  test('pg_dump gives the same dump as directly', async () => {
    const versionOf = /\d+/.exec((await run('pg_dump', ['--version'])).stdout)?.[0];
    const serverVersion = (
      await run('psql', ['-XAtc', 'show server_version_num'], { env: libpqEnvironment(here.server) })
    ).stdout.slice(0, 2);
    const args = Number(versionOf) < Number(serverVersion) ? ['--schema-only'] : [];
    const direct = await run('pg_dump', args, { env: libpqEnvironment(here.server), keepBytes: 1 << 28 });
    let through = direct;
    const statements = await recorded(async (connected) => {
      through = await run('pg_dump', args, { env: libpqEnvironment(connected), keepBytes: 1 << 28 });
    });
    // PostgreSQL 17 and later put a random key into a dump's \restrict line.
    const plain = (text: string) => text.replaceAll(/^\\(un)?restrict .*$/gm, '');
    expect([through.code, plain(through.stdout)]).toEqual([direct.code, plain(direct.stdout)]);
    if (direct.code === 0) expect(statements.length).toBeGreaterThan(20);
    else expect(through.stderr.replace(/port \d+/, '')).toBe(direct.stderr.replace(/port \d+/, ''));
  });
});
