import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SessionChain } from '../../src/recording/chain.ts';
import { domains, sha256Of } from '../../src/recording/digest.ts';
import { decodeEvents, firstPrevious } from '../../src/recording/entry-codec.ts';
import { entryKinds, type EntryBody } from '../../src/recording/entry.ts';
import { EventGroup } from '../../src/recording/event-group.ts';
import { fieldTable } from '../../src/recording/fields.ts';
import { createGenesis } from '../../src/recording/genesis.ts';
import { writeSealed } from '../../src/recording/sealed-writer.ts';
import { formatSessionId } from '../../src/recording/session-id.ts';
import { each, sessionFacts } from '../support/recorder.ts';

/**
 * Known answers. They were written once, from the format as docs/recording-format.md describes it; when this test fails, the format has
 * changed, and the version on disk has to change with it. `HOOP_WRITE_VECTORS=1` writes the file anew.
 */
const path = new URL('../fixtures/recording/session.json', import.meta.url);
const docs = readFileSync(new URL('../../docs/recording-format.md', import.meta.url), 'utf8');

const sessionId = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const principalSalt = Buffer.alloc(16, 0xa0);
const startMicros = 1_790_000_000_123_456;

/** Stream and body of each entry; several bodies are a group. */
const bodies: [number, EntryBody | EntryBody[]][] = [
  [
    0,
    {
      kind: 'genesis',
      ...createGenesis(sessionFacts(), {
        sessionId,
        gatewayVersion: '0.1.0',
        ordinal: 1,
        agentOrdinal: 1,
        logSize: 0,
        gatewayKeyId: 'key-1',
        principalSalt,
      }),
    },
  ],
  [1, { kind: 'stream-open', facts: { pid: '42' } }],
  [1, { kind: 'state', name: 'search_path', value: 'public' }],
  [
    1,
    {
      kind: 'statement',
      verb: 'parse',
      expectsOutcome: true,
      text: Buffer.from('select $1, $2, $3'),
      statementName: Buffer.from('s1'),
      parameterTypes: [23, 25, 25],
    },
  ],
  [
    1,
    {
      kind: 'statement',
      verb: 'bind',
      expectsOutcome: true,
      of: 3,
      portalName: Buffer.from(''),
      parameters: [
        { type: 23, format: 1, value: Buffer.from('0000002a', 'hex') },
        { type: 25, format: 0, value: null },
        { type: 25, format: 0, value: Buffer.alloc(0) },
      ],
      resultFormats: [1],
    },
  ],
  [1, { kind: 'statement', verb: 'execute', expectsOutcome: true, of: 4, portalName: Buffer.from(''), rowLimit: 0 }],
  [
    1,
    {
      kind: 'outcome',
      of: 5,
      status: 'ok',
      tag: 'SELECT 1',
      rows: 1,
      durationMicros: 250,
      resultDigest: Buffer.alloc(32, 0xd1),
      resultBytes: 40,
      rowsKept: 1,
    },
  ],
  [
    1,
    {
      kind: 'rows',
      of: 5,
      // gzip of a DataRow with the value 42
      messages: Buffer.from('1f8b080000000000000373616060e06160646060603231020006337a420d000000', 'hex'),
      messageBytes: 13,
    },
  ],
  [1, { kind: 'data', of: 5, bytes: Buffer.from('d\0\0\0\u0006x\n') }],
  [1, { kind: 'refusal', reason: 'unknown-message', message: 'type 0x21 is not known', text: Buffer.from('!') }],
  [1, { kind: 'cancel', of: 5 }],
  [
    1,
    [
      { kind: 'statement', verb: 'execute', expectsOutcome: true, of: 4, portalName: Buffer.from(''), rowLimit: 1 },
      { kind: 'statement', verb: 'sync', expectsOutcome: false },
    ],
  ],
  [1, { kind: 'stream-close', reason: 'client-closed' }],
  [0, { kind: 'note', name: 'expiry', facts: { at: '2026-09-21T14:13:20.000Z' } }],
  [0, { kind: 'interrupted', lastDurable: 12 }],
  [0, { kind: 'seal', reason: 'client_closed', entries: 17, statements: 2, errors: 1, streams: 1 }],
];

interface Vector {
  sessionId: string;
  shown: string;
  firstPrevious: string;
  principalCommitment: string;
  entries: {
    kind: string;
    seq: number;
    header: string;
    salt: string;
    payload: string;
    commitment: string;
    hash: string;
  }[];
}

