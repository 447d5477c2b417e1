import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportSession } from '../../src/gateway/log-export.ts';
import { readTar, tarEnd, tarHeader, tarPadding } from '../../src/recording/tar.ts';
import { verdicts, type VerdictName } from '../../src/recording/verdicts.ts';
import type { Trust } from '../../src/recording/verify-checkpoint.ts';
import { verifyExport } from '../../src/store/verify-export.ts';
import { startLoggedRecorder, type LoggedRecorder } from '../support/log.ts';
import { sessionFacts } from '../support/recorder.ts';
import { python, secondVerdicts } from '../support/second-verifier.ts';

/** An export of a log with three keys, for somebody who trusts the first, and what can be done to its proofs of that. */
const stride = Number(process.env['HOOP_PROVE_STRIDE'] ?? 7);
const folder = mkdtempSync(join(tmpdir(), 'hoop-rollover-export-'));
let trust: Trust;
let latest: Trust;
let members: [name: string, bytes: Buffer][];
let forged: [name: string, bytes: Buffer][];

beforeAll(async () => {
  const logged = await startLoggedRecorder({ dataDir: join(folder, 'data') });
  trust = { keys: [logged.log.key], witnesses: [] };
  const id = await record(logged);
  for (let round = 0; round < 2; round++) {
    await logged.log.rollOver(logged.log.prepareKey());
    await record(logged);
  }
  latest = { keys: [logged.log.key], witnesses: [] };
  members = await exported(logged, id);
  const other = await startLoggedRecorder({ dataDir: join(folder, 'other') });
  const otherId = await record(other);
  await other.log.rollOver(other.log.prepareKey());
  forged = await exported(other, otherId);
  for (const each of [logged, other]) {
    await each.log.close();
    await each.recorder.close();
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function record(logged: LoggedRecorder): Promise<string> {
  const session = logged.recorder.recorder.openSession(sessionFacts());
  await session.seal('client_closed');
  await logged.log.checkpoint();
  return session.id;
}

async function exported({ dataDir, log, read }: LoggedRecorder, id: string): Promise<[string, Buffer][]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of await exportSession({ dataDir, id, log, heldSize: undefined, read })) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const found = await readTar({ size: bytes.length, read: async (at, count) => bytes.subarray(at, at + count) });
  return Promise.all(
    found.map(async ({ name, reader }): Promise<[string, Buffer]> => [
      name,
      Buffer.from(await reader.read(0, reader.size)),
    ]),
  );
}

/** Both verifiers say the same of each. */
async function judged(mutants: [string, Buffer][][], given: Trust = trust): Promise<VerdictName[]> {
  const paths = mutants.map((files, place) => {
    const path = join(folder, `${place}.tar`);
    const parts = files.map(([name, bytes]) => [tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]);
    writeFileSync(path, Buffer.concat([...parts.flat(), tarEnd]));
    return path;
  });
  const found: VerdictName[] = [];
  for (const path of paths) found.push((await verifyExport(path, given)).verdict);
  const second = await secondVerdicts(paths, given);
  if (python) expect(second).toEqual(found);
  return found;
}

const keyMembers = () => members.filter(([name]) => name.startsWith('keys/')).map(([name]) => name);
const changed = (which: string, change: (bytes: Buffer) => Buffer): [string, Buffer][] =>
  members.map(([name, bytes]) => [name, name === which ? change(bytes) : bytes]);

it('is valid for whoever trusts the first key or the last', async () => {
  expect(keyMembers()).toEqual([
    'keys/0001.tlog-proof',
    'keys/0001.consistency',
    'keys/0002.tlog-proof',
    'keys/0002.consistency',
  ]);
  expect(await judged([members])).toEqual(['VALID']);
  expect(await judged([members], latest)).toEqual(['VALID']);
});

it('is found out where a byte of its proofs was changed, or one was taken away, swapped or brought along', async () => {
  const mutants: [string, Buffer][][] = [];
  for (const name of keyMembers()) {
    const { length } = members.find(([each]) => each === name)![1];
    for (let at = 0; at < length; at += stride) {
      mutants.push(
        changed(name, (bytes) => {
          const copy = Buffer.from(bytes);
          copy[at]! ^= 1;
          return copy;
        }),
      );
    }
    mutants.push(members.filter(([each]) => each !== name));
    mutants.push(changed(name, () => forged.find(([each]) => each.startsWith('keys/0001.tlog'))![1]));
  }
  const isSound = (verdict: VerdictName): boolean => verdicts[verdict].exit === 0;
  expect((await judged(mutants)).filter(isSound)).toEqual([]);
});

it('does not care in which order its proofs stand, or for those of other logs beside them', async () => {
  const swap: Record<string, string> = { 'keys/0001.tlog-proof': 'keys/0002.tlog-proof' };
  const contents = new Map(members);
  const swapped = members.map(([name, bytes]): [string, Buffer] => [name, contents.get(swap[name] ?? '') ?? bytes]);
  const back = swapped.map(([name, bytes]): [string, Buffer] =>
    name === 'keys/0002.tlog-proof' ? [name, contents.get('keys/0001.tlog-proof')!] : [name, bytes],
  );
  const strange = forged.filter(([name]) => name === 'keys/0001.tlog-proof').map(([, bytes]) => bytes);
  const more = members.flatMap((member): [string, Buffer][] =>
    member[0] === 'key' ? [member, ['keys/0003.tlog-proof', strange[0]!]] : [member],
  );
  expect(await judged([back, more])).toEqual(['VALID', 'VALID']);
});
