// postgres.js through its features; prints what came back, one JSON line a step. Connects by libpq's environment variables.
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import postgres from 'postgres';

const show = (step, value) => process.stdout.write(`${JSON.stringify({ step, value })}\n`);
const error = (step, promise) =>
  promise.then(
    () => show(step, 'no error'),
    (failed) => show(step, [failed.code, failed.message]),
  );
const options = { onnotice: () => undefined, password: process.env.PGPASSWORD };
const sql = postgres({ ...options, max: 1 });

await values();
await prepared();
await batches();
await copies();
await transactions();
await interruptions();
await large();
await sql`drop table drv_postgres_js`;
await sql.end();

async function values() {
  const at = new Date('2024-02-29T12:30:15.250Z');
  show(
    'values',
    await sql`select ${42}::int, ${'1099511627776'}::int8, ${1.5}::float8, ${'12345.678900'}::numeric, ${true}::bool,
      ${"it's ünïcode"}::text, ${''}::text, ${null}::text, ${at}::timestamptz, ${sql.json({ a: [1, null] })}::jsonb,
      ${Buffer.from([0, 1, 255])}::bytea, ${[1, 2, 3]}::int[], ${['a', null, '', 'q"uo,te']}::text[]`,
  );
  show('simple', await sql.unsafe('select 1 as one; select 2 as two'));
  show('unsafe with parameters', await sql.unsafe('select $1::int + 1 as n', [41]));
}

async function prepared() {
  for (let number = 0; number < 8; number++) show('prepared', await sql`select ${number}::int + 1 as n`);
  await sql`deallocate all`.simple();
  show('after deallocate all', await sql`select ${8}::int + 1 as n`);
  show(
    'described',
    (await sql`select ${1}::int as a, now() as b`.describe()).columns.map(({ name }) => name),
  );
}

async function batches() {
  await sql`create table drv_postgres_js (id int primary key, note text)`;
  const added = Array.from({ length: 20 }, (_, id) => ({ id, note: id % 3 === 0 ? null : `note ${id}` }));
  show('insert', (await sql`insert into drv_postgres_js ${sql(added)}`).count);
  // Sent together on the one connection, each with its own Sync.
  const together = added.map(({ id }) => sql`select note from drv_postgres_js where id = ${id}`);
  show('pipeline', (await Promise.all(together)).flat());
  const mixed = [
    sql`select 1 as n`,
    sql`select 1 / ${0}::int`,
    sql`insert into drv_postgres_js values (${1}, 'twice')`,
    sql`select 2 as n`,
  ];
  show(
    'pipeline with errors',
    (await Promise.allSettled(mixed)).map(({ value, reason }) => value ?? reason.code),
  );
}

async function copies() {
  const lines = Array.from({ length: 2000 }, (_, n) => `${n + 1000}\trow ${n + 1000}\n`);
  await pipeline(lines, await sql`copy drv_postgres_js from stdin`.writable());
  const hash = createHash('sha256');
  // A small one: postgres.js 3.4 does not always read on after a long one, directly too.
  await pipeline(
    await sql`copy (select * from drv_postgres_js where id < 1100 order by id) to stdout`.readable(),
    hash,
  );
  show('copy', { copyBytes: lines.join('').length, digest: hash.digest('hex') });
  // No COPY that fails: postgres.js 3.4 then leaves its own connection waiting, directly too.
  show('after it', await sql`select 1 as n`);
}

async function transactions() {
  await sql.begin(async (tx) => {
    await tx`insert into drv_postgres_js values (${-1}, 'outer')`;
    await error(
      'savepoint',
      tx.savepoint(async (inner) => {
        await inner`insert into drv_postgres_js values (${-2}, 'inner')`;
        await inner`select 1 / ${0}::int`;
      }),
    );
  });
  await error(
    'rolled back',
    sql.begin(async (tx) => {
      await tx`insert into drv_postgres_js values (${-3}, 'rolled back')`;
      await tx`selec 1`;
    }),
  );
  show('committed', await sql`select id from drv_postgres_js where id < 0`);
  const sizes = [];
  await sql`select n from generate_series(1, ${100}::int) n`.cursor(30, (rows) => void sizes.push(rows.length));
  for await (const rows of sql`select n from generate_series(1, ${25}::int) n`.cursor(10)) sizes.push(rows.length);
  show('cursor', sizes);
}

async function interruptions() {
  const other = postgres({ ...options, max: 1 });
  await sql`set application_name = 'drv postgres.js sleeper'`;
  const sleeping = sql`select pg_sleep(60)`;
  const cancelled = error('cancel', sleeping);
  const asleep = () =>
    other`select 1 from pg_stat_activity where wait_event = 'PgSleep' and application_name like '%drv postgres.js sleeper'`;
  while ((await asleep()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  sleeping.cancel();
  await cancelled;
  await sql`set statement_timeout = '50ms'`;
  await error('timeout', sql`select pg_sleep(60)`);
  await sql`reset statement_timeout`;
  const heard = new Promise(
    (resolve) => void other.listen('drv_postgres_js', resolve, () => sql.notify('drv_postgres_js', 'hello')),
  );
  show('notify', await heard);
  await other.end();
}

async function large() {
  const hash = createHash('sha256');
  await sql`select n, repeat('x', 90) as x from generate_series(1, ${50_000}::int) n`.forEach(({ n, x }) =>
    hash.update(n + x),
  );
  show('large', hash.digest('hex'));
}
