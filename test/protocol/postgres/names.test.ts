import { describe, expect, it } from 'vitest';
import {
  encodeBind,
  encodeExecute,
  encodeParse,
  encodeTarget,
  frontendType,
} from '../../../src/protocol/postgres/messages.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { client, converse, kinds, outcomes, play, refusals, server, statements } from '../../support/wire.ts';
import type { Course, Turn } from '../../support/wire.ts';

const latin1 = (...messages: Uint8Array[]): string => Buffer.concat(messages).toString('latin1');
const raw = (...codes: number[]): Uint8Array => Uint8Array.from(codes);
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const run = (name: string) => [say.bind('', name), say.execute(''), say.sync()];
const ran = [answer.bound(), answer.complete('SELECT 0'), answer.ready()];
const bindTo = (portal: Uint8Array, statement: Uint8Array) =>
  encodeBind({ portal, statement, formats: [], values: [], resultFormats: [] });

/** The text that an Execute's entry leads to. */
function textOf(course: Course, index = 0): string | undefined {
  const bind = course.events[statements(course, 'execute')[index]!.of!];
  const parse = bind?.kind === 'statement' ? course.events[bind.of!] : undefined;
  return parse?.kind === 'statement' ? Buffer.from(parse.text!).toString('latin1') : undefined;
}

