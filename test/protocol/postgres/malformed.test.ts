import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { frontend } from '../../../src/protocol/postgres/frontend.ts';
import { messageBytesMax, readLine, type Case } from '../../fixtures/postgres/malformed/case.ts';
import { clientStates } from '../../fixtures/postgres/malformed/client-states.ts';
import { corpusFiles } from '../../fixtures/postgres/malformed/corpus.ts';
import { loginStates } from '../../fixtures/postgres/malformed/login-corpus.ts';
import { drawn, password } from '../../fixtures/postgres/malformed/scram-client.ts';
import { serverStates } from '../../fixtures/postgres/malformed/server-states.ts';
import { MemoryDuplex } from '../../support/memory-duplex.ts';
import {
  act,
  byteByByte,
  client,
  play,
  randomCuts,
  server,
  whole,
  type Course,
  type Turn,
} from '../../support/wire.ts';

const folder = fileURLToPath(new URL('../../fixtures/postgres/malformed/corpus', import.meta.url));
const linesOf = (path: string): Case[] => readFileSync(`${folder}/${path}`, 'utf8').trimEnd().split('\n').map(readLine);
const options = { messageBytesMax };
const cuts = [whole, byteByByte, randomCuts(1), randomCuts(2)];

/** `npx vitest run test/protocol/postgres/malformed.test.ts -u` writes the files anew from the rules. */
test.each([...corpusFiles()])('%s is what the rules say', async (path, expected) => {
  await expect(expected).toMatchFileSnapshot(`${folder}/${path}`);
});

test('there are at least 2,000 lines, no two the same, and no file without a rule', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.txt'));
  const lines = files.flatMap((path) => linesOf(path).map(({ name }) => `${path} ${name}`));
  expect(lines.length).toBeGreaterThan(2000);
  expect(lines.filter((line, index) => lines.indexOf(line) !== index)).toEqual([]);
  expect(files.toSorted()).toEqual([...corpusFiles().keys()].toSorted());
});

/** What is new since the state was reached: recorded, passed on, and how it ended. */
function since(before: Course, after: Course) {
  const events = after.events.slice(before.events.length);
  const atRefusal = events.findIndex(
    ({ kind }, index) => kind === 'refusal' && after.end && isLastRefusal(events, index),
  );
  const good = atRefusal < 0 ? events : events.slice(0, atRefusal);
  const words = good.map((event) => {
    if (event.kind === 'statement') return event.verb;
    if (event.kind === 'outcome') return `outcome:${event.status}`;
    return event.kind === 'refusal' ? `refusal:${event.reason}` : event.kind;
  });
  return {
    words: words.filter((word, index) => word !== 'data' || words[index - 1] !== 'data'),
    refused: after.end?.by === 'refused' && !before.end ? after.end.reason : undefined,
  };
}
const isLastRefusal = (events: Course['events'], index: number): boolean =>
  events.slice(index + 1).every(({ kind }) => kind !== 'refusal');

const accepted = (words: string[]): string => ['accepted', ...words].join(' ');

/** The gateway's own, where COPY data waits for an answer: no Sync can come past it. */
const ownFlush = 'H\0\0\0\x04';

function clientVerdict(before: Turn[], bytes: Uint8Array, cut: typeof whole): string {
  const start = play(before, cut, options);
  const course = play([...before, client(bytes)], cut, options);
  const { words, refused } = since(start, course);
  const said = course.toServer.slice(start.toServer.length);
  const isAsking = bytes[0] !== 'H'.charCodeAt(0) && said.startsWith(ownFlush);
  const passed = isAsking ? said.slice(ownFlush.length) : said;
  const isPlain = !words.some((word) => word.startsWith('refusal:'));
  if (isPlain) expect(Buffer.from(bytes).toString('latin1').startsWith(passed)).toBe(true);
  const good = passed === '' && words.length === 0 ? [] : [accepted(words)];
  if (refused) return [...good, `refused ${refused}`].join('; ');
  if (course.heldBytes === start.heldBytes) {
    if (isPlain && good.length > 0) expect(passed.length).toBe(bytes.length);
    return good[0] ?? 'dropped';
  }
  const left = play([...before, client(bytes), act('client-ended')], cut, options).end!.reason;
  return [...good, left === 'truncated' ? 'incomplete' : 'waits'].join('; ');
}

