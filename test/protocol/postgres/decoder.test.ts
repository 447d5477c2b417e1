import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../../src/protocol/postgres/decoder.ts';
import { backendType, bytesOf, encodeMessage, frontendType } from '../../../src/protocol/postgres/messages.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { act, client, converse, kinds, outcomes, play, refusals, server, statements } from '../../support/wire.ts';

const latin1 = (...messages: Uint8Array[]): string => Buffer.concat(messages).toString('latin1');
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

describe('a simple query', () => {
  it('is one statement with its whole text, and one outcome', () => {
    const question = say.query('select 1; insert into t values (1), (2)');
    const answers = [
      answer.columns(),
      answer.row('1'),
      answer.complete('SELECT 1'),
      answer.complete('INSERT 0 2'),
      answer.ready(),
    ];
    const course = converse([client(question), server(...answers)]);
    expect(kinds(course)).toEqual(['query', 'outcome']);
    expect(text(statements(course, 'query')[0]!.text)).toBe('select 1; insert into t values (1), (2)');
    expect(outcomes(course)[0]).toMatchObject({ of: 0, status: 'ok', tag: 'SELECT 1; INSERT 0 2', rows: 3 });
    expect(course.toServer).toBe(latin1(question));
    expect(course.toClient).toBe(latin1(...answers));
    expect(course).toMatchObject({ end: null, heldBytes: 0 });
  });

  it('that is empty has an outcome without a tag', () => {
    const course = converse([client(say.query('')), server(answer.empty(), answer.ready())]);
    expect(outcomes(course)).toEqual([{ kind: 'outcome', of: 0, status: 'ok', durationMicros: 0 }]);
  });

  it('counts what CREATE TABLE AS made, and what INSERT … RETURNING gave once', () => {
    const course = converse([
      client(say.query('create table t as select generate_series(1, 7); insert into t values (1) returning *')),
      server(answer.complete('SELECT 7'), answer.columns(), answer.row('1'), answer.complete('INSERT 0 1')),
      server(answer.ready()),
    ]);
    expect(outcomes(course)[0]!.rows).toBe(8);
  });

  it('that fails has the error, and what ran before it', () => {
    const course = converse([
      client(say.query('delete from t; select 1/0')),
      server(answer.complete('DELETE 3'), answer.error('22012', 'division by zero'), answer.ready()),
    ]);
    const expected = { status: 'error', tag: 'DELETE 3', errorCode: '22012', errorMessage: 'division by zero' };
    expect(outcomes(course)).toMatchObject([expected]);
  });

  it('runs a second one that was sent ahead, in order', () => {
    const course = converse([
      client(say.query('select 1'), say.query('select 2')),
      server(answer.columns(), answer.row('1'), answer.complete('SELECT 1'), answer.ready()),
      server(answer.columns(), answer.row('2'), answer.complete('SELECT 1'), answer.ready()),
    ]);
    expect(outcomes(course).map(({ of, status }) => [of, status])).toEqual([
      [0, 'ok'],
      [1, 'ok'],
    ]);
  });

  it('takes notices, notifications and settings at any moment', () => {
    const course = converse([
      server(answer.notification('orders', 'new')),
      client(say.query('set client_encoding = latin1')),
      server(answer.notice('hm'), answer.setting('client_encoding', 'LATIN1'), answer.complete('SET'), answer.ready()),
      client(say.query('select 2')),
    ]);
    expect(course.events[1]).toEqual({ kind: 'state', name: 'client_encoding', value: 'LATIN1' });
    expect(statements(course, 'query').map(({ encoding }) => encoding)).toEqual([undefined, 'LATIN1']);
  });

  it('begins with the state of the greeting', () => {
    const greeting = Buffer.concat([
      answer.setting('client_encoding', 'SJIS'),
      answer.setting('DateStyle', 'ISO'),
      answer.ready(),
    ]);
    expect(statements(converse([client(say.query('x'))], { greeting }), 'query')[0]!.encoding).toBe('SJIS');
  });
});

