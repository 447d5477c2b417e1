import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Scripts } from '../../../src/protocol/redis/scripts.ts';
import { asks, converse, record, resp3, says } from '../../support/redis-wire.ts';

const sha = (body: string) => createHash('sha1').update(body).digest('hex');
const body = "return redis.call('get', KEYS[1])";
const library = "#!lua name=mylib\nredis.register_function('my_function', function(keys, args) return 1 end)";

describe('scripts', () => {
  test('a SHA whose body went by is the script of that entry; in either case of letters', () => {
    const course = converse([
      asks(
        ['EVAL', body, '1', 'k'],
        ['EVALSHA', sha(body), '1', 'k'],
        ['evalsha_ro', sha(body).toUpperCase(), '1', 'k'],
      ),
      says('$-1|$-1|$-1|'),
      asks(['SCRIPT', 'LOAD', 'return 2'], ['EVALSHA', sha('return 2'), '0']),
      says(`$40|${sha('return 2')}|:2|`),
    ]);
    expect(record(course)).toMatchObject([
      expect.stringContaining('→ ok (nil)'),
      `EVALSHA ${sha(body)} 1 k (of 0) → ok (nil)`,
      `evalsha_ro ${sha(body).toUpperCase()} 1 k (of 0) → ok (nil)`,
      expect.stringContaining('SCRIPT LOAD "return 2" → ok string of 40 bytes'),
      `EVALSHA ${sha('return 2')} 0 (of 6) → ok (integer) 2`,
    ]);
  });

  test('a SHA whose body never went by is answered NOSCRIPT here, in its place, and SCRIPT EXISTS does not know it either', () => {
    const course = converse([
      asks('GET k', ['EVALSHA', sha(body), '0'], ['SCRIPT', 'EXISTS', sha(body)], 'EVALSHA'),
      says('$-1|*1|:0|-ERR wrong number of arguments|'),
    ]);
    expect(record(course)).toEqual([
      'GET k → ok (nil)',
      `EVALSHA ${sha(body)} 0 → refused NOSCRIPT`,
      `SCRIPT EXISTS ${sha(body)} → ok array of 1`,
      'EVALSHA → error ERR',
    ]);
    expect(course.toClient).toMatch(/^\$-1\r\n-NOSCRIPT No matching script\. Please use EVAL\./);
    expect(course.toServer).not.toContain(sha(body));
  });

  test('of very many scripts the oldest are forgotten: the client is asked for the body again', () => {
    const scripts = new Scripts();
    for (let index = 0; index <= 10_000; index++) scripts.saw(Buffer.from(`return ${index}`), index);
    const entryOf = (index: number) => scripts.bodyOf(Buffer.from(sha(`return ${index}`)));
    expect([entryOf(0), entryOf(1), entryOf(10_000)]).toEqual([undefined, 1, 10_000]);
  });
});

