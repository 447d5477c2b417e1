import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { formatVerifierKey, noteHolds, parseVerifierKey } from '../../src/recording/note.ts';
import { parseTlogProof } from '../../src/recording/tlog-proof.ts';
import { deployedBeforePostgres } from '../support/deployed.ts';
import type { Ready, Role } from '../support/deployment.ts';
import { until } from '../support/until.ts';

/** What a developer’s machine holds of its own sessions, with all roles as processes that can be killed. */
const deployment = await deployedBeforePostgres();

interface Witnesses {
  witnesses: { cosigned: number; declined?: string }[];
}

const folder = () => join(deployment.alice.configDir, 'receipts');
const pathOf = (session: string, what: string) => join(folder(), `${session}.${what}`);
const has = (session: string) =>
  ['open.tlog-proof', 'end.tlog-proof', 'awaited'].map((what) => existsSync(pathOf(session, what)));
const receipt = (session: string, kind: 'open' | 'end') =>
  parseTlogProof(readFileSync(pathOf(session, `${kind}.tlog-proof`), 'utf8'));
const logKey = async () => parseVerifierKey(await (await fetch(`${deployment.url}/log/key`)).text())!;

async function query({ environment }: Ready): Promise<void> {
  const client = new pg.Client({
    host: environment['PGHOST']!,
    port: Number(environment['PGPORT']),
    user: environment['PGUSER']!,
    password: environment['PGPASSWORD']!,
    database: environment['PGDATABASE']!,
  });
  await client.connect();
  await client.query('select 1');
  await client.end();
}

async function end(role: Role): Promise<void> {
  role.signal('SIGTERM');
  await role.ended;
}

/** Until the agent has come back to it. */
async function restartGateway(): Promise<void> {
  const from = deployment.agent.stderr.length;
  await deployment.startGateway();
  await deployment.agent.says(/linked/, { from, seconds: 40 });
}

/** A session from its beginning to its end. */
async function work(): Promise<string> {
  const { role, ready } = await deployment.connect();
  await query(ready);
  await end(role);
  return ready.session;
}

/** On a machine that is slower than the command's patience the receipt of an end comes with a later session. */
async function whenKept(session: string): Promise<void> {
  await until(async () => {
    if (!has(session)[1]) await work();
    return has(session)[1]!;
  });
}

test('the beginning of a session has its receipt a moment later, its end when the command ends', async () => {
  const { role, ready } = await deployment.connect();
  await query(ready); // nothing waits for a receipt
  await until(() => has(ready.session)[0]!);
  expect(has(ready.session)).toEqual([true, false, true]);
  expect(statSync(pathOf(ready.session, 'open.tlog-proof')).mode & 0o777).toBe(0o600);
  expect(statSync(folder()).mode & 0o777).toBe(0o700);
  await end(role);
  await whenKept(ready.session);
  expect(has(ready.session)).toEqual([true, true, false]);
  const key = await logKey();
  for (const kind of ['open', 'end'] as const) {
    const { checkpoint } = receipt(ready.session, kind);
    expect(noteHolds(parseCheckpoint(checkpoint).note, key)).toBe(true);
  }
});

test('a receipt that did not come, because the gateway was killed, comes with the next session', async () => {
  const { role, ready } = await deployment.connect();
  await query(ready);
  await deployment.gateway.kill();
  await role.kill();
  expect(has(ready.session)[1]).toBe(false);
  await restartGateway();
  const next = await work();
  for (const session of [ready.session, next]) await whenKept(session);
  for (const session of [ready.session, next]) expect(has(session)).toEqual([true, true, false]);
});