describe('FunctionCall', () => {
  const call = encodeMessage(
    frontendType.functionCall,
    Buffer.from([0, 0, 4, 0xd2, 0, 0, 0, 2, 0, 0, 0, 1, 0x35, 0xff, 0xff, 0xff, 0xff, 0, 1]),
  );

  it('is recorded in full', () => {
    const course = converse([client(call), server(answer.functionResult('ok'), answer.ready())]);
    expect(statements(course, 'function-call')[0]).toMatchObject({
      functionId: 1234,
      parameters: [
        { type: 0, format: 0, value: new Uint8Array(Buffer.from('5')) },
        { type: 0, format: 0, value: null },
      ],
      resultFormats: [1],
    });
    expect(outcomes(course)[0]).toMatchObject({ status: 'ok', resultBytes: 11 });
  });

  it('that fails', () => {
    const course = converse([client(call), server(answer.error('42883'), answer.ready())]);
    expect(outcomes(course)[0]).toMatchObject({ status: 'error', errorCode: '42883' });
  });

  it('that is sent behind an error is skipped', () => {
    const course = converse([
      client(say.parse('', 'nonsense')),
      server(answer.error('42601')),
      client(call, say.query('select 1'), say.sync()),
      server(answer.ready()),
    ]);
    expect(outcomes(course).map(({ status }) => status)).toEqual(['error', 'skipped', 'skipped']);
    expect(course.end).toBeNull();
  });
});

describe('the end of a stream', () => {
  const running = [client(say.query('select 1'), say.query('select 2')), server(answer.columns())];

  it.each([
    ['resource-ended', { by: 'resource', reason: 'resource-closed' }],
    ['abort', { by: 'refused', reason: 'HOOP_RECORDER' }],
  ] as const)('%s: what is in flight becomes unknown', (what, end) => {
    const course = converse([...running, act(what), client(say.query('late')), act('cancel')]);
    expect(outcomes(course).map(({ status }) => status)).toEqual(['unknown', 'unknown']);
    expect(course.end).toEqual(end);
    expect(kinds(course)).not.toContain('cancel');
    expect(statements(course, 'query')).toHaveLength(2);
  });

  it('an abort tells the client why, in its own protocol', () => {
    const course = converse([...running, act('abort')]);
    expect(course.toClient).toContain('SFATAL\0VFATAL\0C58030\0Mthe record cannot be written\0');
  });

  it('says nothing in the middle of a row: it would be taken for a piece of the row', () => {
    const row = answer.row('a long row').subarray(0, 9);
    const course = converse([...running, server(row), act('abort')]);
    expect(course.toClient).toBe(latin1(answer.columns(), row));
  });

  it('Terminate with answers outstanding: the client ended it, outcomes stay unknown', () => {
    const course = converse([
      client(say.query('select 1'), say.terminate()),
      act('client-ended'),
      act('resource-ended'),
    ]);
    expect(kinds(course)).toEqual(['query', 'terminate', 'outcome']);
    expect(outcomes(course)[0]!.status).toBe('unknown');
    expect(course.end).toEqual({ by: 'client', reason: 'client-closed' });
    expect(converse([client(say.terminate()), act('abort')]).toClient).toBe('');
  });

  it('a half-close still gets its answers', () => {
    const answers = [answer.columns(), answer.complete('SELECT 0'), answer.ready()];
    const course = converse([client(say.query('select')), act('client-ended'), server(...answers)]);
    expect(outcomes(course)[0]!.status).toBe('ok');
    expect(course.toClient).toBe(latin1(...answers));
    expect(course.end).toBeNull();
  });

  it('an error that was told before the end is no unknown outcome', () => {
    const course = converse([client(say.query('x')), server(answer.error('42601')), act('resource-ended')]);
    expect(outcomes(course)).toMatchObject([{ status: 'error', errorCode: '42601' }]);
  });

  it.each([
    ['a query', [say.query('select pg_sleep(9)')], ['error']],
    ['a Sync', [say.sync()], ['error']],
    ['a Parse', [say.parse('', 'x'), say.bind('', ''), say.execute('')], ['error', 'unknown']],
  ])('a server that goes down during %s', (_name, questions, statuses) => {
    const course = converse([client(...questions), server(answer.fatal('57P01')), act('resource-ended')]);
    expect(outcomes(course).map(({ status }) => status)).toEqual(statuses);
    expect(refusals(course)).toEqual([]);
  });

  it('a server that ends an idle session says so unasked', () => {
    const course = converse([server(answer.fatal('57P05')), act('resource-ended')]);
    expect(course.toClient).toBe(latin1(answer.fatal('57P05')));
    expect(course.events).toEqual([]);
  });
});

describe('cancel', () => {
  it('is aimed at the statement in flight, whose outcome says so', () => {
    const course = converse([
      client(say.query('select pg_sleep(9)')),
      act('cancel'),
      server(answer.error('57014', 'canceling statement due to user request'), answer.ready()),
      client(say.query('select pg_sleep(8)')),
      server(answer.error('57014', 'canceling statement due to statement timeout'), answer.ready()),
    ]);
    expect(course.events[1]).toEqual({ kind: 'cancel', of: 0 });
    expect(outcomes(course).map(({ status }) => status)).toEqual(['cancelled', 'error']);
  });

  it('of nothing is recorded, too', () => {
    expect(converse([act('cancel')]).events).toEqual([{ kind: 'cancel' }]);
  });
});

