import type { FileHandle } from 'node:fs/promises';
import type { Checkpoint } from '../recording/checkpoint.ts';
import { decodeLeaf } from '../recording/leaf.ts';
import { consistencyHolds, inclusionHolds, leafHash } from '../recording/merkle.ts';
import { exportNames, parseConsistency } from '../recording/export-format.ts';
import { addReceipts, type Receipt } from '../recording/receipts.ts';
import type { Rollover } from '../recording/rollover.ts';
import { formatVerifierKey, noteHolds, parseVerifierKey, type Note, type VerifierKey } from '../recording/note.ts';
import type { PositionalReader } from '../recording/sealed-reader.ts';
import { preambleBytes } from '../recording/sealed-format.ts';
import { formatSessionId } from '../recording/session-id.ts';
import { readTar, type TarMember } from '../recording/tar.ts';
import { parseTlogProof } from '../recording/tlog-proof.ts';
import type { Verdict } from '../recording/verdicts.ts';
import { judgeCheckpoint, type Trust } from '../recording/verify-checkpoint.ts';
import { reportOf, type VerifyReport } from '../recording/verify-report.ts';
import {
  cosignedSizes,
  withoutCosignature,
  withWitness,
  type Cosigned,
  type PlacedLeaf,
} from '../recording/verify-witness.ts';
import { strictEntries } from '../recording/verify-sealed.ts';
import { CutOff, verifySession } from '../recording/verify-session.ts';
import { openReader } from './positional-file.ts';