describe('functions', () => {
  const load = (code: string) => ['FUNCTION', 'LOAD', 'REPLACE', code];

  test('known once the server has taken the library from this connection; others can replace it, and the record says so', () => {
    const course = converse([
      asks('FCALL my_function 0', load(library), 'FCALL my_function 0'),
      says('$5|mylib|'),
      asks('FCALL my_function 0', 'FCALL_RO my_function 0', 'FCALL other_function 0', ['FCALL', 'a.b', '0'], 'FCALL'),
      says(':1|:1|-ERR wrong number of arguments|'),
    ]);
    expect(record(course).map((line) => line.replace(/^FUNCTION .* →/, 'FUNCTION LOAD →'))).toEqual([
      'FCALL my_function 0 → refused ERR',
      'FUNCTION LOAD → ok string of 5 bytes',
      'FCALL my_function 0 → refused ERR',
      'FCALL my_function 0 (of 2) → ok (integer) 1',
      'FCALL_RO my_function 0 (of 2) → ok (integer) 1',
      'FCALL other_function 0 → refused ERR',
      'FCALL a.b 0 → refused ERR',
      'FCALL → error ERR',
    ]);
    expect(course.events.filter((event) => event.kind === 'statement' && event.resolved === false)).toHaveLength(2);
  });

  test('a library that the server did not take teaches nothing; one that took its name forgets the old', () => {
    const failed = converse([asks(load(library)), says('-ERR Library already exists|'), asks('FCALL my_function 0')]);
    expect(record(failed).at(-1)).toBe('FCALL my_function 0 → refused ERR');
    const other = library.replace('my_function', 'another');
    const replaced = converse([
      asks(load(library), load(other)),
      says('$5|mylib|$5|mylib|'),
      asks('FCALL my_function 0', 'FCALL another 0'),
      says(':1|'),
    ]);
    expect(record(replaced).slice(2)).toEqual([
      'FCALL my_function 0 → refused ERR',
      'FCALL another 0 (of 1) → ok (integer) 1',
    ]);
  });

  test('the library has the name that the server says, and a function is called in either case', () => {
    const [first, second] = [load("#!lua name='Lib'\n[[MyFunction]]"), load("#!lua\tNAME=Lib\n'other'")];
    const course = converse([
      asks(['MULTI'], first, ['EXEC']),
      says('+OK|+QUEUED|*1|$3|Lib|'),
      asks('FCALL myfunction 0', second),
      says(':1|$3|Lib|'),
      asks('FCALL myfunction 0', 'FCALL OTHER 0'),
      says(':2|'),
    ]);
    expect(record(course).filter((line) => line.startsWith('FCALL'))).toEqual([
      'FCALL myfunction 0 (of 1) → ok (integer) 1',
      'FCALL myfunction 0 → refused ERR',
      'FCALL OTHER 0 (of 7) → ok (integer) 2',
    ]);
  });

  test('of very many names, and of very much code, the oldest are forgotten', () => {
    const scripts = new Scripts();
    const take = (entry: number, name: string, ...functions: string[]) => {
      scripts.offered(Buffer.from(functions.map((one) => `'${one}'`).join()), entry);
      scripts.loaded(entry, Buffer.from(name));
    };
    const entryOf = (name: string) => scripts.libraryOf(Buffer.from(name));
    take(1, 'a', 'in_a');
    take(2, 'b', ...Array.from({ length: 10_000 }, (_, index) => `f${index}`));
    expect([entryOf('in_a'), entryOf('f0'), entryOf('f9998'), entryOf('f9999')]).toEqual([undefined, 2, 2, undefined]);
    const large = (name: string) => Buffer.concat([Buffer.from(`'${name}'`), Buffer.alloc(5_000_000)]);
    scripts.offered(large('third'), 3);
    scripts.offered(large('fourth'), 4);
    scripts.offered(Buffer.concat([large('fifth'), large('')]), 5);
    for (const entry of [3, 4, 5]) scripts.loaded(entry, Buffer.from(`lib${entry}`));
    expect(['third', 'fourth', 'fifth'].map(entryOf)).toEqual([undefined, 4, undefined]);
  });
});

describe('logging in again', () => {
  test('AUTH is answered here, with the session’s credential, and its password is not in the record', () => {
    const course = converse([
      asks(
        'AUTH local',
        'AUTH hoop local',
        'AUTH default local',
        'AUTH hoop wrong',
        'AUTH root local',
        'AUTH',
        'AUTH a b c',
      ),
    ]);
    expect(record(course).map((line) => line.replace(/.* → /, ''))).toEqual([
      ...Array.from({ length: 3 }, () => 'ok OK'),
      ...Array.from({ length: 2 }, () => 'refused WRONGPASS'),
      ...Array.from({ length: 2 }, () => 'refused ERR'),
    ]);
    expect(course.toServer).toBe('');
    expect(JSON.stringify(record(course))).not.toMatch(/local|wrong|\bc\b/);
    expect(course.toClient).toMatch(/^(\+OK\r\n){3}(-WRONGPASS .*\r\n){2}(-ERR wrong number .*\r\n){2}$/);
  });

  test('HELLO goes to the server without its login, and its answer says which protocol follows', () => {
    const course = converse([
      asks('HELLO 3 AUTH hoop local SETNAME me', 'SUBSCRIBE a', 'HELLO'),
      says('%1|$5|proto|:3|>3|$9|subscribe|$1|a|:1|%0|'),
      asks('HELLO 2', 'HELLO 4', 'HELLO 3 AUTH hoop wrong', 'HELLO 3 AUTH hoop', 'HELLO 2 SETNAME'),
      says('*0|*3|$7|message|$1|a|$1|m|'),
    ]);
    expect(record(course).map((line) => line.replaceAll(/\[withheld[^\]]*\]/g, 'X'))).toEqual([
      'HELLO 3 AUTH hoop "X" SETNAME me → ok map of 1',
      'SUBSCRIBE a → ok 1 subscribed',
      'HELLO → ok map of 0',
      'state protocol=3',
      'HELLO 2 → ok array of 0',
      'HELLO 4 → refused NOPROTO',
      'HELLO 3 AUTH hoop "X" → refused WRONGPASS',
      'HELLO 3 "X" "X" → refused ERR',
      'HELLO 2 "X" → refused ERR',
      'state protocol=2',
    ]);
    expect(course.toServer).toContain('*4\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$7\r\nSETNAME\r\n$2\r\nme\r\n');
    expect(course.toServer).not.toContain('local');
  });

  test('HELLO that the server does not take changes nothing; in a transaction it is refused', () => {
    const course = converse([asks('HELLO 2', 'MULTI', 'HELLO 2'), says('-NOPERM no|+OK|')], { greeting: resp3 });
    expect(record(course)).toEqual(['HELLO 2 → error NOPERM', 'MULTI → ok OK', 'HELLO 2 → refused ERR']);
  });
});
