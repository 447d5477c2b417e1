import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeEntry, firstPrevious } from '../../src/recording/entry-codec.ts';
import { systemClock } from '../../src/shared/clock.ts';
import type { UserError } from '../../src/shared/errors.ts';
import type { Disk } from '../../src/store/disk.ts';
import type { JournalOptions } from '../../src/store/journal-options.ts';
import { systemDisk } from '../../src/store/durable.ts';
import { Journal } from '../../src/store/journal.ts';
import { encodeMark } from '../../src/store/journal-format.ts';
import { collect } from '../support/recorder.ts';

const segmentBytes = 256 * 1024;
const idOf = (number: number) => Buffer.alloc(16, number);

let dataDir: string;
let journals: Journal[];
let failures: UserError[];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'hoop-journal-'));
  journals = [];
  failures = [];
});
afterEach(async () => {
  for (const journal of journals) await journal.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function open(options: Partial<JournalOptions> = {}): Promise<Journal> {
  const onFailure = (error: UserError) => void failures.push(error);
  const journal = await Journal.open({ dataDir, clock: systemClock, segmentBytes, onFailure, ...options });
  journals.push(journal);
  return journal;
}

function entry(text: string): Buffer {
  const previous = firstPrevious(idOf(0)).toString('latin1');
  const place = { stream: 0, seq: 0, timeMicros: 1, salt: Buffer.alloc(16), previous };
  return Buffer.from(encodeEntry({ kind: 'note', name: text, facts: {} }, place));
}

const textOf = (bytes: Buffer) => bytes.subarray(114, bytes.length - 10).toString();
const texts = async (journal: Journal, number: number) => {
  const session = journal.sessions().find(({ idBytes }) => idOf(number).equals(idBytes));
  return session ? (await collect(journal.read(session))).map(textOf) : [];
};
const files = () => readdirSync(join(dataDir, 'journal')).toSorted();
const path = (name: string) => join(dataDir, 'journal', name);

/** Appends one entry after the other, each durable before the next: each in a batch of its own. */
async function write(journal: Journal, number: number, ...all: string[]): Promise<void> {
  for (const text of all) {
    journal.append(journal.begin(idOf(number)), entry(text));
    await journal.durable();
  }
}

function change(name: string, act: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path(name));
  act(bytes);
  writeFileSync(path(name), bytes);
}

describe('the journal', () => {
  it('keeps what the last run left when the disk is too full to start on, or cannot be read', async () => {
    const first = await open();
    await write(first, 1, 'a', 'b');
    await first.close();
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const disk: Disk = {
      ...systemDisk,
      open: async (at, flags) => ({ ...(await systemDisk.open(at, flags)), write: () => Promise.reject(full) }),
    };
    await expect(open({ disk })).rejects.toThrow(/no space left/);
    const unreadable: Disk = { ...systemDisk, readFile: () => Promise.reject(new Error('too many open files')) };
    await expect(open({ disk: unreadable })).rejects.toThrow(/too many open files/);
    const unlisted: Disk = { ...systemDisk, makeDirectory: () => Promise.reject(new Error('permission denied')) };
    await expect(open({ disk: unlisted })).rejects.toThrow(/permission denied/);
    expect(await texts(await open(), 1)).toEqual(['a', 'b']);
  });

  it('gives each session its own entries, live and after a restart', async () => {
    const first = await open();
    await write(first, 1, 'a', 'b');
    await write(first, 2, 'x');
    await write(first, 1, 'c');
    expect(await texts(first, 1)).toEqual(['a', 'b', 'c']);
    expect(await texts(first, 2)).toEqual(['x']);
    await first.close();
    const second = await open();
    expect(await texts(second, 1)).toEqual(['a', 'b', 'c']);
    await write(second, 1, 'd');
    expect(await texts(second, 1)).toEqual(['a', 'b', 'c', 'd']);
    expect(second.faults).toEqual([]);
  });

  it('reads of a live session only what is durable', async () => {
    const journal = await open();
    await write(journal, 1, 'a');
    journal.append(journal.begin(idOf(1)), entry('b'));
    expect(await texts(journal, 1)).toEqual(['a']);
    await journal.durable();
    expect(await texts(journal, 1)).toEqual(['a', 'b']);
  });

  it('makes durable what nobody waits for', async () => {
    const journal = await open();
    journal.append(journal.begin(idOf(1)), entry('an outcome'));
    await expect.poll(() => texts(journal, 1)).toEqual(['an outcome']);
  });

  it('goes on in new segments, also with entries that are larger than one, and deletes those that nobody needs', async () => {
    const journal = await open();
    const large = 'L'.repeat(segmentBytes * 2 + 5);
    const written: string[] = [];
    for (let round = 0; round < 60; round++) {
      const text = round === 20 || round === 21 ? large : `${round}-${'x'.repeat(20_000)}`;
      written.push(text);
      await write(journal, 1, text);
      if (round === 30) await write(journal, 2, 'in the middle');
    }
    expect(files().length).toBeGreaterThan(6);
    expect((await texts(journal, 1)).map((text) => text.length)).toEqual(written.map((text) => text.length));
    await journal.close();
    const again = await open();
    expect((await texts(again, 1)).join() === written.join()).toBe(true);
    await again.forget(again.sessions().find(({ idBytes }) => idBytes[0] === 1)!);
    expect(await texts(again, 2)).toEqual(['in the middle']);
    expect(files()).toHaveLength(2);
    await again.forget(again.sessions()[0]!);
    await again.close();
    expect(files()).toEqual([]);
  });

  it('appends many at once in one go', async () => {
    const journal = await open({ segmentBytes: 8 * 1024 * 1024 });
    const all = Array.from({ length: 20_000 }, (_, index) => `entry ${index}`);
    for (const text of all) journal.append(journal.begin(idOf(1)), entry(text));
    await journal.durable();
    expect(await texts(journal, 1)).toEqual(all);
  });

  it('refuses an append past the bound of bytes that are not durable, and goes on when they are', async () => {
    const journal = await open({ pendingBytesMax: 10_000 });
    const session = journal.begin(idOf(1));
    journal.append(session, entry('x'.repeat(8000)));
    expect(() => journal.append(session, entry('y'.repeat(8000)))).toThrow(/lags/);
    await journal.durable();
    await write(journal, 1, 'z');
    expect((await texts(journal, 1)).map((text) => text[0])).toEqual(['x', 'z']);
  });
});

describe('a journal that was cut or damaged', () => {
  it('takes a torn tail of the last segment as what it is: never durable', async () => {
    const first = await open();
    await write(first, 1, 'a', 'b', 'torn');
    await first.close();
    const [name] = files();
    change(name!, (bytes) => (bytes[bytes.indexOf('torn')] = 0x21));
    const second = await open();
    expect(second.faults).toEqual([]);
    expect(await texts(second, 1)).toEqual(['a', 'b']);
    await write(second, 1, 'c');
    expect(await texts(second, 1)).toEqual(['a', 'b', 'c']);
  });

  it.each([1, 2, 3, 5, 8, 13, 100])('reads the whole entries when the file ends %i bytes early', async (cut) => {
    const first = await open();
    await write(first, 1, 'a', 'b');
    await first.close();
    const [name] = files();
    const bytes = readFileSync(path(name!));
    const end = bytes.lastIndexOf('b') + 11;
    writeFileSync(path(name!), bytes.subarray(0, end - cut));
    const second = await open();
    expect(['a', 'a,b']).toContain((await texts(second, 1)).join());
    expect(second.faults).toEqual([]);
  });

  it('names damage before the durable end, and loses nothing before or behind it', async () => {
    const first = await open();
    await write(first, 1, 'one');
    await write(first, 2, 'victim');
    await write(first, 3, 'three');
    await write(first, 1, 'four');
    await first.close();
    const [name] = files();
    const at = readFileSync(path(name!)).indexOf('victim');
    change(name!, (bytes) => (bytes[at] = 0x21));
    const second = await open();
    expect(second.faults).toMatchObject([{ segment: 1 }]);
    expect(second.faults[0]!.from).toBeLessThan(at);
    expect(second.faults[0]!.to).toBeGreaterThan(at);
    expect(await texts(second, 1)).toEqual(['one', 'four']);
    expect(await texts(second, 2)).toEqual([]);
    expect(await texts(second, 3)).toEqual(['three']);
    for (const session of second.sessions()) await second.forget(session);
    await second.close();
    expect(files()).toContain(name); // evidence
  });

  it.each([
    ['a length that is a lie', (bytes: Buffer, at: number) => bytes.writeUInt32BE(0x7fff_ffff, at - 138)],
    ['a sector of zeros', (bytes: Buffer, at: number) => bytes.fill(0, at - 138, at + 10)],
  ])('finds its way behind %s', async (_, act) => {
    const first = await open();
    await write(first, 1, 'one', 'victim', 'three');
    await first.close();
    const [name] = files();
    change(name!, (bytes) => act(bytes, bytes.indexOf('victim')));
    const second = await open();
    expect(second.faults).toHaveLength(1);
    expect(await texts(second, 1)).toEqual(['one', 'three']);
  });

  it('names a damaged header of a segment, and reads its records', async () => {
    const first = await open();
    await write(first, 1, 'a', 'b', 'c');
    await first.close();
    const [name] = files();
    change(name!, (bytes) => bytes.fill(0xee, 0, 60));
    const second = await open();
    expect(second.faults).toMatchObject([{ segment: 1, from: 0 }]);
    expect(await texts(second, 1)).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['with nothing recorded yet', []],
    ['with its first batch', ['a']],
  ])(
    'takes a header that did not reach the disk for no damage: the power went within its write, %s',
    async (_, kept) => {
      const first = await open();
      if (kept.length > 0) {
        await write(first, 2, 'x'.repeat(segmentBytes - 300));
        first.append(first.begin(idOf(1)), entry('a')); // goes into the next segment, in one batch with its header
        await first.durable();
      }
      await first.close();
      const name = kept.length > 0 ? '0000000002.journal' : '0000000001.journal';
      if (kept.length === 0) {
        // Without a header, as a write ends that was cut short by the power and lost its beginning.
        writeFileSync(path(name), Buffer.concat([Buffer.alloc(64), encodeMark(64), Buffer.alloc(1000)]));
      } else change(name, (bytes) => bytes.fill(0, 0, 64));
      const second = await open();
      expect(second.faults).toEqual([]);
      expect(await texts(second, 1)).toEqual(kept);
    },
  );

  it('takes bytes behind the end that the next segment names for nothing', async () => {
    const first = await open();
    await write(first, 1, 'a');
    await first.close();
    const second = await open(); // segment 2 names the end of segment 1
    await write(second, 1, 'b');
    await second.close();
    const [name] = files();
    appendFileSync(path(name!), Buffer.alloc(200, 0x5a));
    const third = await open();
    expect(third.faults).toEqual([]);
    expect(await texts(third, 1)).toEqual(['a', 'b']);
  });
});
