import { describe, expect, it } from 'vitest';
import type { EntryBody } from '../../src/recording/entry.ts';
import { statementsOf } from '../../src/recording/timeline.ts';
import type { StatementEvent } from '../../src/protocol/event.ts';
import { collect, each, query, showBytes } from '../support/recorder.ts';

const bytes = (text: string) => Buffer.from(text);
const asked = (verb: string, rest: Partial<StatementEvent> = {}): StatementEvent => ({
  kind: 'statement',
  verb,
  expectsOutcome: true,
  ...rest,
});
const ok = (of: number): EntryBody => ({ kind: 'outcome', of, status: 'ok' });

/** Entry bodies, numbered from 0, on stream 1 unless said otherwise. */
function shown(bodies: (EntryBody | [number, EntryBody])[], waitingMax = 4096) {
  const entries = bodies.map((item, seq) => {
    const [stream, body] = Array.isArray(item) ? item : [1, item];
    const none = new Uint8Array(32);
    return {
      header: {
        kind: body.kind,
        stream,
        seq,
        events: 1,
        timeMicros: seq * 1000,
        payloadBytes: 0,
        commitment: none,
        previous: none,
      },
      body,
    };
  });
  return collect(statementsOf(each(entries), { session: 's', renderParameter: showBytes, waitingMax }));
}

