import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportSession } from '../../src/gateway/log-export.ts';
import { receiptsOf } from '../../src/gateway/log-receipts.ts';
import { decodeLeaf } from '../../src/recording/leaf.ts';
import { readReceipt } from '../../src/recording/receipts.ts';
import { readTar, tarEnd, tarHeader, tarPadding } from '../../src/recording/tar.ts';
import { formatTlogProof, parseTlogProof } from '../../src/recording/tlog-proof.ts';
import type { Trust } from '../../src/recording/verify-checkpoint.ts';
import type { VerifyReport } from '../../src/recording/verify-report.ts';
import { verifyDataDir } from '../../src/store/verify-directory.ts';
import { verifyExport } from '../../src/store/verify-export.ts';
import { memoryKeys, startLoggedRecorder, type LoggedRecorder } from '../support/log.ts';
import { sessionFacts } from '../support/recorder.ts';
import { python, secondVerdict } from '../support/second-verifier.ts';

/** A gateway whose data directory was copied when it had one session; then came another one, of which somebody holds the receipts. */
const folder = mkdtempSync(join(tmpdir(), 'hoop-receipts-'));
const keys = memoryKeys();
let trust: Trust;
let session: string;
let receipts: { open: string; end: string };
let beforeEnd: string;

beforeAll(async () => {
  const logged = await startLoggedRecorder({ dataDir: join(folder, 'whole'), keys });
  trust = { keys: [logged.log.key], witnesses: [] };
  await record(logged);
  await logged.log.close();
  await logged.recorder.close();
  cpSync(logged.dataDir, join(folder, 'old'), { recursive: true });
  const again = await startLoggedRecorder({ dataDir: logged.dataDir, keys });
  const { id, seal } = await begin(again);
  session = id;
  expect(await receiptsOf(again.log, id, true)).toMatchObject({ open: expect.any(String), end: null });
  beforeEnd = await exported(again, 'before-end');
  await seal();
  const given = await receiptsOf(again.log, id, false);
  receipts = { open: given.open!, end: given.end! };
  await again.log.close();
  await again.recorder.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function begin(logged: LoggedRecorder): Promise<{ id: string; seal: () => Promise<void> }> {
  const recording = logged.recorder.recorder.openSession(sessionFacts());
  const stream = recording.stream(1);
  stream.append({ kind: 'state', name: 'search_path', value: 'public' });
  await recording.durable();
  return { id: recording.id, seal: () => recording.seal('client_closed') };
}

async function record(logged: LoggedRecorder): Promise<void> {
  const { seal } = await begin(logged);
  await seal();
  await logged.log.checkpoint();
}

async function exported({ dataDir, log, read }: LoggedRecorder, name: string): Promise<string> {
  const path = join(folder, `${name}.tar`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of await exportSession({ dataDir, id: session, log, heldSize: undefined, read }))
    chunks.push(chunk);
  writeFileSync(path, Buffer.concat(chunks));
  return path;
}

/** Both verifiers say the same; the first one’s report. */
async function judged(target: string, given: Partial<Trust> = {}): Promise<VerifyReport> {
  const trusted = { ...trust, receipts: Object.values(receipts), ...given };
  const report = await (target.endsWith('.tar') ? verifyExport : verifyDataDir)(target, trusted);
  if (python) expect(await secondVerdict(target, trusted)).toBe(report.verdict);
  return report;
}

it('a receipt proves its leaf under a checkpoint of the key, and nothing else does', () => {
  const [key] = trust.keys;
  const ring = [{ key: key!, retiredAt: undefined }];
  expect(readReceipt(receipts.open, ring)?.leaf).toMatchObject({ kind: 'open', number: 2 });
  expect(readReceipt(receipts.end, ring)?.leaf).toMatchObject({ kind: 'close' });
  const parsed = parseTlogProof(receipts.end);
  const leaf = Buffer.from(parsed.extra);
  leaf[39]! ^= 1;
  for (const wrong of ['', formatTlogProof({ ...parsed, extra: leaf }), formatTlogProof({ ...parsed, index: 1 })])
    expect(readReceipt(wrong, ring)).toBeUndefined();
  expect(readReceipt(receipts.end, [{ key: key!, retiredAt: 1 }])).toBeUndefined();
  expect(readReceipt(receipts.end, [])).toBeUndefined();
});

it('what the log has is as valid with receipts as without', async () => {
  expect(await judged(join(folder, 'whole'))).toMatchObject({ verdict: 'VALID' });
});

it('a data directory that was put back from an old copy is found out, and which session it lacks', async () => {
  const report = await judged(join(folder, 'old'));
  expect(report.verdict).toBe('LOG_ROLLBACK');
  expect(report.sessions.find((one) => one.session === session)).toMatchObject({ verdict: 'MISSING_SESSION' });
  expect((await judged(join(folder, 'old'), { receipts: [] })).verdict).toBe('VALID');
});

it('a gateway that goes on from an old copy writes another log: the receipts show it', async () => {
  const dataDir = join(folder, 'gone-on');
  cpSync(join(folder, 'old'), dataDir, { recursive: true });
  const forked = await startLoggedRecorder({ dataDir, keys: memoryKeys(keys.gateway) });
  for (let more = 0; more < 2; more++) await record(forked);
  await forked.log.close();
  await forked.recorder.close();
  const report = await judged(dataDir);
  expect(report.verdict).toBe('FORK');
  expect(report.sessions.find((one) => one.session === session)).toMatchObject({ verdict: 'MISSING_SESSION' });
});

it('a recording that was taken away with its log is a missing session; one that is there without is truncated or found', async () => {
  const dataDir = join(folder, 'no-recording');
  cpSync(join(folder, 'whole'), dataDir, { recursive: true });
  rmSync(join(dataDir, 'recordings'), { recursive: true });
  mkdirSync(join(dataDir, 'recordings'));
  expect(await judged(dataDir)).toMatchObject({ verdict: 'MISSING_SESSION' });
  // The log of the old copy, and all recordings: the receipts still say what has to be there.
  const mixed = join(folder, 'mixed');
  cpSync(join(folder, 'whole'), mixed, { recursive: true });
  rmSync(join(mixed, 'log'), { recursive: true });
  cpSync(join(folder, 'old/log'), join(mixed, 'log'), { recursive: true });
  const report = await judged(mixed);
  expect(report.verdict).toBe('LOG_ROLLBACK');
  expect(report.sessions.find((one) => one.session === session)).toMatchObject({ verdict: 'VALID' });
});

it('an export from before the end is what it was; one that leaves the end out is found to be cut', async () => {
  expect(await judged(beforeEnd)).toMatchObject({ verdict: 'VALID_OPEN' });
  expect(await judged(beforeEnd, { receipts: [] })).toMatchObject({
    verdict: 'VALID_OPEN',
    sessions: [{ anchored: 2 }],
  });
  const whole = await startLoggedRecorder({ dataDir: join(folder, 'whole'), keys });
  const file = await exported(whole, 'whole');
  await whole.log.close();
  await whole.recorder.close();
  expect(await judged(file)).toMatchObject({ verdict: 'VALID' });
  // The end is left out, leaf and entries: nothing inside of the file says so.
  const cut = join(folder, 'cut.tar');
  const isOpen = ([name, bytes]: [string, Buffer]) =>
    !name.startsWith('proofs/') || decodeLeaf(parseTlogProof(bytes.toString()).extra).kind === 'open';
  const isRecording = ([name]: [string, Buffer]) => name.startsWith('recording.');
  const log = (await membersOf(file)).filter((member) => !isRecording(member) && isOpen(member));
  const parts = [...log, ...(await membersOf(beforeEnd)).filter(isRecording)];
  const tar = parts.map(([name, bytes]) =>
    Buffer.concat([tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]),
  );
  writeFileSync(cut, Buffer.concat([...tar, tarEnd]));
  expect(await judged(cut, { receipts: [] })).toMatchObject({ verdict: 'VALID_OPEN' });
  expect(await judged(cut)).toMatchObject({ verdict: 'TRUNCATED' });
});

async function membersOf(path: string): Promise<[string, Buffer][]> {
  const bytes = readFileSync(path);
  const reader = { size: bytes.length, read: async (at: number, length: number) => bytes.subarray(at, at + length) };
  const members = await readTar(reader);
  return Promise.all(
    members.map(async ({ name, reader: member }): Promise<[string, Buffer]> => [
      name,
      Buffer.from(await member.read(0, member.size)),
    ]),
  );
}