test('a client goes on with a new key of the log that the old one has signed, and its receipts with it', async () => {
  const old = await logKey();
  const earlier = await work();
  const file = join(deployment.folder, 'earlier.tar');
  expect(await deployment.alice.run(['sessions', 'export', earlier, '--out', file])).toMatchObject({ code: 0 });
  const { stdout } = await deployment.run(['gateway', 'rotate-key', '--json']);
  const { before, key } = JSON.parse(stdout) as { before: string; key: string };
  expect(before).toBe(formatVerifierKey(old));
  expect(key).toBe(formatVerifierKey(await logKey()));
  const later = await work();
  await whenKept(later);
  expect(noteHolds(parseCheckpoint(receipt(later, 'end').checkpoint).note, await logKey())).toBe(true);
  for (const target of [earlier, later, file, deployment.dataDir])
    expect(await deployment.alice.run(['verify', target])).toMatchObject({ code: 0 });
  const exported = join(deployment.folder, 'later.tar');
  expect(await deployment.alice.run(['sessions', 'export', earlier, '--out', exported])).toMatchObject({ code: 0 });
  for (const trusted of [before, key])
    expect(await deployment.alice.run(['verify', exported, '--key', trusted])).toMatchObject({ code: 0 });
  expect(await deployment.alice.run(['verify', file, '--key', before])).toMatchObject({ code: 0 });
  // The agent goes on cosigning: it follows the same proof.
  await until(async () => {
    const { witnesses } = (await (await fetch(`${deployment.url}/log/witnesses`)).json()) as Witnesses;
    const { size } = parseCheckpoint(await (await fetch(`${deployment.url}/log/checkpoint`)).text()).checkpoint;
    return witnesses.length === 1 && witnesses[0]!.declined === undefined && witnesses[0]!.cosigned === size;
  });
  // The act is in the log, in words beside it.
  const acts = readdirSync(join(deployment.dataDir, 'acts')).map((name) =>
    readFileSync(join(deployment.dataDir, 'acts', name), 'utf8'),
  );
  expect(acts.filter((act) => act.includes('log-key-replaced'))).toEqual([expect.stringContaining(key)]);
});

test('a data directory that was put back from an old copy is found out by the receipts', async () => {
  const before = await work();
  await deployment.gateway.kill('SIGTERM');
  const copy = join(deployment.folder, 'copy');
  cpSync(deployment.dataDir, copy, { recursive: true });
  await restartGateway();
  const session = await work();
  await whenKept(session);
  // What the agent says of a log that was put back are leaves too: they must not make it as long again before the client has asked.
  for (let count = 0; count < 3; count++) await work();
  await whenKept(await work());
  await deployment.gateway.kill('SIGTERM');
  expect(await deployment.alice.run(['verify', deployment.dataDir])).toMatchObject({ code: 0 });
  rmSync(deployment.dataDir, { recursive: true });
  cpSync(copy, deployment.dataDir, { recursive: true });
  const verify = async () => {
    const { stdout, code } = await deployment.alice.run(['verify', deployment.dataDir, '--json']);
    const report = JSON.parse(stdout) as { verdict: string; sessions: { session: string; verdict: string }[] };
    return [code, report.verdict, report.sessions.find((one) => one.session === session)?.verdict];
  };
  expect(await verify()).toEqual([29, 'LOG_ROLLBACK', 'MISSING_SESSION']);
  // The gateway goes on from there. At first its log is shorter than what was signed.
  await restartGateway();
  expect(await deployment.alice.run(['verify', before])).toMatchObject({ code: 29 });
  // Then the log is as long again, and is another one.
  const { role, ready } = await deployment.connect();
  await query(ready);
  await role.says(/log is shorter than a receipt/);
  await end(role);
  const said = role.stderr.split('\n').filter((line) => line.startsWith('The gateway'));
  expect(said).toEqual([...new Set(said)]); // once, however often it is asked for
  let seen = await verify();
  while (seen[1] === 'LOG_ROLLBACK') {
    await work();
    seen = await verify();
  }
  expect(seen).toEqual([26, 'FORK', 'MISSING_SESSION']);
  const asked = await deployment.alice.run(['verify', session, '--json']);
  expect(JSON.parse(asked.stdout)).toMatchObject({ sessions: [{ session, verdict: 'MISSING_SESSION' }] });
}, 120_000);