describe('what a person reads of a session', () => {
  it('gives an execution its text and parameters, NULL told from empty', async () => {
    const parameters = [
      { type: 0, format: 0, value: bytes('42') },
      { type: 25, format: 0, value: null },
      { type: 25, format: 1, value: bytes('') },
    ];
    const items = await shown([
      asked('parse', { text: bytes('select $1, $2, $3'), statementName: bytes('s1'), parameterTypes: [23, 25, 25] }),
      asked('bind', { of: 0, portalName: bytes(''), statementName: bytes('s1'), parameters }),
      asked('execute', { of: 1, portalName: bytes(''), rowLimit: 10 }),
      asked('sync', { expectsOutcome: false }),
      ok(0),
      ok(1),
      {
        kind: 'outcome',
        of: 2,
        status: 'ok',
        tag: 'SELECT 1',
        rows: 1,
        durationMicros: 7,
        resultDigest: Buffer.alloc(32),
        resultBytes: 9,
      },
    ]);
    expect(items).toEqual([
      {
        session: 's',
        seq: 2,
        stream: 1,
        at: '1970-01-01T00:00:00.002Z',
        verb: 'execute',
        text: 'select $1, $2, $3',
        rowLimit: 10,
        parameters: [
          { type: 23, format: 0, base64: 'NDI=', shown: '42' },
          { type: 25, format: 0, base64: null, shown: 'NULL' },
          { type: 25, format: 1, base64: '', shown: '' },
        ],
        outcome: {
          status: 'ok',
          tag: 'SELECT 1',
          rows: 1,
          durationMicros: 7,
          resultSha256: '0'.repeat(64),
          resultBytes: 9,
        },
      },
    ]);
  });

  it('shows every repeat execution of a prepared statement, with its own parameters', async () => {
    const bind = (value: string) =>
      asked('bind', { of: 0, portalName: bytes(''), parameters: [{ type: 23, format: 0, value: bytes(value) }] });
    const items = await shown([
      asked('parse', { text: bytes('select $1'), statementName: bytes('s') }),
      ok(0),
      bind('1'),
      asked('execute', { of: 2 }),
      ok(2),
      ok(3),
      bind('2'),
      asked('execute', { of: 6 }),
      ok(6),
      ok(7),
      bind('3'),
      asked('execute', { of: 10 }),
      ok(10),
      ok(11),
    ]);
    expect(items.map(({ text, parameters }) => [text, parameters[0]?.shown])).toEqual([
      ['select $1', '1'],
      ['select $1', '2'],
      ['select $1', '3'],
    ]);
  });

  it('executes the old text when the new definition of a name was refused by the server', async () => {
    const parse = (text: string) => asked('parse', { text: bytes(text), statementName: bytes('s1') });
    const items = await shown([
      parse('A'),
      ok(0),
      parse('B'),
      { kind: 'outcome', of: 2, status: 'error', errorCode: '42601' } as const,
      asked('bind', { of: 0 }),
      asked('execute', { of: 4 }),
      ok(4),
      ok(5),
    ]);
    expect(items.map(({ verb, text, outcome }) => [verb, text, outcome?.status])).toEqual([
      ['parse', 'B', 'error'],
      ['execute', 'A', 'ok'],
    ]);
  });

  describe('where preparations have an outcome only if they fail', () => {
    const quiet = (verb: string, rest: Partial<StatementEvent> = {}) => asked(verb, { expectsOutcome: false, ...rest });
    const parse = (text: string) => quiet('parse', { text: bytes(text), statementName: bytes('s1') });
    const failedAt = (of: number): EntryBody => ({ kind: 'outcome', of, status: 'error', errorCode: '42P05' });
    const skippedAt = (of: number): EntryBody => ({ kind: 'outcome', of, status: 'skipped' });
    const brief = async (...bodies: EntryBody[]) =>
      (await shown(bodies)).map(({ verb, text, outcome }) => [verb, text, outcome?.status]);

    it('executes the old text when a second definition of the name failed, sent in the same pipeline', async () => {
      expect(
        await brief(
          parse('A'),
          quiet('sync'),
          parse('B'),
          quiet('sync'),
          failedAt(2),
          quiet('bind', { of: 0 }),
          asked('execute', { of: 5 }),
          ok(6),
        ),
      ).toEqual([
        ['parse', 'B', 'error'],
        ['execute', 'A', 'ok'],
      ]);
    });

    it('executes the old text when Close and Parse were skipped, those sent after the error too', async () => {
      const close = quiet('close', { statementName: bytes('s1') });
      expect(
        await brief(
          parse('A'),
          quiet('parse', { text: bytes('no sql'), statementName: bytes('') }),
          close,
          failedAt(1),
          parse('B'),
          quiet('bind', { of: 0 }),
          asked('execute', { of: 5 }),
          skippedAt(6),
          quiet('sync'),
          quiet('bind', { of: 0 }),
          asked('execute', { of: 9 }),
          ok(10),
        ),
      ).toEqual([
        ['parse', 'no sql', 'error'],
        ['execute', 'A', 'skipped'],
        ['execute', 'A', 'ok'],
      ]);
    });

    it('shows a bind, a close and a commit that failed, in their place', async () => {
      expect(
        await brief(
          parse('A'),
          quiet('bind', { of: 0 }),
          asked('execute', { of: 1 }),
          failedAt(1),
          skippedAt(2),
          quiet('sync'),
          quiet('close', { statementName: bytes('s1') }),
          failedAt(6),
          quiet('sync'),
          failedAt(8),
          query('select 1'),
          ok(10),
        ),
      ).toEqual([
        ['bind', 'A', 'error'],
        ['execute', 'A', 'skipped'],
        ['close', null, 'error'],
        ['sync', null, 'error'],
        ['query', 'select 1', 'ok'],
      ]);
    });

    it('holds no more of them than it may', async () => {
      const many = Array.from({ length: 100 }, () => parse('A'));
      const items = await shown(
        [...many, { kind: 'stream-close', reason: 'gone' } as EntryBody, query('q'), ok(101)],
        10,
      );
      expect(items.map(({ text }) => text)).toEqual(['q']);
    });
  });

  it('resolves a name that was made by SQL', async () => {
    const items = await shown([
      query('prepare p as select 7'),
      ok(0),
      asked('bind', { of: 0 }),
      asked('execute', { of: 2 }),
      ok(2),
      ok(3),
    ]);
    expect(items.map(({ text }) => text)).toEqual(['prepare p as select 7', 'prepare p as select 7']);
  });

  it('counts the data of a COPY with its statement', async () => {
    const items = await shown([
      query('copy t from stdin'),
      { kind: 'data', of: 0, bytes: bytes('d1234') },
      { kind: 'data', of: 0, bytes: bytes('d56') },
      asked('copy-done', { expectsOutcome: false, of: 0 }),
      { kind: 'outcome', of: 0, status: 'ok', tag: 'COPY 2' },
    ]);
    expect(items).toMatchObject([{ text: 'copy t from stdin', dataBytes: 8, outcome: { tag: 'COPY 2' } }]);
  });

  it('shows refusals and cancels in their place, and what stayed open without an outcome', async () => {
    const items = await shown([
      query('select pg_sleep(9)'),
      { kind: 'cancel', of: 0 },
      { kind: 'outcome', of: 0, status: 'cancelled', errorCode: '57014' },
      { kind: 'refusal', reason: 'function-call', message: 'not allowed', text: bytes('F') },
      query('select 2'),
    ]);
    expect(items.map(({ verb, outcome }) => [verb, outcome?.status])).toEqual([
      ['query', 'cancelled'],
      ['cancel', undefined],
      ['refusal', 'refused'],
      ['query', undefined],
    ]);
    expect(items[2]?.outcome).toEqual({ status: 'refused', errorCode: 'function-call', errorMessage: 'not allowed' });
  });

  it('gives the exact bytes where a text is no UTF-8', async () => {
    const [item] = await shown([asked('query', { text: Buffer.from([0x61, 0xe9]), encoding: 'LATIN1' })]);
    expect(item).toMatchObject({ text: 'a\uFFFD', textBase64: 'Yek=', encoding: 'LATIN1' });
  });

  it('says the encoding of what was prepared, and where a name may stand for something else by now', async () => {
    const [item] = await shown([
      asked('parse', { text: Buffer.from([0xe9]), encoding: 'LATIN1', statementName: bytes('') }),
      asked('bind', { of: 0, portalName: bytes('p') }),
      asked('execute', { of: 1, portalName: bytes('p'), resolved: false }),
      ok(0),
      ok(1),
      ok(2),
    ]);
    expect(item).toMatchObject({ verb: 'execute', textBase64: '6Q==', encoding: 'LATIN1', resolved: false });
  });

  it('keeps names of different streams apart', async () => {
    const parse = (text: string) => asked('parse', { text: bytes(text), statementName: bytes('s') });
    const items = await shown([
      ...([
        [1, parse('one')],
        [2, parse('two')],
        [1, ok(0)],
        [2, ok(1)],
      ] as [number, EntryBody][]),
      ...([
        [1, asked('bind', { of: 0 })],
        [1, asked('execute', { of: 4 })],
        [1, ok(4)],
        [1, ok(5)],
      ] as [number, EntryBody][]),
    ]);
    expect(items).toMatchObject([{ stream: 1, text: 'one' }]);
  });

  it('keeps the order, and does not hold the whole session back for one statement that runs on', async () => {
    const quick = Array.from(
      { length: 50 },
      (_, index) =>
        [
          [2, query(`q${index}`)],
          [2, ok(1 + 2 * index)],
        ] as [number, EntryBody][],
    ).flat();
    const bodies: (EntryBody | [number, EntryBody])[] = [query('slow'), ...quick, ok(0)];
    expect((await shown(bodies)).map(({ seq }) => seq)).toEqual([
      0,
      ...Array.from({ length: 50 }, (_, index) => 1 + 2 * index),
    ]);
    const bounded = await shown(bodies, 10);
    expect(bounded).toHaveLength(51);
    const slow = bounded.findIndex(({ text }) => text === 'slow');
    expect(slow).toBeGreaterThan(10);
    expect(bounded[slow]?.outcome).toEqual({ status: 'ok' });
  });
});
