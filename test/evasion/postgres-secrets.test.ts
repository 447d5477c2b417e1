import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import type { Statement } from '../../src/shared/api.ts';
import { startStack, type Connected, type Stack } from '../support/stack.ts';
import type { SignedIn } from '../support/identity-gateway.ts';
import { postgresServers } from '../support/postgres.ts';
import { run } from '../support/run.ts';
import { until } from '../support/until.ts';

/** Every file below, as bytes; compressed ones as what they hold too. The gateway goes on with its log: looks again where a file was renamed meanwhile. */
function everythingIn(folder: string): Buffer {
  for (;;) {
    try {
      return allFilesIn(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

function allFilesIn(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const contents = files.flatMap(({ parentPath, name }) => {
    const bytes = readFileSync(join(parentPath, name));
    const isRecording = name.endsWith('.payload') || name.endsWith('.chain');
    if (!isRecording) return [bytes];
    const index = Number(bytes.readBigUInt64BE(bytes.length - 80)); // docs/recording-format.md: the footer begins with it
    return [bytes, gunzipSync(bytes.subarray(32, index))];
  });
  return Buffer.concat(contents);
}

/** Says what it did and goes on: many of these fail at the server, which is part of the test. */
const attempt = (client: pg.Client, text: string, values?: unknown[]) =>
  client.query(values ? { text, values } : text).catch((error: Error) => error);

describe.each(postgresServers)('secrets stay out of the record, before $name', ({ start }) => {
  let postgres: PostgresServer;
  let stack: Stack;
  let alice: SignedIn;
  let connected: Connected;
  let client: pg.Client;
  const secrets: string[] = [];
  /** A new one, remembered: no byte of it may be found anywhere in the end. */
  const secret = (): string => {
    const made = `tOpS3cr3t${secrets.length}zq`;
    secrets.push(made);
    return made;
  };
  /** The last statement, once its outcome is durable (a client has the answer before that). */
  const last = async (): Promise<Statement> => {
    let statement: Statement | undefined;
    await until(async () => {
      statement = (await stack.statements(alice, connected.session)).at(-1);
      return statement?.outcome !== null;
    });
    return statement!;
  };

  beforeAll(async () => {
    postgres = await start();
    stack = await startStack({ postgres });
    await stack.addUser('alice');
    alice = await stack.signIn('alice');
    connected = await stack.connect(alice);
    const { port, user, password, database } = connected;
    client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
    await client.connect();
    await client.query('CREATE EXTENSION pgcrypto; CREATE EXTENSION dblink');
  }, 60_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await postgres?.stop();
  });

  test('a role’s password: the server has it, the record has its place', async () => {
    const password = secret();
    await client.query(`CREATE ROLE bob LOGIN PASSWORD '${password}'`);
    const direct = new pg.Client({
      host: '127.0.0.1',
      port: postgres.port,
      user: 'bob',
      password,
      database: 'postgres',
    });
    await direct.connect();
    await direct.end();
    const { text, redactions, outcome } = await last();
    expect(text).toMatch(/^CREATE ROLE bob LOGIN PASSWORD '\[withheld sha256:[0-9a-f]{64}\]'$/);
    expect(redactions).toEqual(['password']);
    expect(outcome).toMatchObject({ status: 'ok', tag: 'CREATE ROLE' });
  });

  test('a password in a text that is wrong elsewhere: the server’s error quotes it, the record does not', async () => {
    const password = secret();
    const error = await attempt(client, `ALTER ROLE bob PASSWORD "${password}"`);
    expect((error as Error).message).toContain(password);
    const { text, redactions, outcome } = await last();
    expect(text).toMatch(/^\[withheld sha256:/);
    expect(redactions).toEqual(['unreadable-text']);
    expect(outcome).toMatchObject({ status: 'error', errorCode: '42601' });
  });

  test('a password as a parameter, which drivers send and no server takes', async () => {
    await attempt(client, 'ALTER ROLE bob PASSWORD $1', [secret()]);
    await attempt(client, 'CREATE USER MAPPING FOR bob SERVER s OPTIONS (password $1)', [secret()]);
    expect((await last()).outcome).toMatchObject({ status: 'skipped' });
  });

  test('in every form of a literal, between comments, in other encodings', async () => {
    const [plain, escaped, dollar, unicode, latin1] = [secret(), secret(), secret(), secret(), secret()];
    await client.query(`ALTER ROLE bob PASSWORD /* 'x' */ '${plain}'\n '${plain}'`);
    await client.query(`ALTER ROLE bob PASSWORD E'${escaped}\\n'`);
    await client.query(`ALTER ROLE bob -- é\n PASSWORD $é$${dollar}$é$`);
    await client.query(`ALTER ROLE bob PASSWORD U&'${unicode}!0041' UESCAPE '!'`);
    await client.query('SET client_encoding = LATIN1');
    await attempt(client, `ALTER ROLE bob PASSWORD 'é${latin1}'`);
    expect((await last()).text).toMatch(/^ALTER ROLE bob PASSWORD '\[withheld/);
    await client.query('SET client_encoding = SJIS');
    await attempt(client, `ALTER ROLE bob PASSWORD 'é${secret()}'`);
    expect((await last()).text).toMatch(/^\[withheld/);
    await client.query('RESET client_encoding');
    await client.query('SET standard_conforming_strings = off');
    await attempt(client, `ALTER ROLE bob PASSWORD 'a\\'${secret()}'`);
    await client.query('RESET standard_conforming_strings');
  });

  test('inside of DO, functions, EXECUTE and PREPARE', async () => {
    await client.query(`DO $$ BEGIN ALTER ROLE bob PASSWORD '${secret()}'; END $$`);
    await client.query(`DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', 'bob', '${secret()}'); END $$`);
    await client.query(`DO 'BEGIN EXECUTE ''ALTER ROLE bob PASSWORD '' || quote_literal(''${secret()}''); END'`);
    await client.query(
      `CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE bob PASSWORD '${secret()}'; END $$`,
    );
    await client.query('PREPARE p AS SELECT crypt($1, $2)');
    await client.query(`EXECUTE p('${secret()}', gen_salt('md5'))`);
    expect((await last()).text).toMatch(/^EXECUTE p\('\[withheld sha256:.*\]', gen_salt\('md5'\)\)$/);
  });

  test('connection strings', async () => {
    await attempt(client, `SELECT dblink_connect('host=127.0.0.1 port=1 user=u password=${secret()}')`);
    await attempt(client, 'SELECT dblink_connect($1)', [`postgresql://u:${secret()}@127.0.0.1:1/d`]);
    await attempt(
      client,
      `CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 password=${secret()}' PUBLICATION p`,
    );
    await attempt(client, `ALTER SYSTEM SET primary_conninfo = 'host=h password=${secret()}'`);
    await client.query('CREATE FOREIGN DATA WRAPPER w; CREATE SERVER srv FOREIGN DATA WRAPPER w');
    await client.query(`CREATE USER MAPPING FOR bob SERVER srv OPTIONS (user 'u', password '${secret()}')`);
    await client.query(`ALTER SERVER srv OPTIONS (ADD api_key '${secret()}')`);
    expect((await last()).text).toMatch(/^ALTER SERVER srv OPTIONS \(ADD api_key '\[withheld/);
  });

  test('keys of pgcrypto, as literals, as parameters, and where EXPLAIN would show them', async () => {
    await client
      .query(`SELECT pgp_sym_decrypt(pgp_sym_encrypt('plain', '${secret()}'), 'other')`)
      .catch(() => undefined);
    const key = secret();
    const { rows } = await client.query({
      name: 'named',
      text: 'SELECT pgp_sym_decrypt(pgp_sym_encrypt($1, $2), $2) AS shown',
      values: ['plain', key],
    });
    expect(rows).toEqual([{ shown: 'plain' }]);
    const { parameters, redactions } = await last();
    expect(parameters.map(({ shown }) => shown.replace(/[0-9a-f]{64}/, '…'))).toEqual([
      "'plain'",
      "'[withheld sha256:…]'",
    ]);
    expect(redactions).toEqual(['$2 pgcrypto-key']);
    await client.query(`EXPLAIN VERBOSE SELECT crypt('${secret()}', t) FROM (SELECT now()::text AS t) AS s`);
    expect((await last()).outcome).not.toHaveProperty('resultSha256');
  });

  test('what a pipeline skips after an error', async () => {
    const broken = client.query('SELECT 1 / 0').catch(() => undefined);
    const skipped = attempt(client, 'SELECT crypt($1, $2)', [secret(), 'salt']);
    await Promise.all([broken, skipped]);
    expect((await last()).redactions).toEqual(['$1 pgcrypto-key']);
  });

  test('\\password of psql', async () => {
    const { port, user, password, database } = connected;
    const typed = secret();
    const { stderr } = await run('psql', ['-X', '-h', '127.0.0.1', '-p', String(port), '-U', user, '-d', database], {
      env: { PGPASSWORD: password },
      input: `\\password bob\n${typed}\n${typed}\n`,
    });
    expect(stderr).toContain('Enter');
    const { text } = await last();
    expect(text).toMatch(/^ALTER USER "?bob"? PASSWORD '\[withheld sha256:/);
    secrets.push('SCRAM-SHA-256$');
  });

  test('are nowhere: not in the journal, the sealed recording, the catalog, the gateway’s log', async () => {
    await client.end();
    const before = everythingIn(stack.dataDir);
    for (const word of secrets) expect(before.includes(word), word).toBe(false);
    await connected.close();
    await stack.restartGateway();
    expect(await stack.session(alice, connected.session)).toMatchObject({ state: 'sealed' });
    const after = everythingIn(stack.dataDir);
    expect(after.includes('ALTER ROLE bob')).toBe(true);
    for (const word of secrets) expect(after.includes(word), word).toBe(false);
    expect(stack.logs.join('\n')).not.toMatch(new RegExp(secrets.slice(0, -1).join('|')));
  });
});
