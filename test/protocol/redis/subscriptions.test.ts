import { expect, test } from 'vitest';
import { asks, converse, record, resp3, says } from '../../support/redis-wire.ts';

test('RESP2: a confirmation for each channel, messages between, and answers again after the last is left', () => {
  const course = converse([
    asks('GET k', 'SUBSCRIBE a b', 'PSUBSCRIBE p*'),
    says('$1|v|*3|$9|subscribe|$1|a|:1|*3|$7|message|$1|a|$1|m|*3|$9|subscribe|$1|b|:2|*3|$10|psubscribe|$2|p*|:3|'),
    says('*4|$8|pmessage|$2|p*|$2|px|$1|m|'),
    asks('GET k', 'PING', 'UNSUBSCRIBE', 'PUNSUBSCRIBE p*', 'LRANGE l 0 -1'),
    says("-ERR Can't execute 'get'|*2|$4|pong|$0||*3|$7|message|$1|a|$1|m|"),
    says('*3|$11|unsubscribe|$1|a|:2|*3|$11|unsubscribe|$1|b|:1|*3|$12|punsubscribe|$2|p*|:0|*2|$7|message|$1|x|'),
  ]);
  expect(record(course)).toEqual([
    'GET k → ok string of 1 bytes',
    'SUBSCRIBE a b → ok 2 subscribed',
    'PSUBSCRIBE p* → ok 3 subscribed',
    'GET k → error ERR',
    'PING → ok array of 2',
    'UNSUBSCRIBE → ok 1 subscribed',
    'PUNSUBSCRIBE p* → ok 0 subscribed',
    'LRANGE l 0 -1 → ok array of 2',
  ]);
});

test('a list that looks like a message is an answer while nothing is subscribed', () => {
  const course = converse([
    asks('LRANGE l 0 -1', 'LRANGE l 0 -1'),
    says('*3|$7|message|$1|a|$1|m|*3|$9|subscribe|$1|a|:1|'),
  ]);
  expect(record(course).map((line) => line.slice(14))).toEqual(['→ ok array of 3', '→ ok array of 3']);
});

test('RESP3: pushes answer nothing but subscriptions', () => {
  const push = '>3|$7|message|$1|a|$1|m|';
  const course = converse(
    [
      asks('SUBSCRIBE a', 'GET k', 'SSUBSCRIBE s', 'UNSUBSCRIBE', 'UNSUBSCRIBE', 'SUNSUBSCRIBE s'),
      says(`>3|$9|subscribe|$1|a|:1|${push}$1|v|>2|$10|invalidate|_|>3|$10|ssubscribe|$1|s|:1|`),
      says('>3|$11|unsubscribe|$1|a|:0|>3|$11|unsubscribe|_|:0|>3|$12|sunsubscribe|$1|s|:0|'),
    ],
    { greeting: resp3 },
  );
  expect(record(course)).toEqual([
    'SUBSCRIBE a → ok 1 subscribed',
    'GET k → ok string of 1 bytes',
    'SSUBSCRIBE s → ok 1 subscribed',
    'UNSUBSCRIBE → ok 0 subscribed',
    'UNSUBSCRIBE → ok 0 subscribed',
    'SUNSUBSCRIBE s → ok 0 subscribed',
  ]);
  expect(course.end).toBeNull();
});

test('a channel may be called as a message is, and twice the same channel counts once', () => {
  const course = converse([
    asks('SUBSCRIBE message message', 'UNSUBSCRIBE'),
    says('*3|$9|subscribe|$7|message|:1|*3|$9|subscribe|$7|message|:1|*3|$11|unsubscribe|$7|message|:0|'),
    asks('GET k'),
    says('$-1|'),
  ]);
  expect(record(course).at(-1)).toBe('GET k → ok (nil)');
});

test('taken away by the server (a moved slot): a push that nobody asked for', () => {
  const course = converse([
    asks('SSUBSCRIBE s'),
    says('*3|$10|ssubscribe|$1|s|:1|*3|$12|sunsubscribe|$1|s|:0|'),
    asks('GET k'),
    says('$-1|'),
  ]);
  expect(record(course)).toEqual(['SSUBSCRIBE s → ok 1 subscribed', 'GET k → ok (nil)']);
});

test('no permission: one error for all channels; inside of MULTI: refused', () => {
  const course = converse([asks('SUBSCRIBE a b', 'GET k', 'MULTI', 'SUBSCRIBE a'), says('-NOPERM no|$-1|+OK|')]);
  expect(record(course)).toEqual([
    'SUBSCRIBE a b → error NOPERM',
    'GET k → ok (nil)',
    'MULTI → ok OK',
    'SUBSCRIBE a → refused ERR',
  ]);
});

test('subscribed, an array that is no message, and that nothing asked for, ends the stream', () => {
  const course = converse([asks('SUBSCRIBE a'), says('*3|$9|subscribe|$1|a|:1|*1|$1|x|')]);
  expect(record(course)).toEqual(['SUBSCRIBE a → ok 1 subscribed', 'refusal desync']);
});

test('a confirmation without a count ends the stream', () => {
  expect(record(converse([asks('SUBSCRIBE a'), says('*2|$9|subscribe|$1|a|')]))).toContain('refusal desync');
});