describe('the name of a statement', () => {
  it('means what the server answered: a second Parse of it that fails, a Sync between, changes nothing', () => {
    const course = converse([
      client(say.parse('s', 'A'), say.sync()),
      server(answer.parsed(), answer.ready()),
      client(say.parse('s', 'B'), say.sync(), ...run('s')),
      server(answer.error('42P05'), answer.ready()),
      server(answer.parsed(), ...ran),
    ]);
    expect(textOf(course)).toBe('A');
    expect(course.toServer.split('\0A\0')).toHaveLength(3); // as s, and as the unnamed one that runs
    expect(outcomes(course).map(({ status }) => status)).toEqual(['error', 'ok']);
  });

  it('waits for the answer, and everything behind it waits too', () => {
    const sent = [say.parse('s', 'A'), say.sync()];
    const course = play([client(...sent, ...run('s'), say.query('drop table t'), say.terminate(), say.sync())]);
    expect(course.toServer).toBe(latin1(...sent));
    expect(kinds(course)).toEqual(['parse', 'sync']);
    expect(course.heldBytes).toBeGreaterThan(0);
    const after = converse([
      client(...sent, say.describeStatement('s'), ...run('s'), say.terminate(), say.sync()),
      server(answer.parsed(), answer.ready()),
    ]);
    expect(refusals(after)).toEqual(['after-terminate']);
  });

  it('means its own segment at once: what builds on a Parse that fails is skipped with it', () => {
    const sent = [say.parse('', 'A'), say.sync(), say.parse('', 'B'), say.bind('', ''), say.execute(''), say.sync()];
    const course = play([client(...sent)]);
    expect(course.toServer).toBe(latin1(...sent));
    expect(textOf(course)).toBe('B');
  });

  it('that a skipped Close was to forget is still there', () => {
    const course = converse([
      client(say.parse('s', 'A'), say.sync()),
      server(answer.parsed(), answer.ready()),
      client(say.bind('', 'nowhere'), say.closeStatement('s'), say.parse('s', 'B'), say.sync(), ...run('s')),
      server(answer.closed(), answer.error('26000'), answer.ready()),
      server(answer.parsed(), ...ran),
    ]);
    expect(textOf(course)).toBe('A');
  });

  it('that nobody defined is answered with the server’s own error and a next step; the session goes on', () => {
    const course = converse([
      client(...run('made_by_sql'), say.describeStatement('x'), say.sync(), say.query('select 1')),
      server(answer.closed(), answer.error('26000', 'unnamed prepared statement does not exist'), answer.ready()),
      server(answer.closed(), answer.error('26000'), answer.ready(), answer.complete('SELECT 1'), answer.ready()),
    ]);
    expect(refusals(course)).toEqual(['unknown-statement', 'unknown-statement']);
    expect(course.toServer).not.toContain('made_by_sql');
    expect(course.toClient).toContain('prepared statement "made_by_sql" is not known to hoop');
    expect(course.toClient).toContain('HNames made by SQL');
    expect(course.end).toBeNull();
  });

  it('an error of another kind at such a Bind is told as it is', () => {
    const course = converse([
      client(say.bind('', 'nowhere'), say.sync()),
      server(answer.closed(), answer.error('57014', 'statement timeout'), answer.ready()),
    ]);
    expect(course.toClient).toContain('statement timeout');
  });

  it.each([
    ['two bytes that are no UTF-8', raw(0xff), raw(0xfe)],
    ['a byte order mark', bytes('\xef\xbb\xbfs'), bytes('s')],
  ])('%s: no two names fall together', (_name, one, other) => {
    const parse = (name: Uint8Array, text: string) => encodeParse({ name, text: bytes(text), types: [] });
    const course = converse([
      client(parse(one, 'A'), parse(other, 'B'), bindTo(raw(), one), say.execute(''), say.sync()),
    ]);
    expect(textOf(course)).toBe('A');
  });

  it('of more than 63 bytes is cut as the server cuts it', () => {
    const long = 'x'.repeat(63);
    const turns: Turn[] = [client(say.parse(`${long}A`, 'A'), say.bind('', `${long}B`), say.execute(''))];
    expect(textOf(converse(turns))).toBe('A');
  });

  it.each([
    ['client_encoding', 'SJIS', "select '\x95\\'"],
    ['standard_conforming_strings', 'off', "select '\\'; drop table t; --'"],
  ])('does not outlive a change of %s if its text could be read otherwise', (setting, value, text) => {
    const parse = encodeParse({ name: bytes('s'), text: bytes(text), types: [] });
    const plain = say.parse('plain', 'select 1');
    const course = converse([
      client(parse, plain, say.sync(), say.query('set')),
      server(answer.parsed(), answer.parsed(), answer.ready()),
      server(answer.setting(setting, value), answer.complete('SET'), answer.ready()),
      client(...run('s'), ...run('plain')),
      server(answer.closed(), answer.error('26000'), answer.ready(), answer.parsed(), ...ran),
    ]);
    expect(refusals(course)).toEqual(['unknown-statement']);
    expect(outcomes(course).map(({ status }) => status)).toEqual(['ok', 'error', 'skipped', 'ok']);
  });

  it('the unnamed one goes with a Query, and with a Parse that fails', () => {
    const refused = [answer.closed(), answer.error('26000'), answer.ready()];
    const afterQuery = converse([
      client(say.parse('', 'A'), say.sync(), say.query('q')),
      server(answer.parsed(), answer.ready(), answer.complete('Q'), answer.ready()),
      client(...run('')),
      server(...refused),
    ]);
    const afterParse = converse([
      client(say.parse('', 'A'), say.sync()),
      server(answer.parsed(), answer.ready()),
      client(say.parse('', 'B'), say.sync()),
      server(answer.error('42601'), answer.ready()),
      client(...run('')),
      server(...refused),
    ]);
    expect([...refusals(afterQuery), ...refusals(afterParse)]).toEqual(['unknown-statement', 'unknown-statement']);
  });

  it('closed by the client is unknown', () => {
    const course = converse([
      client(say.parse('', 'A'), say.parse('s', 'B'), say.closeStatement(''), say.closeStatement('s'), say.sync()),
      server(answer.parsed(), answer.parsed(), answer.closed(), answer.closed(), answer.ready()),
      client(...run('s')),
    ]);
    expect(refusals(course)).toEqual(['unknown-statement']);
  });

  it('closed by the client is unknown at once, in the same pipeline', () => {
    const course = converse([
      client(say.parse('s', 'A'), say.sync()),
      server(answer.parsed(), answer.ready()),
      client(say.closeStatement('s'), ...run('s')),
    ]);
    expect(refusals(course)).toEqual(['unknown-statement']);
  });

  it('too many of them are refused before they fill the memory', () => {
    const many = Array.from({ length: 50 }, (_value, index) => say.parse(`s${index}`, 'x'.repeat(100)));
    expect(refusals(converse([client(...many)], { messageBytesMax: 5000 }))).toEqual(['too-many-names']);
    const inTurn = Array.from({ length: 50 }, (): Turn[] => [
      client(say.parse('s', 'x'.repeat(100)), say.closeStatement('s'), say.sync()),
      server(answer.parsed(), answer.closed(), answer.ready()),
      client(say.parse('f', 'x'), say.sync()),
      server(answer.error('42601'), answer.ready()),
    ]).flat();
    expect(refusals(converse(inTurn, { messageBytesMax: 5000 }))).toEqual([]);
  });
});

