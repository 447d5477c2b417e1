import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gzipSync, inflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportSession } from '../../src/gateway/log-export.ts';
import { checkpointText, parseCheckpoint } from '../../src/recording/checkpoint.ts';
import { exportNames, proofName } from '../../src/recording/export-format.ts';
import { encodeLeaf, type Leaf, type LeafKind } from '../../src/recording/leaf.ts';
import { inclusionProof, leafHash, type ReadHash } from '../../src/recording/merkle.ts';
import { completeRoot, TileTree } from '../../src/recording/merkle-tiles.ts';
import { formatTlogProof, parseTlogProof } from '../../src/recording/tlog-proof.ts';
import { SessionChain } from '../../src/recording/chain.ts';
import { decodeEntry, entryHash, headerBytes } from '../../src/recording/entry-codec.ts';
import {
  formatNote,
  formatVerifierKey,
  keyTypes,
  publicKeyOf,
  signNote,
  verifierKey,
} from '../../src/recording/note.ts';
import { encodeFooter, encodeIndex, encodePreamble, type SealedKind } from '../../src/recording/sealed-format.ts';
import { readTar, tarEnd, tarHeader, tarPadding, type TarMember } from '../../src/recording/tar.ts';
import { verdicts, type VerdictName } from '../../src/recording/verdicts.ts';
import type { Trust } from '../../src/recording/verify-checkpoint.ts';
import { Archive } from '../../src/store/archive.ts';
import { verifyExport } from '../../src/store/verify-export.ts';
import { newLogKey, startLoggedRecorder } from '../support/log.ts';
import { sessionFacts } from '../support/recorder.ts';
import { python, secondVerdicts } from '../support/second-verifier.ts';
import { proofSeed, seededRandom } from '../proofs/random.ts';

/**
 * One exported session, and everything that can be done to it. Of what a tar file fills with zeros every 7th byte is tried, and the second
 * verifier sees every 7th mutant; `HOOP_PROVE_STRIDE=1` tries all, on both.
 */
const stride = Number(process.env['HOOP_PROVE_STRIDE'] ?? 7);
/** Changes by chance; of these the second verifier always sees every 7th. */
const chances = Number(process.env['HOOP_PROVE_MUTANTS'] ?? 15_000);
const seed = proofSeed();
const folder = mkdtempSync(join(tmpdir(), 'hoop-tamper-'));
const key = newLogKey();
let trust: Trust;
let original: Buffer;
let members: [name: string, bytes: Buffer][];
let entries: Buffer[];
/** Of the log, before and after the exported session. */
const kept: Record<'early' | 'late', NonNullable<Trust['held']>> = {} as never;
let early: Buffer;

