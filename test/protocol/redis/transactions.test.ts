import { expect, test } from 'vitest';
import { act, asks, converse, record, resp3, says } from '../../support/redis-wire.ts';

test('MULTI: recorded when queued, and the outcome of each is what EXEC said of it', () => {
  const course = converse([
    asks('MULTI', 'SET a 1', 'INCR s', 'LRANGE l 0 -1', 'EXEC', 'PING'),
    says('+OK|+QUEUED|+QUEUED|+QUEUED|*3|+OK|-ERR not an integer|*2|$1|x|*1|:1|+PONG|'),
  ]);
  expect(record(course)).toEqual([
    'MULTI → ok OK',
    'SET a 1 → ok OK',
    'INCR s → error ERR',
    'LRANGE l 0 -1 → ok array of 2',
    'EXEC → ok array of 3',
    'PING → ok PONG',
  ]);
  const results = course.events.filter((event) => event.kind === 'outcome' && event.resultDigest);
  expect(results.map((event) => 'resultBytes' in event && event.resultBytes)).toEqual([19, 49]);
});

test.each([
  ['*-1|', 'skipped', 'ok (nil)', undefined],
  ['_|', 'skipped', 'ok (nil)', resp3],
  ['-EXECABORT Transaction discarded because of previous errors.|', 'skipped', 'error EXECABORT', undefined],
])('EXEC that runs nothing (%j) skips what was queued', (answer, queued, exec, greeting) => {
  const course = converse([asks('MULTI', 'SET a 1', 'EXEC'), says(`+OK|+QUEUED|${answer}`)], {
    ...(greeting && { greeting }),
  });
  expect(record(course)).toEqual(['MULTI → ok OK', `SET a 1 → ${queued}`, `EXEC → ${exec}`]);
});

test('DISCARD skips; outside of MULTI both are errors; MULTI in MULTI changes nothing', () => {
  const course = converse([
    asks('MULTI', 'SET a 1', 'MULTI', 'WATCH a', 'DISCARD', 'EXEC', 'DISCARD'),
    says('+OK|+QUEUED|-ERR MULTI calls can not be nested|-ERR WATCH inside MULTI is not allowed|+OK|'),
    says('-ERR EXEC without MULTI|-ERR DISCARD without MULTI|'),
  ]);
  expect(record(course)).toEqual([
    'MULTI → ok OK',
    'SET a 1 → skipped',
    'MULTI → error ERR',
    'WATCH a → error ERR',
    'DISCARD → ok OK',
    'EXEC → error ERR',
    'DISCARD → error ERR',
  ]);
});

test('a refused command spoils its transaction: the server gets DISCARD, the client EXECABORT', () => {
  const course = converse([asks('MULTI', 'SET a 1', 'MONITOR', 'EXEC', 'PING'), says('+OK|+QUEUED|+OK|+PONG|')]);
  expect(record(course)).toEqual([
    'MULTI → ok OK',
    'SET a 1 → skipped',
    'MONITOR → refused ERR',
    'EXEC → error EXECABORT',
    'PING → ok PONG',
  ]);
  expect(course.toServer).toMatch(/\$7\r\nDISCARD\r\n\*1\r\n\$4\r\nPING\r\n$/);
  expect(course.toServer).not.toContain('EXEC');
  expect(course.toClient).toMatch(/^\+OK\r\n\+QUEUED\r\n-ERR hoop refused MONITOR.*\r\n-EXECABORT .*\r\n\+PONG\r\n$/);
});

test('a transaction after one that was spoilt is a new one; and a MULTI that the server did not take makes no transaction', () => {
  const course = converse([
    asks('MULTI', 'MONITOR', 'EXEC', 'MULTI', 'SET a 1', 'EXEC'),
    says('+OK|+OK|+OK|+QUEUED|*1|+OK|'),
    asks('MULTI', 'MONITOR', 'EXEC'),
    says('-NOPERM no|-ERR DISCARD without MULTI|'),
  ]);
  expect(record(course).slice(3, 6)).toEqual(['MULTI → ok OK', 'SET a 1 → ok OK', 'EXEC → ok array of 1']);
  expect(record(course).at(-1)).toBe('EXEC → error EXECABORT');
});

test('EXEC and DISCARD with arguments, which end a transaction at some servers only, are answered here', () => {
  const course = converse([
    asks('MULTI', 'SET a 1', 'EXEC x', 'DISCARD x', 'MULTI x', 'EXEC', 'PING'),
    says('+OK|+QUEUED|+OK|+PONG|'),
  ]);
  expect(record(course)).toEqual([
    'MULTI → ok OK',
    'SET a 1 → skipped',
    'EXEC x → refused ERR',
    'DISCARD x → refused ERR',
    'MULTI x → refused ERR',
    'EXEC → error EXECABORT',
    'PING → ok PONG',
  ]);
  expect(course.toClient).toContain("-ERR wrong number of arguments for 'discard' command\r\n");
});

test('more or fewer answers than commands end the stream', () => {
  const course = converse([asks('MULTI', 'SET a 1', 'EXEC'), says('+OK|+QUEUED|*2|+OK|+OK|')]);
  expect(record(course)).toEqual(['MULTI → ok OK', 'SET a 1 → unknown', 'EXEC → unknown', 'refusal desync']);
});

test('a value that says QUEUED outside of a transaction is a value', () => {
  expect(record(converse([asks('EVAL x 0'), says('+QUEUED|')]))).toEqual(['EVAL x 0 → ok QUEUED']);
});

test('the connection ends: nothing was run without EXEC; with one sent, nobody knows', () => {
  const without = converse([asks('MULTI', 'SET a 1'), says('+OK|+QUEUED|'), act('resource-ended')]);
  expect(record(without)).toEqual(['MULTI → ok OK', 'SET a 1 → skipped']);
  const unread = converse([asks('MULTI', 'SET a 1', 'EXEC'), act('resource-ended')]);
  expect(record(unread)).toEqual(['MULTI → unknown', 'SET a 1 → unknown', 'EXEC → unknown']);
  const sent = converse([asks('MULTI', 'SET a 1', 'EXEC'), says('+OK|+QUEUED|'), act('resource-ended')]);
  expect(record(sent)).toEqual(['MULTI → ok OK', 'SET a 1 → unknown', 'EXEC → unknown']);
});

test('a push between the answers of EXEC belongs to none of them', () => {
  const push = '>2|$10|invalidate|*1|$1|a|';
  const plain = converse([asks('MULTI', 'GET a', 'GET b', 'EXEC'), says('+OK|+QUEUED|+QUEUED|*2|$1|x|$1|y|')], {
    greeting: resp3,
  });
  const pushed = converse([asks('MULTI', 'GET a', 'GET b', 'EXEC'), says(`+OK|+QUEUED|+QUEUED|*2|$1|x|${push}$1|y|`)], {
    greeting: resp3,
  });
  expect(pushed.events).toEqual(plain.events);
  expect(pushed.toClient).toContain('invalidate');
});
