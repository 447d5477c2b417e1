import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeEntry, firstPrevious } from '../../src/recording/entry-codec.ts';
import { formatSessionId } from '../../src/recording/session-id.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { Journal } from '../../src/store/journal.ts';
import { scanSegment } from '../../src/store/journal-scan.ts';
import { proofSeed, seededRandom } from './random.ts';

const rounds = Number(process.env.HOOP_PROVE_STATES ?? 200);
const seed = proofSeed();
const random = seededRandom(seed);
const below = (bound: number) => Math.floor(random() * bound);
const sessions = 6;
const segmentBytes = 32 * 1024;

interface Place {
  session: string;
  text: string;
  segment: number;
  offset: number;
  end: number;
}

let folder: string;
let whole: string;
let places: Place[];
/** Where the last batch of all begins: of what lies behind, nothing on this disk shows that it was durable. */
let unproven: { segment: number; offset: number };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-rot-'));
  whole = join(folder, 'whole');
  places = await recorded(whole);
  // A batch begins with a mark of 32 bytes: where a record does not follow the one before, a batch begins.
  const last = places.findLast((place, index) => places[index - 1]?.end !== place.offset)!;
  unproven = { segment: last.segment, offset: last.offset - 32 };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Records in several segments, batches of one to five entries; gives where each lies. */
async function recorded(dataDir: string): Promise<Place[]> {
  const journal = await open(dataDir);
  for (let batch = 0; batch < 300; batch++) {
    for (let count = 1 + below(5); count > 0; count--) {
      const session = 1 + below(sessions);
      const text = `${batch}.${count} ${'x'.repeat(below(300))}`;
      journal.append(journal.begin(Buffer.alloc(16, session)), entry(session, text));
    }
    await journal.durable();
  }
  cpSync(dataDir, `${dataDir}-copy`, { recursive: true }); // as a crash leaves it
  await journal.close();
  rmSync(dataDir, { recursive: true });
  cpSync(`${dataDir}-copy`, dataDir, { recursive: true });
  return segments(dataDir).flatMap((name) => entriesIn(dataDir, name));
}

const open = (dataDir: string) =>
  Journal.open({ dataDir, clock: systemClock, segmentBytes, onFailure: () => undefined });

const segments = (dataDir: string) =>
  readdirSync(join(dataDir, 'journal'))
    .filter((name) => entriesIn(dataDir, name).length > 0)
    .toSorted();

function entriesIn(dataDir: string, name: string): Place[] {
  const bytes = readFileSync(join(dataDir, 'journal', name));
  const segment = Number(name.slice(0, 10));
  const found: Place[] = [];
  scanSegment(bytes, { segment, durableEnd: undefined }, (place) => {
    const { offset, bytes: length, sessionHex } = place;
    const text = textOf(bytes.subarray(offset, offset + length));
    found.push({
      session: formatSessionId(Buffer.from(sessionHex, 'hex')),
      text,
      segment,
      offset,
      end: offset + length,
    });
  });
  return found;
}

function entry(session: number, name: string): Buffer {
  const previous = firstPrevious(Buffer.alloc(16, session)).toString('latin1');
  return encodeEntry(
    { kind: 'note', name, facts: {} },
    { stream: 0, seq: 0, timeMicros: 1, salt: Buffer.alloc(16), previous },
  );
}

const textOf = (bytes: Buffer) => /\d+\.\d+ x*/.exec(bytes.toString('latin1'))![0];

interface Damage {
  segment: number;
  from: number;
  how: string;
  /** First byte that is certainly as it was. */
  to: number;
  /** Are the bytes of this entry other ones now? */
  hit: (place: Place) => boolean;
}

/** Changes one of the segments as a bad disk does. */
function damage(dataDir: string): Damage {
  const name = segments(dataDir)[below(segments(dataDir).length)]!;
  const path = join(dataDir, 'journal', name);
  const bytes = readFileSync(path);
  const used = entriesIn(dataDir, name).at(-1)!.end;
  const from = below(used);
  const how = ['a flipped bit', 'a sector of zeros', 'a page of other bytes', 'cut off'][below(4)]!;
  if (how === 'a flipped bit') bytes[from]! ^= 1 << below(8);
  else if (how === 'a sector of zeros') bytes.fill(0, from, Math.min(from + 512, bytes.length));
  else if (how === 'a page of other bytes') for (let at = from; at < from + 4096; at++) bytes[at] = below(256);
  const to =
    from +
    { 'a flipped bit': 1, 'a sector of zeros': 512, 'a page of other bytes': 4096, 'cut off': bytes.length }[how]!;
  const after = how === 'cut off' ? bytes.subarray(0, from) : bytes;
  writeFileSync(path, after);
  const segment = Number(name.slice(0, 10));
  const before = readFileSync(join(whole, 'journal', name));
  const same = ({ offset, end }: Place) => before.subarray(offset, end).equals(after.subarray(offset, end));
  return { segment, from, to, how, hit: (place) => place.segment === segment && !same(place) };
}

async function readable(journal: Journal, session: string): Promise<string[]> {
  const texts: string[] = [];
  const found = journal.session(session);
  if (!found) return texts;
  try {
    for await (const bytes of journal.read(found)) texts.push(textOf(bytes));
  } catch {
    // Damage within: what came before it counts.
  }
  return texts;
}

describe('bit rot in the journal', () => {
  it(`loses nothing that is whole, and names what is damaged (${rounds} times, seed ${seed})`, async () => {
    let named = 0;
    for (let round = 0; round < rounds; round++) {
      const dataDir = join(folder, 'state');
      cpSync(whole, dataDir, { recursive: true });
      const { segment, from, to, how, hit } = damage(dataDir);
      const context = `seed ${seed}, round ${round}: ${how} in segment ${segment} from ${from}`;
      const journal = await open(dataDir);
      // A batch is proven by the mark of the next: behind the last intact mark, a torn tail and damage look the same.
      const proven =
        from >= unproven.offset + 32 || to <= unproven.offset ? unproven.offset : Math.min(from, unproven.offset);
      const silent = (place: Place) => segment === unproven.segment && place.segment === segment && place.end > proven;
      const hitSessions = new Set(places.filter((place) => hit(place) && !silent(place)).map(({ session }) => session));
      for (const session of new Set(places.map((place) => place.session))) {
        const own = places.filter((place) => place.session === session && !silent(place));
        const kept = await readable(journal, session);
        const whole = hitSessions.has(session) ? own.slice(0, own.findIndex(hit)) : own;
        const texts = whole.map(({ text }) => text);
        expect(kept.slice(0, texts.length), context).toEqual(texts);
      }
      const lost = places.filter((place) => hit(place) && !silent(place));
      if (lost.length > 0) {
        named++;
        const at = journal.faults.filter((fault) => fault.segment === segment);
        const covered = lost.filter((place) => at.some((fault) => fault.from < place.end && fault.to > place.offset));
        expect(covered.length, `${context}: named ${JSON.stringify(at)}`).toBe(lost.length);
      }
      await journal.close();
      rmSync(dataDir, { recursive: true });
    }
    expect(named).toBeGreaterThan(rounds / 3);
  }, 600_000);
});
