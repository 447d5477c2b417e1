import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { leafHash } from '../../src/recording/merkle.ts';
import { noteHolds, parseVerifierKey } from '../../src/recording/note.ts';
import { aliceAtOrders, at } from '../support/alice.ts';
import { Cli } from '../support/cli.ts';
import { password } from '../support/identity-gateway.ts';
import { until } from '../support/until.ts';

/** An auditor's view: what a driver did through hoop, exported, verified, tampered with; by the compiled command line. */
const here = aliceAtOrders();
const folder = mkdtempSync(join(tmpdir(), 'hoop-verify-e2e-'));
let cli: Cli;
let session: string;
let file: string;

beforeAll(async () => {
  const connected = await here.stack.connect(here.alice);
  session = connected.session;
  const client = new pg.Client(at(connected));
  await client.connect();
  await client.query('select 1');
  await client.end();
  await connected.close();
  await until(async () => (await here.stack.session(here.alice, session)).state === 'sealed');
  cli = new Cli();
  const { code } = await cli.login('alice', password, ['--gateway', here.stack.gateway.url, '--token-store', 'file']);
  expect(code).toBe(0);
  file = join(folder, 'session.tar');
});
afterAll(() => {
  cli.remove();
  rmSync(folder, { recursive: true, force: true });
});

const log = async (path: string): Promise<Buffer> => {
  const answer = await fetch(`${here.stack.gateway.url}/log/${path}`);
  expect(answer.status).toBe(200);
  return Buffer.from(await answer.arrayBuffer());
};

test('the log is there for everybody, in files that other people’s tools read', async () => {
  const key = parseVerifierKey((await log('key')).toString())!;
  const { checkpoint, note } = parseCheckpoint((await log('checkpoint')).toString());
  expect(noteHolds(note, key)).toBe(true);
  const bundle = await log(`tile/entries/000.p/${checkpoint.size}`);
  expect(bundle.length).toBe(checkpoint.size * 74);
  const hashes = await log(`tile/0/000.p/${checkpoint.size}`);
  expect(leafHash(bundle.subarray(2, 74)).equals(hashes.subarray(0, 32))).toBe(true);
  expect((await log('tile/entries/000.p/1')).equals(bundle.subarray(0, 74))).toBe(true);
  for (const path of ['tile/0/001', `tile/0/000.p/${checkpoint.size + 200}`, 'tile/0/../../registry.db', 'acts/x'])
    expect((await fetch(`${here.stack.gateway.url}/log/${path}`)).status).toBe(404);
});

test('a session is verified by its id with the key that the sign-in pinned', async () => {
  const { code, stdout } = await cli.run(['verify', session.slice(0, 8)]);
  expect(stdout).toMatch(/^VALID {2}/);
  expect(code).toBe(0);
});

test('an exported file is verified offline; each change of it has its verdict and exit code', async () => {
  expect(await cli.run(['sessions', 'export', session, '--out', file])).toMatchObject({ code: 0 });
  const report = await cli.run(['verify', file, '--json']);
  expect(JSON.parse(report.stdout)).toMatchObject({ verdict: 'VALID', sessions: [{ session, verdict: 'VALID' }] });
  const bytes = readFileSync(file);
  const changed = join(folder, 'changed.tar');
  writeFileSync(changed, bytes.subarray(0, bytes.length - 2000));
  expect(await cli.run(['verify', changed])).toMatchObject({ code: 25 });
  const altered = Buffer.from(bytes);
  altered[bytes.indexOf('hooppay\n') + 60]! ^= 1;
  writeFileSync(changed, altered);
  expect(await cli.run(['verify', changed])).toMatchObject({ code: 23 });
});

test('a stranger needs the key, and can hold a checkpoint against it', async () => {
  const stranger = new Cli();
  const key = (await log('key')).toString().trim();
  const kept = join(folder, 'kept.txt');
  writeFileSync(kept, await log('checkpoint'));
  expect(await stranger.run(['verify', file])).toMatchObject({ code: 22 });
  expect(await stranger.run(['verify', file, '--key', key])).toMatchObject({ code: 0 });
  const { code, stdout } = await stranger.run(['verify', file, '--key', key, '--checkpoint', kept]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^VALID/)]);
  stranger.remove();
});

test('a checkpoint that was kept ties a later export to it, when it was asked for', async () => {
  const kept = join(folder, 'older.txt');
  writeFileSync(kept, await log('checkpoint'));
  const before = parseCheckpoint(readFileSync(kept, 'utf8')).checkpoint.size;
  const other = await here.stack.connect(here.alice);
  await until(async () => parseCheckpoint((await log('checkpoint')).toString()).checkpoint.size > before);
  await other.close();
  const later = join(folder, 'later.tar');
  expect(await cli.run(['sessions', 'export', session, '--out', later])).toMatchObject({ code: 0 });
  expect(await cli.run(['verify', later, '--checkpoint', kept])).toMatchObject({ code: 30 });
  rmSync(later);
  expect(await cli.run(['sessions', 'export', session, '--out', later, '--checkpoint', kept])).toMatchObject({
    code: 0,
  });
  expect(await cli.run(['verify', later, '--checkpoint', kept])).toMatchObject({ code: 0 });
});

test('a session that runs is exported as far as the log has it, and that can be verified', async () => {
  const connected = await here.stack.connect(here.alice);
  const client = new pg.Client(at(connected));
  await client.connect();
  await client.query("select 'so far'");
  const running = join(folder, 'running.tar');
  expect(await cli.run(['sessions', 'export', connected.session, '--out', running])).toMatchObject({ code: 0 });
  const report = JSON.parse((await cli.run(['verify', running, '--json'])).stdout) as {
    verdict: string;
    sessions: { entries: number; anchored: number }[];
  };
  expect(report).toMatchObject({ verdict: 'VALID_OPEN', sessions: [{ session: connected.session }] });
  expect(report.sessions[0]!.anchored).toBe(report.sessions[0]!.entries - 1);
  await client.query("select 'and on'");
  await client.end();
  await connected.close();
  // What it said stays true, and the whole recording begins with it.
  expect(await cli.run(['verify', running])).toMatchObject({ code: 0 });
  expect(await cli.run(['verify', connected.session])).toMatchObject({ code: 0 });
  expect(readdirSync(join(here.stack.dataDir, 'exporting'))).toEqual([]);
});

test('the data directory of a gateway that runs is verified as it stands', async () => {
  const connected = await here.stack.connect(here.alice);
  const { code, stdout } = await cli.run(['verify', here.stack.dataDir, '--json']);
  const report = JSON.parse(stdout) as { verdict: string; sessions: { session: string; verdict: string }[] };
  expect([code, report.verdict]).toEqual([0, 'VALID_OPEN']);
  expect(report.sessions.find((one) => one.session === session)?.verdict).toBe('VALID');
  await connected.close();
});

test('an auditor who reads or exports somebody else’s recording leaves an act in the log', async () => {
  await here.stack.addUser('audit', 'auditor');
  const auditor = new Cli();
  await auditor.login('audit', password, ['--gateway', here.stack.gateway.url, '--token-store', 'file']);
  expect(await auditor.run(['sessions', 'export', session, '--out', join(folder, 'audit.tar')])).toMatchObject({
    code: 0,
  });
  const acts = join(here.stack.dataDir, 'acts');
  const words = readdirSync(acts).map((name) => JSON.parse(readFileSync(join(acts, name), 'utf8')) as object);
  expect(words).toContainEqual(expect.objectContaining({ act: 'recording-exported', by: 'audit' }));
  auditor.remove();
});
