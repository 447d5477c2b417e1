import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { parseCheckpoint } from '../recording/checkpoint.ts';
import { exportNames, formatConsistency, proofName, rolloverNames } from '../recording/export-format.ts';
import { decodeLeaf } from '../recording/leaf.ts';
import { consistencyProof, inclusionProof } from '../recording/merkle.ts';
import { parseSessionId } from '../recording/session-id.ts';
import { tarEnd, tarHeader, tarPadding } from '../recording/tar.ts';
import { formatTlogProof, parseTlogProof } from '../recording/tlog-proof.ts';
import { Archive } from '../store/archive.ts';
import { writeSoFar } from '../store/recording-so-far.ts';
import type { TransparencyLog } from './log.ts';

export interface ExportRequest {
  dataDir: string;
  id: string;
  log: TransparencyLog;
  heldSize: number | undefined;
  /** A session's entries, those that are durable by now; asked for one that runs. */
  read: (id: string) => Promise<{ idBytes: Uint8Array; entries: AsyncIterable<Uint8Array> }>;
  /** A checkpoint over at least so many leaves; absent: the last one. */
  checkpointOver?: (size: number) => Promise<string>;
}

/**
 * One file that a stranger can verify: checkpoint, key, proofs, and the two files of the recording, byte for byte. Of a session that runs,
 * what is anchored by now; of a recording that was removed, the proof that it was.
 */
export async function exportSession(request: ExportRequest): Promise<AsyncIterable<Uint8Array>> {
  const { dataDir, id, log } = request;
  await log.checkpoint(); // the end of a session that has only just ended, the last entry of one that runs
  const places = leavesAbout(log, id);
  const recording = await new Archive(dataDir).find(id);
  const isRemoved = log.sessions.get(Buffer.from(parseSessionId(id)!))?.removed !== undefined;
  const running = recording || isRemoved ? undefined : await request.read(id);
  const texts = await textsOf(request, places);
  return (async function* () {
    for (const [name, text] of texts) {
      const bytes = Buffer.from(text);
      yield Buffer.concat([tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]);
    }
    if (recording) yield* filesOf(recording.path);
    if (running) yield* filesSoFar(dataDir, { ...running, through: await lastAnchored(log, places) });
    yield tarEnd;
  })();
}

async function* filesOf(path: string): AsyncGenerator<Uint8Array> {
  yield* fileOf(exportNames.chain, `${path}.chain`);
  yield* fileOf(exportNames.payload, `${path}.payload`);
}

/** They are made when somebody reads them, and gone when nobody does any more. */
async function* filesSoFar(dataDir: string, session: Parameters<typeof writeSoFar>[1]): AsyncGenerator<Uint8Array> {
  const { path, remove } = await writeSoFar(dataDir, session);
  try {
    yield* filesOf(path);
  } finally {
    await remove();
  }
}

/** The entry that the last leaf about the session names: what came after it cannot be proven yet. */
async function lastAnchored({ store }: TransparencyLog, places: readonly number[]): Promise<number> {
  const last = places.at(-1);
  if (last === undefined) return 0;
  const { kind, number } = decodeLeaf(await store.leaf(last));
  return kind === 'open' ? 0 : number;
}

async function* fileOf(name: string, path: string): AsyncGenerator<Uint8Array> {
  const { size } = await stat(path);
  yield tarHeader(name, size);
  yield* createReadStream(path) as AsyncIterable<Uint8Array>;
  yield tarPadding(size);
}

async function textsOf(
  { log, heldSize, checkpointOver }: ExportRequest,
  places: readonly number[],
): Promise<[name: string, text: string][]> {
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

/** OPEN, the end or the last HEAD, what was erased, as far as it is signed: the other HEADs say nothing more. */
function leavesAbout(log: TransparencyLog, id: string): number[] {
  const places = log.sessions.get(Buffer.from(parseSessionId(id)!));
  if (!places) return [];
  const { open, end, lastHead, erased, removed } = places;
  return [open, end ?? lastHead, ...erased, removed]
    .filter((place) => place !== undefined && place < log.signedSize)
    .toSorted((a, b) => a! - b!) as number[];
}