beforeAll(async () => {
  const logged = await startLoggedRecorder({ dataDir: join(folder, 'data'), key });
  trust = { keys: [logged.log.key], witnesses: [] };
  const session = logged.recorder.recorder.openSession(sessionFacts());
  const stream = session.stream(1);
  await session.durable();
  await logged.log.checkpoint();
  kept.early = parseCheckpoint((await logged.signed()).text);
  for (const value of ['public', 'other']) stream.append({ kind: 'state', name: 'search_path', value });
  await session.seal('client_closed');
  const { dataDir, log, read } = logged;
  const exported = async (heldSize?: number) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of await exportSession({ dataDir, id: session.id, log, heldSize, read })) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  early = await exported();
  const after = logged.recorder.recorder.openSession(sessionFacts());
  await after.seal('client_closed');
  original = await exported(kept.early.checkpoint.size);
  kept.late = parseCheckpoint((await logged.signed()).text);
  members = await Promise.all((await readTar(inMemory(original))).map(contentOf));
  entries = [];
  const archive = new Archive(dataDir);
  for await (const entry of archive.read((await archive.find(session.id))!)) entries.push(Buffer.from(entry));
  await logged.log.close();
  await logged.recorder.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inMemory = (bytes: Buffer) => ({
  size: bytes.length,
  read: async (offset: number, count: number) => bytes.subarray(offset, offset + count),
});

const contentOf = async ({ name, reader }: TarMember): Promise<[string, Buffer]> => [
  name,
  Buffer.from(await reader.read(0, reader.size)),
];

const packed = (files: [name: string, bytes: Buffer][]): Buffer =>
  Buffer.concat([
    ...files.flatMap(([name, bytes]) => [tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]),
    tarEnd,
  ]);

const withMember = (which: string, change: (bytes: Buffer) => Buffer): Buffer =>
  packed(members.map(([name, bytes]) => [name, name === which ? change(bytes) : bytes]));

/** What the first verifier says of each, after the second has said the same of every n-th. */
async function judged(mutants: Buffer[], given: Partial<Trust> = {}, every = 1): Promise<VerdictName[]> {
  const trusted = { ...trust, ...given };
  const found: VerdictName[] = [];
  const asked: { path: string; verdict: VerdictName }[] = [];
  for (const [place, mutant] of mutants.entries()) {
    const isAsked = place % every === 0;
    const path = join(folder, isAsked ? `mutant-${place}.tar` : 'mutant.tar');
    writeFileSync(path, mutant);
    const { verdict } = await verifyExport(path, trusted);
    found.push(verdict);
    if (isAsked) asked.push({ path, verdict });
  }
  for (let at = 0; at < asked.length; at += 500) {
    const part = asked.slice(at, at + 500);
    const second = await secondVerdicts(
      part.map(({ path }) => path),
      trusted,
    );
    const differ = second.flatMap((said, at) => (said === part[at]!.verdict ? [] : [{ ...part[at]!, said }]));
    if (python) expect(differ).toEqual([]);
  }
  for (const { path } of asked) rmSync(path);
  return found;
}

/** Both files of a recording with these entries, sealed as the writer does it: what somebody makes who knows the format. */
function resealed(changed: Buffer[], erased: number[] = []): [name: string, bytes: Buffer][] {
  const head = changed.length > 0 ? entryHash(changed.at(-1)!) : Buffer.alloc(32);
  const id = members.find(([name]) => name === 'recording.chain')![1].subarray(16, 32);
  const file = (kind: SealedKind, content: Buffer): Buffer => {
    const member = gzipSync(content);
    const index = encodeIndex([
      { offset: 32, compressed: member.length, uncompressed: content.length, seq: 0, continues: false },
    ]);
    const facts = { indexOffset: 32 + member.length, indexBytes: index.length, indexCrc: crc32(index), head };
    const footer = encodeFooter({ ...facts, entries: changed.length, uncompressed: content.length });
    return Buffer.concat([encodePreamble(kind, id), member, index, footer]);
  };
  const payloads = changed.flatMap((entry, at) => {
    const length = Buffer.alloc(4, 0xff);
    if (erased.includes(at)) return [length];
    length.writeUInt32BE(entry.length - headerBytes - 16);
    return [length, entry.subarray(headerBytes)];
  });
  const chain = file('chain', Buffer.concat(changed.map((entry) => entry.subarray(0, headerBytes))));
  const files = { 'recording.chain': chain, 'recording.payload': file('payload', Buffer.concat(payloads)) };
  return members.map(([name, bytes]) => [name, files[name as keyof typeof files] ?? bytes]);
}

const isGood = (verdict: VerdictName): boolean => verdicts[verdict].exit === 0;

it('is valid as it was exported, alone and against checkpoints that were kept before and after', async () => {
  expect(await judged([original, packed(members), packed(resealed(entries))])).toEqual(['VALID', 'VALID', 'VALID']);
  expect(await judged([original], { held: kept.early })).toEqual(['VALID']);
  expect(await judged([original], { held: kept.late })).toEqual(['VALID']);
});

/** Where the gzip members of the export are. */
const gzipMembers = () =>
  [...original.keys()]
    .filter((at) => original.subarray(at, at + 4).toString('hex') === '1f8b0800')
    .map((at) => ({ at, body: at + gzipHeaderBytes, ...inflated(original, at + gzipHeaderBytes)! }));
const gzipHeaderBytes = 10;
let compressed: ReturnType<typeof gzipMembers> | undefined;

function inflated(bytes: Buffer, at: number): { content: Buffer; end: number } | undefined {
  try {
    const { buffer, engine } = inflateRawSync(bytes.subarray(at), { info: true }) as unknown as Inflated;
    return { content: buffer, end: at + engine.bytesWritten };
  } catch {
    return undefined;
  }
}
interface Inflated {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/**
 * Without what nothing of a recording depends on: gzip's byte for the operating system, and which of several ways of compressing the same
 * bytes in the same room was taken (a code that no symbol uses, bits behind the last).
 */
function asRead(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (const { at, body, end, content } of (compressed ??= gzipMembers())) {
    copy[at + 9] = 0;
    const now = inflated(copy, body);
    if (now?.end === end && now.content.equals(content)) original.copy(copy, body, body, end);
  }
  return copy;
}

it('shows every flipped byte but those that carry nothing: gzip’s for the operating system, and hardly another', async () => {
  const places = [...original.keys()].filter((at) => original[at] !== 0 || at % stride === 0);
  const mutants = places.map((at) => {
    const mutant = Buffer.from(original);
    mutant[at]! ^= 0xff;
    return mutant;
  });
  const found = await judged(mutants, { held: kept.early }, stride); // so that its consistency proof is looked at too
  const unseen = places.filter((_, place) => isGood(found[place]!));
  const exported = asRead(original);
  expect(unseen).toEqual(places.filter((_, place) => asRead(mutants[place]!).equals(exported)));
  const systems = gzipMembers().map(({ at }) => at + 9);
  expect(unseen).toEqual(expect.arrayContaining(systems));
  expect(unseen.length - systems.length).toBeLessThanOrEqual(3);
}, 600_000);

it('shows every line feed and blank that became other white space', async () => {
  const whiteSpace = [0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x20, 0x85, 0xa0];
  const places = [...original.keys()].filter((at) => original[at] === 0x0a || original[at] === 0x20);
  const mutants = places.flatMap((at) =>
    whiteSpace.filter((byte) => byte !== original[at]).map((byte) => Buffer.from(original).fill(byte, at, at + 1)),
  );
  expect((await judged(mutants, { held: kept.early })).filter(isGood)).toEqual([]);
}, 600_000);

it('shows every cut', async () => {
  const ends = [...original.keys()].filter((end) => end % stride === 0 || end % 512 === 0);
  const mutants = ends.map((end) => original.subarray(0, end));
  const found = await judged(mutants, {}, stride);
  expect(new Set(found)).toEqual(new Set(['TRUNCATED']));
}, 600_000);

/** What disks, editors and people do to a file: bits, bytes, runs of them, put elsewhere, doubled, taken out. */
function changedByChance(bytes: Buffer, random: () => number): Buffer {
  const below = (bound: number) => Math.floor(random() * bound);
  const from = below(bytes.length);
  const to = Math.min(bytes.length, from + 1 + below(64));
  const at = below(bytes.length);
  const noise = Buffer.from(Array.from({ length: to - from }, () => below(256)));
  const run = bytes.subarray(from, to);
  const ways = [
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from([bytes[at]! ^ (1 << below(8))]), bytes.subarray(at + 1)]),
    () => Buffer.concat([bytes.subarray(0, at), noise.subarray(0, 1), bytes.subarray(at + 1)]),
    () => Buffer.concat([bytes.subarray(0, from), noise, bytes.subarray(to)]),
    () => Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]),
    () => Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), run, bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), run, bytes.subarray(at + run.length)]).subarray(0, bytes.length),
  ];
  const changed = ways[below(ways.length)]!();
  return random() < 0.2 ? changedByChance(changed, random) : changed;
}

