import { describe, expect, test } from 'vitest';
import { act, asks, converse, raw, record, resp3, says } from '../../support/redis-wire.ts';

describe('commands and answers', () => {
  test('a pipeline: each answer belongs to its command', () => {
    const course = converse([
      asks('SET a 1', 'GET a', 'LRANGE l 0 -1', 'HGETALL h', 'INCR s', ['ECHO', '']),
      says('+OK|$1|1|*2|$1|x|$-1|*0|-WRONGTYPE Operation against a key|$0||'),
    ]);
    expect(record(course)).toEqual([
      'SET a 1 → ok OK',
      'GET a → ok string of 1 bytes',
      'LRANGE l 0 -1 → ok array of 2',
      'HGETALL h → ok array of 0',
      'INCR s → error WRONGTYPE',
      'ECHO "" → ok string of 0 bytes',
    ]);
    expect(course.toClient).toContain('+OK\r\n$1\r\n1\r\n*2\r\n');
    expect(course.toServer).toMatch(/^\*3\r\n\$3\r\nSET\r\n/);
    expect(course.end).toBeNull();
  });

  test('every type of RESP3 is one answer', () => {
    const replies = ['_|', '#t|', '#f|', ',1.5|', '(12345678901234567890|', '=15|txt:Some string|', '!9|ERR wrong|'];
    const nested = ['%2|+a|:1|+b|*2|$1|x|_|', '~2|:1|:2|', '*-1|', '*1|%1|$1|k|~1|*0|'];
    const all = [...replies, ...nested];
    const course = converse([asks(...all.map(() => 'GET k')), says(all.join(''))], { greeting: resp3 });
    expect(record(course).map((line) => line.slice(8))).toEqual([
      'ok (nil)',
      'ok (true)',
      'ok (false)',
      'ok (double) 1.5',
      'ok (big number) 12345678901234567890',
      'ok string of 15 bytes',
      'error ERR',
      'ok map of 2',
      'ok set of 2',
      'ok (nil)',
      'ok array of 1',
    ]);
    expect(course.toClient).toBe(all.join('').replaceAll('|', '\r\n'));
  });

  test('binary arguments and long values are whole in the record and on the wire', () => {
    const value = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 256));
    const course = converse([
      asks(['SET', 'k', value], 'GET k'),
      says(`+OK|$5000|${value.toString('latin1').replaceAll('|', '/')}|`),
    ]);
    expect(course.events[0]).toMatchObject({
      arguments: [Buffer.from('SET'), Buffer.from('k'), value].map((one) => new Uint8Array(one)),
    });
    expect(course.events.at(-1)).toMatchObject({ resultBytes: 5009 });
  });

  test('an answer that nothing asked for ends the stream', () => {
    for (const answer of ['+OK|', '*3|$7|message|$1|c|$1|m|', '$3|abc|']) {
      const course = converse([says(answer)]);
      expect([record(course), course.toClient]).toEqual([
        ['refusal desync'],
        expect.stringMatching(/^-ERR hoop refused/),
      ]);
    }
  });

  test.each(['?1|', '|1|', '$3|abcd|', '$x|', '*-2|', ':1', '|', '*1|$?|', '$70|' + 'x'.repeat(70) + 'x|', '>1|'])(
    'bytes that are no answer (%j) end the stream, once',
    (bytes) => {
      const course = converse([asks('GET k'), says(`${bytes}\n\n`)]);
      expect(record(course).filter((line) => line !== 'refusal desync')).toEqual(['GET k → unknown']);
    },
  );

  test('an attribute, which no server sends unless it is told to by DEBUG, ends the stream', () => {
    const attribute = { server: Buffer.from('|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n') };
    const course = converse([asks('GET k'), attribute], { greeting: resp3 });
    expect([record(course), course.end?.reason]).toEqual([['GET k → unknown', 'refusal desync'], 'desync']);
  });

  test('a refusal names the command as one knows it, with its second word where that belongs to the name', () => {
    const { toClient } = converse([asks('MONITOR now', 'CONFIG SET a b', 'client')]);
    expect(toClient.match(/refused [^:]+:/g)).toEqual(['refused MONITOR:', 'refused CONFIG SET:', 'refused client:']);
  });

  test('nested too deep', () => {
    const course = converse([asks('GET k'), says('*1|'.repeat(1026))]);
    expect(record(course)).toEqual(['GET k → unknown', 'refusal desync']);
  });

  test('a client that is gone leaves what it asked unknown; a command that is cut off was never sent', () => {
    expect(record(converse([asks('BLPOP l 0'), act('client-ended'), act('resource-ended')]))).toEqual([
      'BLPOP l 0 → unknown',
    ]);
    const cut = converse([raw('*1\r\n$4\r\nPI'), act('client-ended')]);
    expect([record(cut), cut.toServer, cut.end?.reason]).toEqual([['refusal truncated'], '', 'truncated']);
    expect(converse([act('client-ended'), act('resource-ended')]).end).toEqual({
      by: 'client',
      reason: 'client-closed',
    });
    expect(converse([act('resource-ended')]).end).toEqual({ by: 'resource', reason: 'resource-closed' });
  });

  test('aborted: whoever waits for an answer is told, whoever does not is not', () => {
    const waiting = converse([asks('BLPOP l 0'), act('abort'), asks('GET k')]);
    expect(waiting.toClient).toBe('-ERR the record cannot be written\r\n');
    expect(record(waiting)).toEqual(['BLPOP l 0 → unknown']);
    expect(converse([act('abort')]).toClient).toBe('');
    const inside = converse([asks('LRANGE l 0 -1'), says('*2|$1|'), act('abort')]);
    expect(inside.toClient).not.toContain('ERR');
  });

  test('a cancel names the command that runs', () => {
    const course = converse([asks('BLPOP l 0'), act('cancel')]);
    expect(course.events.at(-1)).toEqual({ kind: 'cancel', of: 0 });
    expect(converse([act('cancel')]).events).toEqual([{ kind: 'cancel' }]);
    expect(converse([act('abort'), act('cancel')]).events).toEqual([]);
  });

  test('draining: what runs is answered, what is new is refused, then it ends', () => {
    const course = converse([asks('BLPOP l 0'), act('drain'), asks('SET a 1'), says('*2|$1|l|$1|x|'), asks('SET b 1')]);
    expect(record(course)).toEqual(['BLPOP l 0 → ok array of 2', 'SET a 1 → refused ERR']);
    expect(course.toClient).toMatch(/^\*2\r\n.*-ERR hoop: the gateway is stopping; it was not forwarded\r\n$/s);
    expect(course.end).toEqual({ by: 'refused', reason: 'gateway_stopped' });
    expect(course.toServer).not.toContain('SET');
    expect(converse([act('drain')]).end?.reason).toBe('gateway_stopped');
  });

  test('QUIT is answered after what came before it, and nothing behind it is read', () => {
    const course = converse([asks('GET k', 'QUIT', 'SET a 1'), asks('SET b 1'), act('client-ended'), says('$1|v|')]);
    expect(record(course)).toEqual(['GET k → ok string of 1 bytes', 'QUIT → ok OK']);
    expect(course.toClient).toBe('$1\r\nv\r\n+OK\r\n');
    expect(course.end).toEqual({ by: 'client', reason: 'client-closed' });
  });
});
