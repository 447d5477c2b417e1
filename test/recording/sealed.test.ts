import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SessionChain } from '../../src/recording/chain.ts';
import { headerBytes } from '../../src/recording/entry-codec.ts';
import { openSealed, readSealed, type PositionalReader } from '../../src/recording/sealed-reader.ts';
import { writeSealed } from '../../src/recording/sealed-writer.ts';
import { limits } from '../../src/shared/limits.ts';
import { collect, each, query } from '../support/recorder.ts';

const sessionId = randomBytes(16);

function entriesOf(texts: Buffer[]): { entries: Buffer[]; head: Uint8Array } {
  const chain = new SessionChain(sessionId);
  const entries = texts.map((text, seq) => {
    const entry = Buffer.from(chain.next(1, { ...query(''), text }, seq, randomBytes(16)));
    chain.accept(entry);
    return entry;
  });
  return { entries, head: chain.head };
}

async function sealed(texts: Buffer[]) {
  const { entries, head } = entriesOf(texts);
  const files = { chain: [] as Uint8Array[], payload: [] as Uint8Array[] };
  const to = (kind: 'chain' | 'payload') => async (bytes: Uint8Array) => void files[kind].push(Buffer.from(bytes));
  await writeSealed(sessionId, each(entries), { chain: to('chain'), payload: to('payload') }, () => head);
  return { entries, chain: Buffer.concat(files.chain), payload: Buffer.concat(files.payload) };
}

const reader = (bytes: Buffer): PositionalReader => ({
  size: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
});

const small = (count: number) => Array.from({ length: count }, (_, index) => Buffer.from(`select ${index}`));

describe('a sealed recording', () => {
  it('gives back every entry, from any number on, also where entries are larger than a member', async () => {
    const texts = [
      ...small(20_000),
      randomBytes(3 * limits.memberBytesMax + 17),
      ...small(10),
      randomBytes(limits.memberBytesMax),
      ...small(3),
    ];
    const { entries, chain, payload } = await sealed(texts);
    const files = await openSealed({ chain: reader(chain), payload: reader(payload) });
    expect(files.payload.members.length).toBeGreaterThan(5);
    for (const member of [...files.chain.members, ...files.payload.members]) {
      expect(member.uncompressed).toBeLessThanOrEqual(limits.memberBytesMax);
    }
    for (const from of [0, 1, 9_999, 19_999, 20_000, 20_001, 20_011, 20_013]) {
      const read = await collect(readSealed(files, from));
      expect(read).toHaveLength(entries.length - from);
      expect(Buffer.concat(read.slice(0, 3)).equals(Buffer.concat(entries.slice(from, from + 3)))).toBe(true);
    }
    expect(Buffer.concat(await collect(readSealed(files))).equals(Buffer.concat(entries))).toBe(true);
  });

  it('is gzip members that any gunzip reads one by one', async () => {
    const { entries, chain, payload } = await sealed(small(30_000));
    const { chain: opened } = await openSealed({ chain: reader(chain), payload: reader(payload) });
    const whole = opened.members.map(({ offset, compressed }) =>
      gunzipSync(chain.subarray(offset, offset + compressed)),
    );
    expect(Buffer.concat(whole).equals(Buffer.concat(entries.map((entry) => entry.subarray(0, headerBytes))))).toBe(
      true,
    );
  });

  it.each<[string, (chain: Buffer, payload: Buffer) => [Buffer, Buffer]]>([
    ['cut off', (chain, payload) => [chain.subarray(0, -1), payload]],
    ['cut off to nothing', (chain) => [chain, Buffer.alloc(0)]],
    ['of another version', (chain, payload) => [changed(chain, 9), payload]],
    ['with the files exchanged', (chain, payload) => [payload, chain]],
    ['with another index', (chain, payload) => [changed(chain, chain.length - 90), payload]],
    ['with another footer', (chain, payload) => [chain, changed(payload, payload.length - 50)]],
    ['with an altered member', (chain, payload) => [chain, changed(payload, 60)]],
  ])('is refused when it is %s', async (_, change) => {
    const made = await sealed(small(100));
    const [chain, payload] = change(made.chain, made.payload);
    const read = async () => collect(readSealed(await openSealed({ chain: reader(chain), payload: reader(payload) })));
    await expect(read()).rejects.toThrow(RangeError);
  });

  it('is refused when its files are of two sessions', async () => {
    const one = await sealed(small(5));
    const two = await sealed(small(6));
    await expect(openSealed({ chain: reader(one.chain), payload: reader(two.payload) })).rejects.toThrow(
      /different recordings/,
    );
  });
});

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0x55;
  return copy;
}
