import { describe, expect, it } from 'vitest';
import { bytesOf, encodeMessage, frontendType } from '../../../src/protocol/postgres/messages.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { act, client, converse, kinds, outcomes, play, refusals, server, type Course } from '../../support/wire.ts';

const latin1 = (...messages: Uint8Array[]): string => Buffer.concat(messages).toString('latin1');
const copied = ({ events }: Course): string =>
  latin1(...events.flatMap((event) => (event.kind === 'data' ? [event.bytes] : [])));
const copyIn = say.query('copy t from stdin');
const rows = [say.copyData('1\n'), say.copyData('2\n')];
const done = [answer.complete('COPY 2'), answer.ready()];
const begun = Buffer.concat([answer.parsed(), answer.bound(), answer.copyIn()]);
const execute = (text: string) => [say.parse('', text), say.bind('', ''), say.execute('')];

describe('COPY from the client', () => {
  it('is recorded whole, as it was sent', () => {
    const turns = [
      client(copyIn),
      server(answer.copyIn()),
      client(...rows, say.flush(), say.copyDone()),
      server(...done),
    ];
    const course = converse(turns);
    expect(copied(course)).toBe(latin1(...rows));
    expect(kinds(course)).toEqual(['query', 'data', 'copy-done', 'outcome']);
    expect(course.events[1]).toMatchObject({ of: 0 });
    expect(outcomes(course)[0]).toMatchObject({ status: 'ok', tag: 'COPY 2', rows: 2 });
    expect(course.toServer).toBe(latin1(copyIn, ...rows, say.copyDone()));
  });

  it('two in one query, everything sent ahead', () => {
    const all = [say.copyData('a\n'), say.copyDone(), say.copyData('b\n'), say.copyDone(), say.query('select 1')];
    const course = converse([
      client(say.query('copy t from stdin; copy u from stdin'), ...all),
      server(answer.copyIn()),
      server(answer.complete('COPY 1'), answer.copyIn()),
      server(answer.complete('COPY 1'), answer.ready()),
      server(answer.columns(), answer.complete('SELECT 0'), answer.ready()),
    ]);
    expect(kinds(course).join(' ')).toBe('query data copy-done data copy-done query outcome outcome');
    expect(course).toMatchObject({ end: null, heldBytes: 0 });
  });

  it('that the client gives up', () => {
    const course = converse([
      client(copyIn),
      server(answer.copyIn()),
      client(rows[0]!, say.copyFail('no more')),
      server(answer.error('57014', 'COPY from stdin failed: no more'), answer.ready()),
    ]);
    expect(kinds(course)).toEqual(['query', 'data', 'copy-fail', 'outcome']);
    expect(course.events[2]).toMatchObject({ text: new Uint8Array(bytesOf('no more')) });
    expect(outcomes(course)[0]).toMatchObject({ status: 'error', errorCode: '57014' });
  });

  it('that fails in the middle: data that was still on its way goes nowhere', () => {
    const course = converse([
      client(copyIn),
      server(answer.copyIn()),
      client(rows[0]!),
      server(answer.error('22P02'), answer.ready()),
      client(rows[1]!, say.copyDone(), say.query('select 1')),
      server(answer.columns(), answer.complete('SELECT 0'), answer.ready()),
    ]);
    expect(copied(course)).toBe(latin1(rows[0]!));
    expect(course.toServer).toBe(latin1(copyIn, rows[0]!, say.query('select 1')));
    expect(outcomes(course).map(({ status }) => status)).toEqual(['error', 'ok']);
  });

  it('by the extended protocol, with a Sync ahead that the server ignores', () => {
    const course = converse([
      client(...execute('copy t from stdin'), say.sync()),
      server(answer.parsed(), answer.bound(), answer.copyIn()),
      client(say.sync(), ...rows, say.copyDone(), say.sync()),
      server(...done),
    ]);
    expect(outcomes(course)).toMatchObject([{ status: 'ok', tag: 'COPY 2' }]);
    expect(course.end).toBeNull();
  });

  it('by the extended protocol, failing: everything up to the Sync is skipped', () => {
    const course = converse([
      client(...execute('copy t from stdin')),
      server(answer.parsed(), answer.bound(), answer.copyIn()),
      client(rows[0]!),
      server(answer.error('22P02')),
      client(rows[1]!, say.copyDone(), ...execute('drop table t'), say.sync()),
      server(answer.ready()),
    ]);
    expect(outcomes(course).map(({ status }) => status)).toEqual(['error', 'skipped']);
  });

  describe.each([
    ['before the COPY began', [client(...execute('copy t from stdin'), say.sync()), server(begun)]],
    ['while the server was failing', [client(...execute('copy t from stdin')), server(begun), client(say.sync())]],
  ])('that fails at once, its Sync sent %s', (_name, start) => {
    const failed = [...start, server(answer.error('P0001'))];

    it('read after the failure: the server answers it, and goes on', () => {
      const course = converse([
        ...failed,
        server(answer.ready()),
        client(say.copyDone(), ...execute('select 1'), say.sync()),
        server(answer.parsed(), answer.bound(), answer.complete('SELECT 0'), answer.ready()),
      ]);
      expect(outcomes(course).map(({ status }) => status)).toEqual(['error', 'ok']);
      expect(course.toServer).toContain(latin1(say.sync()));
    });

    it('read before the failure: the server waits for another', () => {
      const course = converse([
        ...failed,
        client(...rows, say.copyDone(), say.sync()),
        server(answer.ready()),
        client(...execute('select 1'), say.sync()),
        server(answer.parsed(), answer.bound(), answer.complete('SELECT 0'), answer.ready()),
      ]);
      expect(outcomes(course).map(({ status }) => status)).toEqual(['error', 'ok']);
      expect(copied(course)).toBe('');
    });

    it('nobody knows, and more is sent: it is refused, not called skipped', () => {
      const course = converse([...failed, client(...execute('drop table t'))]);
      expect(refusals(course)).toEqual(['unclear-after-copy']);
      expect(course.toServer).not.toContain('drop table');
    });
  });

  it('that fails with statements behind its Sync: nobody knows whether they ran', () => {
    const course = converse([
      client(...execute('copy t from stdin'), say.sync(), ...execute('drop table t'), say.sync()),
      server(begun, answer.error('P0001')),
    ]);
    expect(refusals(course)).toEqual(['unclear-after-copy']);
    expect(outcomes(course).map(({ status }) => status)).toEqual(['error', 'unknown']);
  });

  it('by a simple query that fails, with a Sync behind it', () => {
    const course = converse([
      client(copyIn, say.sync()),
      server(answer.copyIn(), answer.error('P0001'), answer.ready(), answer.ready()),
      client(say.query('select 1')),
      server(answer.columns(), answer.complete('SELECT 0'), answer.ready()),
    ]);
    expect(outcomes(course).map(({ status }) => status)).toEqual(['error', 'ok']);
  });

  it('sent ahead of the answer waits, and asks for the answer', () => {
    const turns = [client(...execute('copy t from stdin'), ...rows, say.copyDone(), say.sync())];
    const waiting = play(turns);
    expect(waiting.toServer).toBe(latin1(...execute('copy t from stdin'), say.flush()));
    expect(waiting.heldBytes).toBe(latin1(...rows, say.copyDone(), say.sync()).length);
    const course = converse([...turns, server(answer.parsed(), answer.bound(), answer.copyIn()), server(...done)]);
    expect(copied(course)).toBe(latin1(...rows));
    expect(course.toServer.endsWith(latin1(...rows, say.copyDone(), say.sync()))).toBe(true);
  });

  it('for a statement that wants no data goes nowhere', () => {
    const course = converse([
      client(say.query('select 1'), rows[0]!, say.copyDone(), say.copyFail('x')),
      server(answer.columns(), answer.complete('SELECT 0'), answer.ready()),
      client(rows[0]!),
    ]);
    expect(kinds(course)).toEqual(['query', 'outcome']);
    expect(course.toServer).toBe(latin1(say.query('select 1'), say.flush()));
  });

  it('cannot make the gateway hold more than a message', () => {
    const course = converse([client(say.query('x'), say.copyData('x'.repeat(600)), say.copyData('x'.repeat(600)))], {
      messageBytesMax: 1000,
    });
    expect(refusals(course)).toEqual(['too-much-waiting']);
  });

  it('left by the client: what waited is refused, what was sent is known', () => {
    const waited = converse([client(copyIn, ...rows), act('client-ended')]);
    expect(refusals(waited)).toEqual(['client-gone']);
    expect(copied(waited)).toBe('');
    const sent = converse([client(copyIn), server(answer.copyIn()), client(...rows, say.terminate())]);
    expect(kinds(sent)).toEqual(['query', 'data', 'terminate']);
  });

  it.each([
    ['another query', say.query('select 1'), 'message-during-copy'],
    ['a CopyDone with a body', encodeMessage(frontendType.copyDone, bytesOf('x')), 'surplus-bytes'],
    ['a CopyFail without its end', encodeMessage(frontendType.copyFail, bytesOf('x')), 'bad-message'],
    ['an unknown message', encodeMessage(0x7a), 'unknown-message'],
  ])('refuses %s in its midst, and keeps what came before', (_name, bytes, reason) => {
    const course = converse([client(copyIn), server(answer.copyIn()), client(...rows, bytes)]);
    expect(refusals(course)).toEqual([reason]);
    expect(copied(course)).toBe(latin1(...rows));
    expect(course.toServer).toBe(latin1(copyIn, ...rows));
  });
});