it(`shows what ${chances} changes by chance did (seed ${seed})`, async () => {
  const random = seededRandom(seed);
  const exported = asRead(original);
  const missed: string[] = [];
  for (let done = 0; done < chances; done += 1000) {
    const mutants = Array.from({ length: Math.min(1000, chances - done) }, () => changedByChance(original, random));
    const found = await judged(mutants, { held: kept.early }, 7);
    for (const [place, verdict] of found.entries())
      if (isGood(verdict) !== asRead(mutants[place]!).equals(exported)) missed.push(`${done + place}: ${verdict}`);
  }
  expect(missed).toEqual([]);
}, 7_200_000);

it('shows every entry that was deleted, doubled, swapped or put in the place of another, sealed anew or not', async () => {
  const places = [...entries.keys()];
  const mutants = places.flatMap((at) => [
    entries.toSpliced(at, 1),
    entries.toSpliced(at, 0, entries[at]!),
    entries.with(at, entries[(at + 1) % entries.length]!).with((at + 1) % entries.length, entries[at]!),
    entries.with(at, entries[(at + 1) % entries.length]!),
    entries.slice(0, at),
  ]);
  const found = await judged(mutants.map((changed) => packed(resealed(changed))));
  expect(found.filter(isGood)).toEqual([]);
  expect(new Set(found)).toEqual(new Set(['GAP', 'ALTERED', 'TRUNCATED']));
});

it('shows a chain that was computed anew behind a changed payload: it is not the one that was logged', async () => {
  const id = members.find(([name]) => name === 'recording.chain')![1].subarray(16, 32);
  const mutants = [...entries.keys()].slice(1).map((changedAt) => {
    const chain = new SessionChain(id);
    return entries.map((entry, at) => {
      const { header, body } = decodeEntry(entry);
      const salt = at === changedAt ? Buffer.alloc(16, 9) : entry.subarray(headerBytes, headerBytes + 16);
      const forged = Buffer.from(chain.next(header.stream, body, header.timeMicros, salt));
      chain.accept(forged);
      return forged;
    });
  });
  const found = await judged(mutants.map((changed) => packed(resealed(changed))));
  expect(new Set(found)).toEqual(new Set(['ALTERED']));
});