describe('the name of a portal', () => {
  const open = [answer.parsed(), answer.bound(), answer.ready('T')];
  const opened: Turn[] = [client(say.parse('', 'A'), say.bind('p', ''), say.sync()), server(...open)];
  const fetched = [answer.row('1'), answer.suspended(), answer.ready('T')];
  const resolved = (course: Course) => statements(course, 'execute').map((execute) => execute.resolved);

  it('is sure until other SQL runs', () => {
    const fetch = [say.execute('p', 1), say.sync()];
    const course = converse([
      ...opened,
      client(...fetch, ...fetch),
      server(...fetched, ...fetched),
      client(say.query('do')),
      server(answer.complete('DO'), answer.ready('T')),
      client(...fetch, say.bind('', ''), say.execute(''), say.sync()),
    ]);
    expect(resolved(course)).toEqual([undefined, undefined, false, undefined]);
  });

  it('ends with the transaction, by answer: never shown blank, never run', () => {
    const course = converse([
      client(say.parse('', 'A'), say.bind('p', ''), say.sync(), say.execute('p'), say.sync()),
      server(answer.parsed(), answer.bound(), answer.ready('I')),
      server(answer.error('34000'), answer.ready()),
      client(say.execute('p', 3), say.sync()),
      server(answer.closed(), answer.error('34000', 'portal "" does not exist'), answer.ready()),
    ]);
    expect(refusals(course)).toEqual(['unknown-portal']);
    expect(course.toClient).toContain('portal "p" is not known to hoop');
  });

  it.each([
    ['bind', bindTo(bytes('x'.repeat(64)), raw())],
    ['execute', encodeExecute({ portal: bytes('x'.repeat(64)), rowLimit: 0 })],
    ['describe', encodeTarget(frontendType.describe, { what: 'portal', name: bytes('x'.repeat(64)) })],
    ['close', encodeTarget(frontendType.close, { what: 'portal', name: bytes('x'.repeat(64)) })],
  ])('of more than 63 bytes is refused (%s): how the server cuts it must not matter', (_verb, message) => {
    const course = converse([client(say.parse('', 'A'), message)]);
    expect(refusals(course)).toEqual(['name-too-long']);
    expect(course.toServer).not.toContain('xxx');
  });

  it('closed by the client is unknown', () => {
    const course = converse([
      ...opened,
      client(say.closePortal('p'), say.sync()),
      server(answer.closed(), answer.ready('T')),
      client(say.execute('p')),
    ]);
    expect(refusals(course)).toEqual(['unknown-portal']);
  });

  it('of a Bind that failed is unknown', () => {
    const course = converse([
      client(say.parse('', 'A'), say.bind('p', ''), say.execute('p'), say.sync()),
      server(answer.parsed(), answer.error('22P02'), answer.ready('T')),
      client(say.execute('p'), say.sync()),
    ]);
    expect(refusals(course)).toEqual(['unknown-portal']);
  });

  it('the unnamed one goes with a Bind that fails: what runs then is not the old text', () => {
    const course = converse([
      client(say.query('begin')),
      server(answer.complete('BEGIN'), answer.ready('T')),
      client(say.parse('', 'A'), say.bind('', ''), say.execute('', 1), say.sync()),
      server(answer.parsed(), answer.bound(), answer.row('x'), answer.suspended(), answer.ready('T')),
      client(say.bind('', ''), say.sync()),
      server(answer.error('22021'), answer.ready('E')),
      client(say.execute(''), say.sync()),
    ]);
    expect(refusals(course)).toEqual(['unknown-portal']);
    expect(statements(course, 'execute').map(({ of }) => of !== undefined)).toEqual([true, false]);
  });
});
