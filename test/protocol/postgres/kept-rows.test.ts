import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Event, RowsEvent } from '../../../src/protocol/event.ts';
import { grammar } from '../../../src/protocol/postgres/grammar.ts';
import { renderResult } from '../../../src/protocol/postgres/render-result.ts';
import { limits } from '../../../src/shared/limits.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { client, converse, kinds, outcomes, play, server, type Course, type Turn } from '../../support/wire.ts';

const rows = { results: 'rows' } as const;
const kept = ({ events }: Course): RowsEvent[] =>
  events.filter((event: Event): event is RowsEvent => event.kind === 'rows');
const messages = (course: Course): Buffer =>
  Buffer.concat(
    kept(course).map(({ messages: bytes, messageBytes }) => {
      const plain = gunzipSync(bytes);
      expect(plain).toHaveLength(messageBytes);
      return plain;
    }),
  );
const tables = (course: Course, formats: number[] = []) => renderResult(messages(course), formats);

const select: Turn[] = [
  client(say.query('select c')),
  server(answer.columns('c'), answer.row('one'), answer.row('two'), answer.complete('SELECT 2'), answer.ready()),
];

beforeAll(() => grammar.load());

describe('results: rows', () => {
  it('keeps rows and their columns behind the statement, before its outcome', () => {
    const course = converse(select, rows);
    expect(kinds(course)).toEqual(['query', 'rows', 'outcome']);
    expect(kept(course)[0]).toMatchObject({ of: 0 });
    expect(tables(course)).toEqual([{ columns: ['c'], rows: [['one'], ['two']] }]);
    expect(outcomes(course)).toMatchObject([{ status: 'ok', rows: 2, rowsKept: 2 }]);
  });

  it('keeps nothing where only the digest is asked for', () => {
    const course = converse(select);
    expect(kinds(course)).toEqual(['query', 'outcome']);
    expect(outcomes(course)[0]?.rowsKept).toBeUndefined();
  });

  it('keeps the results of each statement of a Query apart, and COPY data', () => {
    const course = converse(
      [
        client(say.query('select a; copy t to stdout')),
        server(answer.columns('a'), answer.row('1'), answer.complete('SELECT 1')),
        server(
          answer.copyOut(),
          answer.copyData('x\ty\n'),
          answer.copyDone(),
          answer.complete('COPY 1'),
          answer.ready(),
        ),
      ],
      rows,
    );
    expect(tables(course)).toEqual([
      { columns: ['a'], rows: [['1']] },
      { columns: ['COPY data'], rows: [['x\ty\n']] },
    ]);
  });

  it('names the columns of an Execute from what a Describe told', () => {
    const run = [say.bind('', 's'), say.execute(''), say.sync()];
    const answers = [answer.bound(), answer.row('1'), answer.complete('SELECT 1'), answer.ready()];
    const course = converse(
      [
        client(say.parse('s', 'select a'), say.describeStatement('s'), say.sync()),
        server(answer.parsed(), answer.parsed(), answer.parameters(), answer.columns('a'), answer.ready()),
        client(...run),
        server(...answers),
        client(...run),
        server(...answers),
      ],
      rows,
    );
    expect(tables(course)).toEqual([
      { columns: ['a'], rows: [['1']] },
      { columns: ['a'], rows: [['1']] },
    ]);
  });

  it('keeps the first MiB, whole rows only, and says how many', () => {
    const row = answer.row('x'.repeat(100_000));
    const turns = [
      client(say.query('select c')),
      server(
        answer.columns('c'),
        ...Array.from({ length: 20 }, () => row),
        answer.complete('SELECT 20'),
        answer.ready(),
      ),
    ];
    const course = play(turns, undefined, rows);
    expect(outcomes(course)).toMatchObject([{ rows: 20, rowsKept: 10, resultBytes: expect.any(Number) }]);
    expect(tables(course)[0]?.rows).toHaveLength(10);
    expect(messages(course).length).toBeLessThanOrEqual(limits.resultBytesKeptMax);
    expect(kept(course).length).toBeGreaterThan(5);
  });

  it('keeps nothing of what comes behind the first MiB', () => {
    const row = answer.row('x'.repeat(100_000));
    const turns = [
      client(say.query('select c')),
      server(answer.columns('c'), ...Array.from({ length: 12 }, () => row)),
      server(row, row),
      server(answer.row('small'), answer.row('small'), answer.complete('SELECT 16'), answer.ready()),
    ];
    const course = converse(turns, rows);
    expect(outcomes(course)).toMatchObject([{ rows: 16, rowsKept: 10 }]);
    expect(tables(course)[0]?.rows).toHaveLength(10);
  });

  it('keeps the same entries whatever the cuts', () => {
    const turns = [
      client(say.query('select c')),
      server(
        answer.columns('c'),
        ...Array.from({ length: 40 }, (_, index) => answer.row(String(index).repeat(2000))),
        answer.complete('SELECT 40'),
        answer.ready(),
      ),
    ];
    expect(kept(converse(turns, rows)).length).toBeGreaterThan(1);
  });

  it('keeps what came before an error or the loss of the server', () => {
    const begun = [client(say.query('select c')), server(answer.columns('c'), answer.row('1'))];
    const failed = converse([...begun, server(answer.error('22012'), answer.ready())], rows);
    expect(outcomes(failed)).toMatchObject([{ status: 'error', rowsKept: 1 }]);
    const half = server(answer.row('lost').subarray(0, 9));
    const lost = converse([...begun, half, { act: 'resource-ended' }], rows);
    expect(outcomes(lost)).toMatchObject([{ status: 'unknown', rowsKept: 1 }]);
    expect(tables(lost)[0]?.rows).toEqual([['1']]);
  });

  it('keeps no rows of a statement of which something was withheld', () => {
    const course = converse(
      [
        client(say.query("explain select crypt('a', b)")),
        server(answer.columns('c'), answer.row("crypt('a', b)"), answer.complete('EXPLAIN'), answer.ready()),
      ],
      rows,
    );
    expect(kinds(course)).toEqual(['query', 'outcome']);
    expect(outcomes(course)[0]?.resultDigest).toBeUndefined();
  });
});

describe('an error that quotes a secret', () => {
  const quoted = answer.error('42601', 'syntax error at or near "hunter2"');

  it('is not in the outcome of a Query', () => {
    const course = converse([client(say.query('alter user b password hunter2')), server(quoted, answer.ready())]);
    expect(JSON.stringify(outcomes(course))).not.toContain('hunter2');
    expect(outcomes(course)).toMatchObject([{ status: 'error', errorCode: '42601' }]);
    expect(course.toClient).toContain('hunter2');
  });

  it('is not in the outcome of a Parse, a Bind, a Describe or an Execute', () => {
    const text = 'select crypt($1, $2)';
    const sent = client(
      say.parse('', text),
      say.bind('', '', 'hunter2', 'x'),
      say.describePortal(''),
      say.execute(''),
      say.sync(),
    );
    const before = [answer.parsed(), answer.bound(), answer.columns()];
    for (let count = 1; count <= 3; count++) {
      const course = converse([sent, server(...before.slice(0, count), quoted, answer.ready())]);
      expect(JSON.stringify(course.events)).not.toContain('hunter2');
      expect(JSON.stringify(outcomes(course))).toContain('42601');
    }
    const broken = converse([
      client(say.parse('', 'alter user b password hunter2'), say.sync()),
      server(quoted, answer.ready()),
    ]);
    expect(JSON.stringify(broken.events)).not.toContain('hunter2');
  });
});
