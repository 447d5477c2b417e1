import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { parseCheckpoint } from '../recording/checkpoint.ts';
import { exportNames, formatConsistency, proofName, rolloverNames } from '../recording/export-format.ts';
import { consistencyProof, inclusionProof } from '../recording/merkle.ts';
import { parseSessionId } from '../recording/session-id.ts';
import { tarEnd, tarHeader, tarPadding } from '../recording/tar.ts';
import { formatTlogProof, parseTlogProof } from '../recording/tlog-proof.ts';
import { UserError } from '../shared/errors.ts';
import { Archive } from '../store/archive.ts';
import type { TransparencyLog } from './log.ts';

export interface ExportRequest {
  dataDir: string;
  id: string;
  log: TransparencyLog;
  heldSize: number | undefined;
  /** A checkpoint over at least so many leaves; absent: the last one. */
  checkpointOver?: (size: number) => Promise<string>;
}

/**
 * One file that a stranger can verify: checkpoint, key, proofs, and the two files of the recording, byte for byte. Of a recording that
 * was removed, the proof that it was.
 */
export async function exportSession(request: ExportRequest): Promise<AsyncIterable<Uint8Array>> {
  const { dataDir, id, log } = request;
  const recording = await new Archive(dataDir).find(id);
  const isRemoved = log.sessions.get(Buffer.from(parseSessionId(id)!))?.removed !== undefined;
  if (!recording && !isRemoved) throw stillRuns(id);
  await log.checkpoint(); // the end of a session that has only just ended
  const texts = await textsOf(request);
  return (async function* () {
    for (const [name, text] of texts) {
      const bytes = Buffer.from(text);
      yield Buffer.concat([tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]);
    }
    if (recording) {
      yield* fileOf(exportNames.chain, `${recording.path}.chain`);
      yield* fileOf(exportNames.payload, `${recording.path}.payload`);
    }
    yield tarEnd;
  })();
}

async function* fileOf(name: string, path: string): AsyncGenerator<Uint8Array> {
  const { size } = await stat(path);
  yield tarHeader(name, size);
  yield* createReadStream(path) as AsyncIterable<Uint8Array>;
  yield tarPadding(size);
}

async function textsOf({ id, log, heldSize, checkpointOver }: ExportRequest): Promise<[name: string, text: string][]> {
  const places = leavesAbout(log, id).filter((place) => place < log.signedSize);
  const least = Math.max((places.at(-1) ?? 0) + 1, heldSize ?? 0);
  const checkpoint = await log.signedNow((await checkpointOver?.(least)) ?? (await log.checkpointNow)!);
  const { size } = parseCheckpoint(checkpoint).checkpoint;
  const texts: [string, string][] = [
    [exportNames.checkpoint, checkpoint],
    [exportNames.key, `${log.verifierKey}\n`],
  ];
  texts.push(...(await keysOf(log, size)));
  if (heldSize !== undefined && heldSize > 0 && heldSize < size) {
    const proof = await consistencyProof(heldSize, size, log.store.readHash);
    texts.push([exportNames.consistency, formatConsistency(heldSize, proof)]);
  }
  for (const index of places) {
    const hashes = (await inclusionProof(index, size, log.store.readHash)).map((hash) => Buffer.from(hash));
    texts.push([proofName(index), formatTlogProof({ extra: await log.store.leaf(index), index, hashes, checkpoint })]);
  }
  return texts;
}

/** How one key of the log was followed by the next, as far as that checkpoint reaches. */
async function keysOf(log: TransparencyLog, size: number): Promise<[name: string, text: string][]> {
  const texts: [string, string][] = [];
  for (const [place, rollover] of (await log.rollovers()).entries()) {
    const before = parseCheckpoint(parseTlogProof(rollover).checkpoint).checkpoint.size;
    if (before > size) break;
    const names = rolloverNames(place + 1);
    const proof = before < size ? await consistencyProof(before, size, log.store.readHash) : [];
    texts.push([names.proof, rollover], [names.consistency, formatConsistency(before, proof)]);
  }
  return texts;
}

/** OPEN, the end or the last HEAD, what was erased: the other HEADs say nothing more. */
function leavesAbout(log: TransparencyLog, id: string): number[] {
  const places = log.sessions.get(Buffer.from(parseSessionId(id)!));
  if (!places) return [];
  const { open, end, lastHead, erased, removed } = places;
  return [open, end ?? lastHead, ...erased, removed].filter((place) => place !== undefined).toSorted((a, b) => a - b);
}

const stillRuns = (id: string): UserError =>
  new UserError('HOOP_USAGE', `session ${id} still runs, and only what is sealed can be exported`, {
    next: 'export it when it has ended; `hoop verify` on the gateway’s data directory takes live sessions too',
  });