describe('what a client may not send', () => {
  const header = (type: string, length: number) => {
    const bytes = Buffer.alloc(5);
    bytes.write(type, 'latin1');
    bytes.writeUInt32BE(length, 1);
    return bytes;
  };
  it.each([
    ['a password after the login', encodeMessage(frontendType.password, bytesOf('x\0')), 'unknown-message'],
    ['an unknown letter', header('?', 4), 'unknown-message'],
    ['a second StartupMessage', Buffer.from('\0\0\0\x08\x04\xd2\x16\x2f', 'latin1'), 'unknown-message'],
    ['a byte that is no letter', header('\x16', 4), 'unknown-message'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'unknown-message'],
    ['a length below its own four bytes', header('Q', 3), 'bad-length'],
    ['a negative length', header('Q', 0x80000000), 'bad-length'],
    ['a length of 2^32 - 1', header('Q', 0xffffffff), 'bad-length'],
    ['a message over the bound', header('Q', 1_000_000), 'message-too-long'],
    ['a query without its NUL', encodeMessage(frontendType.query, bytesOf('select 1')), 'bad-message'],
    ['a query with something behind its NUL', encodeMessage(frontendType.query, bytesOf('a\0b\0')), 'surplus-bytes'],
    ['a Sync with a body', encodeMessage(frontendType.sync, bytesOf('x')), 'surplus-bytes'],
    ['a Flush with a body', encodeMessage(frontendType.flush, bytesOf('x')), 'surplus-bytes'],
    ['a Terminate with a body', encodeMessage(frontendType.terminate, bytesOf('x')), 'surplus-bytes'],
    ['a Describe of nothing known', encodeMessage(frontendType.describe, bytesOf('Xa\0')), 'bad-message'],
    ['a message after Terminate', Buffer.concat([say.terminate(), say.query('drop table t')]), 'after-terminate'],
  ])('%s', (_name, bytes, reason) => {
    const course = converse([client(say.query('select 1'), bytes), client(say.query('select 2'))]);
    expect(refusals(course)).toEqual([reason]);
    expect(course.end).toEqual({ by: 'refused', reason });
    const terminate = reason === 'after-terminate' ? [say.terminate()] : [];
    expect(course.toServer).toBe(latin1(say.query('select 1'), ...terminate));
    expect(course.toClient).toMatch(/^E.*SFATAL.*C08P01.*refused/s);
    expect(outcomes(course)).toMatchObject([{ of: 0, status: 'unknown' }]);
  });

  it('half a message, and then the end', () => {
    const course = converse([client(say.query('drop table t').subarray(0, -1)), act('client-ended')]);
    expect(refusals(course)).toEqual(['truncated']);
    expect(course.toServer).toBe('');
  });

  it('holds no more than the bound of an incomplete message', () => {
    expect(play([client(say.query('x'.repeat(900_000)).subarray(0, -1))]).heldBytes).toBe(900_005);
  });
});

describe('a record that cannot be written', () => {
  it('throws, and nothing of that step ever leaves', () => {
    let room = 1;
    const decoder = createDecoder({
      sink: {
        append: () => {
          if (room-- > 0) return 0;
          throw new Error('disk full');
        },
      },
      clock: { nowMicros: () => 0, monotonicMicros: () => 0 },
      messageBytesMax: 1000,
      greeting: new Uint8Array(0),
    });
    expect(() => decoder.client(Buffer.concat([say.parse('', 'a'), say.query('b')]))).toThrow('disk full');
    const step = decoder.abort('HOOP_RECORDER', 'the disk is full');
    expect(step.toResource).toEqual([]);
    expect(latin1(...step.toClient)).toContain('the disk is full');
  });
});

describe('a type byte the server never sends now', () => {
  it.each(['authentication', 'backendKeyData', 'negotiateProtocolVersion', 'copyBothResponse'] as const)(
    '%s',
    (name) => {
      const course = converse([client(say.query('x')), server(encodeMessage(backendType[name], Buffer.alloc(8)))]);
      expect(refusals(course)).toEqual(['desync']);
      expect(course.toClient).not.toContain(String.fromCharCode(backendType[name]) + '\0\0\0\x0c');
    },
  );
});