describe('COPY to the client', () => {
  it('streams through, counted and digested', () => {
    const answers = [answer.copyOut(), answer.copyData('1\n'), answer.copyData('2\n'), answer.copyDone(), ...done];
    const course = converse([client(say.query('copy t to stdout')), server(...answers)]);
    expect(course.toClient).toBe(latin1(...answers));
    expect(outcomes(course)[0]).toMatchObject({ tag: 'COPY 2', rows: 2, resultBytes: 10 + 7 + 7 });
  });

  it('by the extended protocol', () => {
    const answers = [answer.copyOut(), answer.copyData('1\n'), answer.copyDone(), answer.complete('COPY 1')];
    const course = converse([
      client(...execute('copy t to stdout'), say.sync()),
      server(answer.parsed(), answer.bound(), ...answers, answer.ready()),
    ]);
    expect(outcomes(course)).toMatchObject([{ status: 'ok', rows: 1 }]);
  });

  it('that fails in its midst', () => {
    const course = converse([
      client(say.query('copy t to stdout')),
      server(answer.copyOut(), answer.copyData('1\n'), answer.error('57014'), answer.ready()),
    ]);
    expect(outcomes(course)[0]).toMatchObject({ status: 'error', errorCode: '57014' });
  });

  it('is not bounded by the size of a message, and never held', () => {
    const big = answer.copyData('x'.repeat(5000));
    const turns = [client(say.query('copy t to stdout')), server(answer.copyOut(), big.subarray(0, 4000))];
    const course = play(turns, undefined, { messageBytesMax: 1000 });
    expect(course).toMatchObject({ heldBytes: 0, end: null });
    expect(course.toClient).toHaveLength(answer.copyOut().length + 4000);
  });
});