function encoded(): { entries: Buffer[]; head: Uint8Array; vector: Vector } {
  const chain = new SessionChain(sessionId);
  const entries: Buffer[] = [];
  const vector: Vector = {
    sessionId: sessionId.toString('hex'),
    shown: formatSessionId(sessionId),
    firstPrevious: firstPrevious(sessionId).toString('hex'),
    principalCommitment: Buffer.from(
      (bodies[0]![1] as { principalCommitment: Uint8Array }).principalCommitment,
    ).toString('hex'),
    entries: [],
  };
  bodies.forEach(([stream, body], index) => {
    const { seq } = chain;
    const [timeMicros, salt] = [startMicros + index, Buffer.alloc(16, index)];
    const next = Array.isArray(body)
      ? chain.nextGroup(stream, groupOf(body), timeMicros, salt)
      : chain.next(stream, body, timeMicros, salt);
    const entry = Buffer.from(next);
    chain.accept(entry);
    entries.push(entry);
    const hex = (from: number, to?: number) => entry.subarray(from, to).toString('hex');
    const parts = { header: hex(0, 92), salt: hex(92, 108), payload: hex(108), commitment: hex(28, 60) };
    const kind = Array.isArray(body) ? 'group' : body.kind;
    vector.entries.push({ kind, seq, ...parts, hash: Buffer.from(chain.head).toString('hex') });
  });
  return { entries, head: chain.head, vector };
}

function groupOf(bodies: EntryBody[]): EventGroup {
  const group = new EventGroup();
  for (const body of bodies) expect(group.add(body)).toBe(true);
  return group;
}

if (process.env['HOOP_WRITE_VECTORS'] === '1') {
  writeFileSync(path, `${JSON.stringify(encoded().vector, null, 2)}\n`);
}
const known = JSON.parse(readFileSync(path, 'utf8')) as Vector;

it('encodes every kind of entry to the known bytes', () => {
  expect(encoded().vector).toEqual(known);
  expect([...new Set(known.entries.map(({ kind }) => kind))].toSorted()).toEqual([...entryKinds].toSorted());
});

it('reads the known bytes back to what was said', () => {
  known.entries.forEach(({ seq, header, salt, payload }, index) => {
    const events = decodeEvents(Buffer.from(header + salt + payload, 'hex'));
    expect(events.map(({ body }) => body)).toEqual([bodies[index]![1]].flat());
    expect(events.map((event) => event.header.seq)).toEqual(events.map((_, place) => seq + place));
  });
});

it('has hashes that follow from the description alone', () => {
  let previous = sha256Of(domains.session, sessionId).toString('hex');
  expect(known.firstPrevious).toBe(previous);
  for (const { header, salt, payload, commitment, hash } of known.entries) {
    const bytes = (hex: string) => Buffer.from(hex, 'hex');
    expect(sha256Of(Buffer.from('hoop payload v1\n'), bytes(salt), bytes(payload)).toString('hex')).toBe(commitment);
    expect(header.slice(120)).toBe(previous);
    previous = sha256Of(Buffer.from('hoop entry v1\n'), bytes(header)).toString('hex');
    expect(hash).toBe(previous);
  }
});

it('is what docs/recording-format.md says: kinds, fields, and the vector that it quotes', () => {
  entryKinds.forEach((kind, index) => expect(docs).toMatch(new RegExp(`\\| ${index + 1} +\\| ${kind} +\\|`)));
  for (const fields of Object.values(fieldTable)) {
    for (const { tag, name, type } of fields)
      expect(docs).toMatch(new RegExp(`\\| ${tag} +\\| ${name} +\\| ${type} +\\|`));
  }
  const state = known.entries[2]!;
  for (const part of [known.firstPrevious, state.header, state.salt, state.payload, state.commitment, state.hash]) {
    expect(docs.replace(/\s+/g, '')).toContain(part);
  }
});

const python = ['python3', '/usr/bin/python3'].find(
  (name) => spawnSync(name, ['-c', 'import zlib, hashlib']).status === 0,
);

it.runIf(python)('can be read and checked with nothing but Python’s standard library', async () => {
  const { entries, head } = encoded();
  const directory = mkdtempSync(join(tmpdir(), 'hoop-vectors-'));
  try {
    const files = { chain: [] as Uint8Array[], payload: [] as Uint8Array[] };
    const to = (kind: 'chain' | 'payload') => async (bytes: Uint8Array) => void files[kind].push(Buffer.from(bytes));
    await writeSealed(sessionId, each(entries), { chain: to('chain'), payload: to('payload') }, () => head);
    for (const kind of ['chain', 'payload'] as const)
      writeFileSync(join(directory, `r.${kind}`), Buffer.concat(files[kind]));
    const script = new URL('../fixtures/recording/read_sealed.py', import.meta.url).pathname;
    const read = JSON.parse(execFileSync(python!, [script, join(directory, 'r')], { encoding: 'utf8' })) as object[];
    expect(read).toHaveLength(bodies.flatMap(([, body]) => body).length);
    expect(read[3]).toMatchObject({ seq: 3, kind: 3, text: 'select $1, $2, $3' });
    expect(read.slice(11, 13)).toMatchObject([
      { seq: 11, kind: 3 },
      { seq: 12, kind: 3 },
    ]);
    expect(read.at(-1)).toMatchObject({ seq: 16, kind: 12, hash: Buffer.from(head).toString('hex') });
    const chain = Buffer.concat(files.chain);
    chain[chain.length - 200]! ^= 1;
    writeFileSync(join(directory, 'r.chain'), chain);
    expect(spawnSync(python!, [script, join(directory, 'r')]).status).not.toBe(0);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

if (!python)
  console.warn('NOT CHECKED: that Python’s standard library reads a sealed recording (python3 is not installed)');
if (!existsSync(path)) throw new Error('the vectors are missing');