it('shows leaves that were left out, an old checkpoint played again, and keys that were swapped', async () => {
  const proofs = members.filter(([name]) => name.startsWith('proofs/')).map(([name]) => name);
  const without = (gone: string) => packed(members.filter(([name]) => name !== gone));
  // Without its end the session is open, and says so; without its beginning the log does not know it.
  expect(await judged(proofs.map(without))).toEqual(['UNLOGGED', 'VALID_OPEN']);
  expect(await judged([early], { held: kept.late })).toEqual(['STALE']);
  const { name } = trust.keys[0]!;
  const named = (other: string) =>
    withMember('checkpoint', (text) => Buffer.from(text.toString().replace(`— ${name}`, `— ${other}`)));
  // Not every language takes the same characters for spaces; that of a signature's name ends there.
  const spaces = [' ', '\u001F', '\u0085', '\u00A0', '\u2028', '\u007F', '\t', '\r', '+'];
  expect(new Set(await judged(spaces.map((space) => named(`a${space}b`))))).toEqual(new Set(['UNPINNED']));
  expect(new Set(await judged(['\uFEFFa', '\u200Ba', '\u{1F600}'].map(named)))).toEqual(new Set(['UNLOGGED']));
  expect(await judged([without('consistency')], { held: kept.early })).toEqual(['STALE']);
  const other = newLogKey();
  const swapped = verifierKey(trust.keys[0]!.name, keyTypes.ed25519, publicKeyOf(other));
  expect(await judged([withMember('key', () => Buffer.from(`${formatVerifierKey(swapped)}\n`))])).toEqual(['UNPINNED']);
  expect(await judged([original], { keys: [swapped] })).toEqual(['UNPINNED']);
  expect(await judged([original], { keys: [] })).toEqual(['UNPINNED']);
  expect(await judged([without('recording.chain'), without('recording.payload')])).toEqual([
    'MISSING_SESSION',
    'MISSING_SESSION',
  ]);
});

/** As the gateway would export it if its log had these leaves too. */
async function loggedWith(more: Leaf[], files: [name: string, bytes: Buffer][]): Promise<Buffer> {
  const known = files
    .filter(([name]) => name.startsWith('proofs/'))
    .map(([, text]) => parseTlogProof(text.toString()).extra);
  const leaves = [...known, ...more.map(encodeLeaf)];
  const tree = new TileTree();
  for (const leaf of leaves) tree.add(leaf);
  const read: ReadHash = async (level, index) =>
    completeRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level).map(leafHash));
  const text = checkpointText({ origin: trust.keys[0]!.name, size: leaves.length, root: tree.root() });
  const checkpoint = formatNote({ text, signatures: [signNote(text, trust.keys[0]!.name, key)] });
  const proofs = leaves.map(async (extra, index): Promise<[string, Buffer]> => {
    const hashes = (await inclusionProof(index, leaves.length, read)).map((hash) => Buffer.from(hash));
    return [proofName(index), Buffer.from(formatTlogProof({ extra, index, hashes, checkpoint }))];
  });
  const others = files.filter(([name]) => name === 'key' || name.startsWith('recording.'));
  return packed([['checkpoint', Buffer.from(checkpoint)], ...(await Promise.all(proofs)), ...others]);
}

it('takes payloads that were erased, each with its leaf, and says that a recording was removed', async () => {
  const subject = members.find(([name]) => name === 'recording.chain')![1].subarray(16, 32);
  const commitment = (seq: number): Buffer => entries[seq]!.subarray(28, 60);
  const leaf = (kind: LeafKind, number: number, digest: Buffer): Leaf => ({
    kind,
    timeMicros: 1,
    subject,
    number,
    digest,
  });
  const erased = leaf('erased', 2, commitment(2));
  const seal = entries.length - 1;
  const removed = leaf('removed', seal, entryHash(entries[seal]!));
  const withoutRecording = members.filter(([name]) => !name.startsWith('recording.'));
  const mutants = await Promise.all([
    loggedWith([], members),
    loggedWith([erased], resealed(entries, [2])),
    loggedWith([erased], resealed(entries, [2, 3])),
    loggedWith([leaf('erased', 2, commitment(3))], resealed(entries, [2])),
    loggedWith([], resealed(entries, [2])),
    loggedWith([removed], withoutRecording),
    loggedWith([leaf('close', seal, removed.digest)], members),
    loggedWith([leaf('head', 2, commitment(2))], members),
  ]);
  expect(await judged(mutants)).toEqual([
    'VALID',
    'VALID_ERASED',
    'ALTERED',
    'ALTERED',
    'ALTERED',
    'REMOVED',
    'FORK',
    'ALTERED',
  ]);
});

it('is a file that any tar lists, as docs/recording-format.md says', () => {
  const path = join(folder, 'listed.tar');
  writeFileSync(path, original);
  const listed = execFileSync('tar', ['-tf', path], { encoding: 'utf8' }).trim().split('\n');
  expect(listed).toEqual(members.map(([name]) => name));
  const docs = readFileSync(new URL('../../docs/recording-format.md', import.meta.url), 'utf8');
  for (const name of Object.values(exportNames)) expect(docs).toContain(`| \`${name}`);
});
