import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cosigner } from '../../src/agent/cosigner.ts';
import { loadAgentKey } from '../../src/agent/key.ts';
import { gatewayLogKey } from '../../src/gateway/log-key.ts';
import { checkpointText } from '../../src/recording/checkpoint.ts';
import { consistencyProof, leafHash, treeRoot, type ReadHash } from '../../src/recording/merkle.ts';
import { completeRoot } from '../../src/recording/merkle-tiles.ts';
import { cosignedAt, formatNote, formatVerifierKey, parseSignature, signNote } from '../../src/recording/note.ts';
import { agentWitnessKey } from '../../src/recording/witness-key.ts';
import type { WitnessCheckpoint } from '../../src/shared/witness-messages.ts';
import { newLogKey, startLoggedRecorder } from '../support/log.ts';

/** A gateway's log in the hands of whoever has its key: what an agent cosigns, and what it does not. */
class ShownLog {
  readonly key = newLogKey();
  readonly verifierKey = formatVerifierKey(gatewayLogKey(this.key));
  readonly leaves: Buffer[];

  constructor(leaves: Buffer[]) {
    this.leaves = leaves;
  }

  #read: ReadHash = async (level, index) =>
    completeRoot(this.leaves.slice(index * 2 ** level, (index + 1) * 2 ** level).map(leafHash));