/** Verifies what `hoop sessions export` wrote. */
export async function verifyExport(path: string, trust: Trust): Promise<VerifyReport> {
  const opened: FileHandle[] = [];
  try {
    return await judged(await openReader(path, opened), trust);
  } catch (error) {
    if (error instanceof CutOff) return reportOf([{ verdict: 'TRUNCATED', why: error.message }], []);
    if (error instanceof RangeError) return reportOf([{ verdict: 'ALTERED', why: error.message }], []);
    throw error;
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}

async function judged(file: PositionalReader, trust: Trust): Promise<VerifyReport> {
  const members = await readTar(file);
  const texts = new Map<string, string>();
  for (const { name, reader } of members) if (!isRecording(name)) texts.set(name, await textOf(name, reader));
  const text = texts.get(exportNames.checkpoint) ?? '';
  const own = [...texts].filter(([name]) => name.startsWith(exportNames.keys)).map(([, proof]) => proof);
  const judgement = judgeCheckpoint(text, trust, own);
  if (!judgement) return reportOf([{ verdict: 'UNPINNED', why: 'it has no checkpoint that can be read' }], []);
  const { checkpoint, note, found, rollovers, receipts } = judgement;
  const leaves: PlacedLeaf[] = [];
  found.push(...ownKey(texts, note), ...tiedToHeld(texts, checkpoint, trust));
  found.push(...tiedToKeys(texts, checkpoint, rollovers));
  const proofs = [...texts.keys()].filter((name) => name.startsWith(exportNames.proofs)).toSorted(); // by index
  for (const name of proofs) {
    const leaf = provenLeaf(texts.get(name)!, text, checkpoint);
    if (leaf) leaves.push(leaf);
    else found.push({ verdict: 'UNLOGGED', why: `${name} does not prove its leaf` });
  }
  const seen = tiedToSeen(texts, checkpoint, trust);
  found.push(...seen.found);
  const sizes = cosignedSizes([{ checkpoint, note }, ...(trust.held ? [trust.held] : []), ...seen.cosigned], trust);
  found.push(...withoutCosignature(sizes, trust));
  found.push(...againstReceipts(receipts, checkpoint));
  const session = await verifiedRecording(members, leaves, {
    trust,
    sizes,
    origin: checkpoint.origin,
    receipts: receipts.filter(({ index }) => index < checkpoint.size),
  });
  return reportOf(found, session, { log: { origin: checkpoint.origin, size: checkpoint.size } });
}

const isRecording = (name: string): boolean => name === exportNames.chain || name === exportNames.payload;

/** Keys, checkpoints and proofs are small. */
const textBytesMax = 64 * 1024;

async function textOf(name: string, { size, read }: PositionalReader): Promise<string> {
  if (size > textBytesMax) throw new RangeError(`${name} has ${size} bytes`);
  return Buffer.from(await read(0, size)).toString('utf8');
}

/** The key inside proves nothing; it must at least be the one that signed. */
function ownKey(texts: Map<string, string>, note: Note): Verdict[] {
  const text = texts.get(exportNames.key) ?? '';
  const key = parseVerifierKey(text);
  const isAsWritten = key && text === `${formatVerifierKey(key)}\n`;
  return isAsWritten && noteHolds(note, key)
    ? []
    : [{ verdict: 'UNPINNED', why: 'the key inside is not the one that signed' }];
}

/** A receipt is about another tree of the same size. */
const againstReceipts = (receipts: readonly Receipt[], { size, root }: Checkpoint): Verdict[] =>
  receipts
    .filter(({ signed }) => signed.checkpoint.size === size && !signed.checkpoint.root.equals(root))
    .map(() => ({ verdict: 'FORK', at: size, why: 'a receipt was signed over another log' }));

function tiedToHeld(texts: Map<string, string>, checkpoint: Checkpoint, { held, isFresh }: Trust): Verdict[] {
  if (!held) return [];
  const { size, root } = held.checkpoint;
  if (size > checkpoint.size && isFresh)
    return [
      { verdict: 'LOG_ROLLBACK', at: checkpoint.size, why: `${size} leaves were signed, ${checkpoint.size} are there` },
    ];
  if (size > checkpoint.size)
    return [{ verdict: 'STALE', at: checkpoint.size, why: `you hold a checkpoint of size ${size}, this one is older` }];
  const proof = size === checkpoint.size ? [] : parseConsistency(texts.get(exportNames.consistency) ?? '', size);
  if (!proof)
    return [
      {
        verdict: 'STALE',
        at: size,
        why: 'it has no proof from the checkpoint that you hold: export it with --checkpoint',
      },
    ];
  const isTied = consistencyHolds({
    before: size,
    size: checkpoint.size,
    proof,
    rootBefore: root,
    root: checkpoint.root,
  });
  return isTied ? [] : [{ verdict: 'FORK', at: size, why: 'the log does not begin with the checkpoint that you hold' }];
}

/** The checkpoints with which old keys made way for new ones are in this log too. */
function tiedToKeys(texts: Map<string, string>, checkpoint: Checkpoint, rollovers: readonly Rollover[]): Verdict[] {
  const own = [...texts].filter(([name]) => name.startsWith(exportNames.keys)).map(([, text]) => text);
  const { size, root } = checkpoint;
  return rollovers.flatMap((rollover): Verdict[] => {
    const { size: before, root: rootBefore } = rollover.checkpoint;
    const isTied = (text: string): boolean => {
      const proof = parseConsistency(text, before);
      return proof !== undefined && consistencyHolds({ before, size, proof, rootBefore, root });
    };
    if (before > size || (before === size && root.equals(rootBefore)) || own.some(isTied)) return [];
    return [{ verdict: 'FORK', at: before, why: 'the log does not begin with what an earlier key has signed' }];
  });
}

/** What the agent has cosigned, by its own list, is in this log too; only where the file has a proof from there is that known. */
function tiedToSeen(
  texts: Map<string, string>,
  checkpoint: Checkpoint,
  { seen }: Trust,
): { found: Verdict[]; cosigned: Cosigned[] } {
  if (!seen?.checkpoint) return { found: [], cosigned: [] };
  const { size: before, root: rootBefore } = seen.checkpoint.checkpoint;
  const { size, root } = checkpoint;
  const proof = before === size ? [] : parseConsistency(texts.get(exportNames.consistency) ?? '', before);
  if (!proof || before > size) return { found: [], cosigned: [] };
  if (consistencyHolds({ before, size, proof, rootBefore, root }))
    return { found: [], cosigned: [{ ...seen.checkpoint, by: seen.keys }] };
  const why = 'the log does not begin with what the agent has cosigned';
  return { found: [{ verdict: 'FORK', at: before, why }], cosigned: [] };
}

function provenLeaf(proof: string, text: string, { size, root }: Checkpoint): PlacedLeaf | undefined {
  try {
    const { extra, index, hashes, checkpoint } = parseTlogProof(proof);
    const isProven = inclusionHolds({ leaf: leafHash(extra), index, size, root, proof: hashes });
    return isProven && checkpoint === text ? { index, leaf: decodeLeaf(extra) } : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

interface Judging {
  trust: Trust;
  sizes: ReadonlyMap<VerifierKey, number>;
  origin: string;
  receipts: readonly Receipt[];
}

async function verifiedRecording(
  members: TarMember[],
  placed: PlacedLeaf[],
  { trust, sizes, origin, receipts }: Judging,
): Promise<VerifyReport['sessions']> {
  const leaves = placed.map(({ leaf }) => leaf);
  const chain = members.find(({ name }) => name === exportNames.chain)?.reader;
  const payload = members.find(({ name }) => name === exportNames.payload)?.reader;
  const removed = leaves.find(({ kind }) => kind === 'removed');
  const idBytes = chain && chain.size >= preambleBytes ? Buffer.from(await chain.read(16, 16)) : leaves[0]?.subject;
  if (!idBytes) throw new RangeError('there is no recording in the file');
  const session = formatSessionId(idBytes);
  if (!chain || !payload) {
    const none = { entries: 0, erased: [], session };
    if (removed) return [{ ...none, verdict: 'REMOVED', why: 'the log says that it was removed' }];
    return [{ ...none, verdict: 'MISSING_SESSION', why: 'there is no recording in the file' }];
  }
  const about = placed.filter(({ leaf }) => leaf.subject.equals(idBytes));
  const found = await verifySession({
    idBytes,
    entries: strictEntries({ chain, payload }),
    leaves: addReceipts(
      about.map(({ leaf }) => leaf),
      receipts,
      idBytes,
    ),
    seen: trust.seen?.heads.get(session),
  });
  return [{ ...withWitness(found, { trust, sizes, origin, leaves: about, youngerMicros: Infinity }), session }];
}