function serverVerdict(before: Turn[], bytes: Uint8Array, cut: typeof whole): string {
  const start = play(before, cut, options);
  const course = play([...before, server(bytes)], cut, options);
  const { words, refused } = since(start, course);
  const passed = course.toClient.slice(start.toClient.length);
  if (refused) {
    expect(passed).toContain('08P01');
    return `refused ${refused}`;
  }
  expect(Buffer.from(bytes).toString('latin1').startsWith(passed)).toBe(true);
  // Amid a message that passes through, the client could not be told anything.
  const ended = play([...before, server(bytes), act('abort')], cut, options);
  const isListening = start.end === null && !before.some((turn) => 'client' in turn && turn.client[0]![0] === 0x58);
  const isAmid = isListening && ended.toClient === course.toClient;
  const isIncomplete = course.heldBytes > start.heldBytes || isAmid;
  const good = isIncomplete && (passed.length < 5 || isFirst(bytes, passed)) ? [] : [accepted(words)];
  return [...good, ...(isIncomplete ? ['incomplete'] : [])].join('; ');
}

/** Nothing but the first message has been passed on so far. */
const isFirst = (bytes: Uint8Array, passed: string): boolean => Buffer.from(bytes).readUInt32BE(1) + 1 > passed.length;

/** Whatever was refused: each statement that expects an outcome has one, and only one. */
function expectOutcomes({ events }: Course): void {
  for (const [sequence, event] of events.entries()) {
    if (event.kind !== 'statement' || !event.expectsOutcome) continue;
    expect(events.filter((other) => other.kind === 'outcome' && other.of === sequence)).toHaveLength(1);
  }
}

/** What differs from the corpus, line by line. */
interface Difference {
  name: string;
  hex: string;
  verdict: string;
  decoder: string;
}
const difference = ({ name, bytes, verdict }: Case, decoder: string): Difference[] =>
  decoder === verdict ? [] : [{ name, hex: Buffer.from(bytes).toString('hex').slice(0, 200), verdict, decoder }];

test.each(clientStates)('a client, $name', ({ name, before }) => {
  const differences = linesOf(`client/${name}.txt`).flatMap((line) => {
    expectOutcomes(play([...before, client(line.bytes), act('resource-ended')], whole, options));
    return cuts.flatMap((cut) => difference(line, clientVerdict(before, line.bytes, cut)));
  });
  expect(differences).toEqual([]);
});

test.each(serverStates)('a server, $name', ({ name, before }) => {
  const differences = linesOf(`server/${name}.txt`).flatMap((line) => {
    expectOutcomes(play([...before, server(line.bytes), act('resource-ended')], whole, options));
    return cuts.flatMap((cut) => difference(line, serverVerdict(before, line.bytes, cut)));
  });
  expect(differences).toEqual([]);
});

async function loginVerdict(before: Uint8Array[], bytes: Uint8Array, cut: typeof whole): Promise<string> {
  const pieces = cut(bytes);
  const duplex = new MemoryDuplex([...before, ...pieces]);
  const admission = await frontend.admit(duplex, { credential, randomBytes: drawn, messageBytesMax });
  const words = duplex.written.slice(before.length).map((message) => String.fromCharCode(message[0]!));
  if (admission.kind === 'cancel' || admission.kind === 'admitted') return accepted([...words, admission.kind]);
  if (admission.kind === 'gone') return accepted(words);
  return admission.reason === 'truncated' ? 'incomplete' : `refused ${admission.reason}`;
}
const credential = { user: password.user, password: password.password, database: password.database };

test.each(loginStates)('before the login, $name', async ({ name, before }) => {
  const differences: Difference[] = [];
  for (const line of linesOf(`login/${name}.txt`)) {
    // What lies behind a request was sent ahead of its answer only if it is there when the request is answered.
    const possible = line.verdict === 'refused bytes-behind-request' ? [whole] : cuts;
    for (const cut of possible) differences.push(...difference(line, await loginVerdict(before, line.bytes, cut)));
  }
  expect(differences).toEqual([]);
});