  async offer(before: number, size: number, { key = this.key } = {}): Promise<WitnessCheckpoint> {
    const { name: origin } = gatewayLogKey(this.key);
    const text = checkpointText({ origin, size, root: Buffer.from(await treeRoot(size, this.#read)) });
    const note = formatNote({ text, signatures: [signNote(text, origin, key)] });
    const proof = before < size ? await consistencyProof(before, size, this.#read) : [];
    return { kind: 'checkpoint', note, before, proof: proof.map((hash) => Buffer.from(hash).toString('base64')) };
  }
}

const leaves = (count: number, word = 'leaf'): Buffer[] =>
  Array.from({ length: count }, (_, at) => Buffer.from(`${word} ${at}`));

let folder: string;
let said: string[];
let shown: ShownLog;
let cosigner: Cosigner;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-cosigner-'));
  said = [];
  shown = new ShownLog(leaves(20));
  cosigner = await opened();
  await cosigner.pin(shown.verifierKey);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function opened(): Promise<Cosigner> {
  const write = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  return Cosigner.open(folder, await loadAgentKey(folder), { info: write, warn: write, error: write });
}

async function cosigns(offer: WitnessCheckpoint): Promise<boolean> {
  const answer = await cosigner.answer(offer);
  if (answer.kind !== 'cosigned') return false;
  const text = offer.note.slice(0, offer.note.indexOf('\n\n') + 1);
  const key = agentWitnessKey(Buffer.from((await loadAgentKey(folder)).publicKey, 'base64url'));
  const seconds = cosignedAt({ text, signatures: [parseSignature(answer.signature.trimEnd())] }, key);
  return seconds !== undefined && Math.abs(seconds - Date.now() / 1000) < 60;
}

const verdictOf = async (offer: WitnessCheckpoint) => {
  const answer = await cosigner.answer(offer);
  return answer.kind === 'declined' ? answer.verdict : undefined;
};

test('a log that grows is cosigned, at every size and from every size, also after a restart', async () => {
  let before = 0;
  for (const size of [1, 2, 3, 7, 8, 13, 20]) {
    expect(await cosigns(await shown.offer(before, size))).toBe(true);
    before = size;
    cosigner = await opened();
    expect(cosigner.size).toBe(size);
  }
  expect(await cosigns(await shown.offer(20, 20))).toBe(true); // the same again
});

test('it is on disk before anybody has the cosignature', async () => {
  const offer = await shown.offer(0, 8);
  await cosigner.answer(offer);
  expect(JSON.parse(readFileSync(join(folder, 'witnessed-log.json'), 'utf8'))).toEqual({
    key: shown.verifierKey,
    checkpoint: offer.note,
  });
});

test('a log that is shorter than what was cosigned is not', async () => {
  await cosigner.answer(await shown.offer(0, 12));
  expect(await verdictOf(await shown.offer(12, 11))).toBe('LOG_ROLLBACK');
  expect(await verdictOf(await shown.offer(0, 11))).toBe('LOG_ROLLBACK');
  expect(said.filter((line) => line.startsWith('ALARM'))).toHaveLength(2);
  expect(await cosigns(await shown.offer(12, 13))).toBe(true); // the right one again
});

test('another log of the same key is not, whatever proof comes with it', async () => {
  await cosigner.answer(await shown.offer(0, 12));
  const other = new ShownLog(leaves(20, 'other'));
  Object.assign(other, { key: shown.key });
  for (const before of [0, 4, 12]) expect(await verdictOf(await other.offer(before, 20))).toBe('FORK');
  expect(await verdictOf(await other.offer(12, 12))).toBe('FORK');
  const { proof } = await shown.offer(12, 20);
  expect(await verdictOf({ ...(await other.offer(12, 20)), proof })).toBe('FORK');
});

test('what another key signed is not, nor what is no checkpoint, and the pinned key stays', async () => {
  expect(await verdictOf(await shown.offer(0, 4, { key: newLogKey() }))).toBe('UNPINNED');
  expect(await verdictOf({ kind: 'checkpoint', note: 'hello', before: 0, proof: [] })).toBe('UNPINNED');
  await cosigner.pin(formatVerifierKey(gatewayLogKey(newLogKey())));
  expect(await cosigns(await shown.offer(0, 4))).toBe(true);
});

test('nothing is cosigned before a key was pinned', async () => {
  rmSync(join(folder, 'witnessed-log.json'));
  cosigner = await opened();
  expect(await verdictOf(await shown.offer(0, 4))).toBe('UNPINNED');
});

test('a memory that cannot be read is not taken for none', async () => {
  for (const text of ['', '{}', '{"key":"k","checkpoint":"cut of']) {
    writeFileSync(join(folder, 'witnessed-log.json'), text);
    await expect(opened()).rejects.toMatchObject({ code: 'HOOP_CONFIG' });
  }
});

test('where it cannot be remembered, it is not signed', async () => {
  await cosigner.answer(await shown.offer(0, 4));
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'in its way');
  await expect(cosigner.answer(await shown.offer(4, 8))).rejects.toThrow(/EEXIST|ENOTDIR/);
  expect(cosigner.size).toBe(4);
});

test('a gateway that shows entries for a minute, and no checkpoint, is said to; one that offers them is not', async () => {
  const alarms = () => said.filter((line) => line.startsWith('ALARM'));
  cosigner.linked();
  for (let millis = 0; millis < 59_000; millis += 1000) cosigner.sawEntries(millis);
  await cosigner.answer(await shown.offer(0, 4));
  for (let millis = 59_000; millis < 118_000; millis += 1000) cosigner.sawEntries(millis);
  expect(alarms()).toEqual([]);
  for (let millis = 118_000; millis < 300_000; millis += 1000) cosigner.sawEntries(millis);
  expect(alarms()).toEqual([expect.stringContaining('offers no checkpoint')]);
});

test('a key that the pinned one has signed over to is taken, another one is not', async () => {
  const logged = await startLoggedRecorder();
  rmSync(join(folder, 'witnessed-log.json'));
  cosigner = await opened();
  await cosigner.pin(logged.log.verifierKey);
  const offer = async (before: number): Promise<WitnessCheckpoint> => {
    const note = (await logged.log.checkpointNow)!;
    const proof = before === 0 ? [] : await consistencyProof(before, logged.log.signedSize, logged.log.store.readHash);
    const rollovers = await logged.log.rollovers();
    return {
      kind: 'checkpoint',
      note,
      before,
      proof: proof.map((hash) => Buffer.from(hash).toString('base64')),
      rollovers,
    };
  };
  expect(await cosigns(await offer(0))).toBe(true);
  await logged.log.rollOver(logged.log.prepareKey());
  const rolled = await offer(cosigner.size);
  expect(await verdictOf({ ...rolled, rollovers: [] })).toBe('UNPINNED');
  expect(await cosigns(rolled)).toBe(true);
  await logged.remove();
});
