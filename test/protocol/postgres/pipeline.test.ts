import { describe, expect, it } from 'vitest';
import { encodeBind, encodeParse, type Bind } from '../../../src/protocol/postgres/messages.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { client, converse, kinds, outcomes, refusals, server, statements } from '../../support/wire.ts';

const latin1 = (...messages: Uint8Array[]): string => Buffer.concat(messages).toString('latin1');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const statuses = (course: Parameters<typeof outcomes>[0]) => outcomes(course).map(({ status }) => status);
const select = (text = 'select $1') => [say.parse('', text), say.bind('', '', 'a'), say.execute(''), say.sync()];
const selected = [answer.parsed(), answer.bound(), answer.row('a'), answer.complete('SELECT 1'), answer.ready()];

describe('an extended query', () => {
  it('leads from Execute over Bind to Parse, with typed parameters', () => {
    const parse = encodeParse({ name: bytes('s'), text: bytes('select $1, $2, $3'), types: [23, 0, 25] });
    const bind: Bind = {
      portal: bytes('p'),
      statement: bytes('s'),
      formats: [1, 0, 0],
      values: [bytes('\0\0\0\x07'), null, bytes('')],
      resultFormats: [1],
    };
    const course = converse([
      client(parse, encodeBind(bind), say.execute('p', 5), say.sync()),
      server(answer.parsed(), answer.parsed(), answer.bound(), answer.row('7'), answer.suspended(), answer.ready('T')),
      client(say.execute('p', 0), say.closePortal('p'), say.closeStatement('s'), say.sync()),
      server(answer.row('8'), answer.complete('SELECT 1'), answer.closed(), answer.closed(), answer.ready()),
    ]);
    expect(kinds(course).join(' ')).toBe('parse bind execute sync outcome execute close close sync outcome');
    expect(statements(course, 'parse')[0]).toMatchObject({ parameterTypes: [23, 0, 25], statementName: bytes('s') });
    expect(statements(course, 'bind')[0]).toMatchObject({
      of: 0,
      portalName: bytes('p'),
      resultFormats: [1],
      parameters: [
        { type: 23, format: 1, value: bytes('\0\0\0\x07') },
        { type: 0, format: 0, value: null },
        { type: 25, format: 0, value: bytes('') },
      ],
    });
    expect(statements(course, 'execute').map(({ of, rowLimit }) => [of, rowLimit])).toEqual([
      [1, 5],
      [1, 0],
    ]);
    expect(outcomes(course)).toMatchObject([
      { status: 'suspended', rows: 1 },
      { status: 'ok', rows: 1, tag: 'SELECT 1' },
    ]);
  });

  it('takes the types that the server told, once a statement was described', () => {
    const course = converse([
      client(say.parse('s', 'select $1'), say.describeStatement('s'), say.sync()),
      server(answer.parsed(), answer.parsed(), answer.parameters(23), answer.columns(), answer.ready()),
      client(say.bind('', 's', '7'), say.describePortal(''), say.execute(''), say.sync()),
      server(answer.bound(), answer.noData(), answer.complete('SELECT 0'), answer.ready()),
    ]);
    expect(statements(course, 'bind')[0]!.parameters![0]!.type).toBe(23);
    expect(refusals(course)).toEqual([]);
  });

  it('is parsed once, however often it is bound; two in turn are parsed at each change', () => {
    const prepare = (name: string) => say.parse(name, `select '${name}'`);
    const run = (name: string) => [say.bind('', name), say.execute(''), say.sync()];
    const ran = [answer.bound(), answer.complete('SELECT 0'), answer.ready()];
    const course = converse([
      client(prepare('a'), prepare('b'), say.sync()),
      server(answer.parsed(), answer.parsed(), answer.ready()),
      client(...run('a')),
      server(answer.parsed(), ...ran),
      client(...run('a'), ...run('a')),
      server(...ran, ...ran),
      client(...run('b')),
      server(answer.parsed(), ...ran),
      client(...run('b')),
      server(...ran),
    ]);
    const texts = course.toServer.match(/select '.'/g);
    expect(texts).toEqual(["select 'a'", "select 'b'", "select 'a'", "select 'b'"]);
    expect(course.toClient.split(latin1(answer.parsed()))).toHaveLength(3); // its own two, no others
    expect(statements(course, 'bind').map(({ of }) => of)).toEqual([0, 0, 0, 1, 1]);
  });
});

describe('a portal that is fetched in pieces', () => {
  it('can be suspended before it gave a row', () => {
    const course = converse([
      client(say.parse('', 'q'), say.bind('', ''), say.execute('', 1), say.sync()),
      server(answer.parsed(), answer.bound(), answer.suspended(), answer.ready('T')),
    ]);
    expect(statuses(course)).toEqual(['suspended']);
  });
});

describe('an error in a pipeline', () => {
  it('skips everything up to the Sync, sent before the error came or after', () => {
    const course = converse([
      client(say.parse('', 'nonsense'), say.bind('', ''), say.execute(''), say.query('select 1')),
      server(answer.error('42601')),
      client(say.parse('x', 'b'), say.describeStatement('x'), say.bind('', 'x'), say.execute('')),
      client(say.closeStatement('x'), say.describePortal(''), say.flush(), say.sync(), ...select()),
      server(answer.ready(), ...selected),
    ]);
    expect(outcomes(course).map(({ of, status }) => [course.events[of], status])).toMatchObject([
      [{ verb: 'parse' }, 'error'],
      [{ verb: 'execute' }, 'skipped'],
      [{ verb: 'query' }, 'skipped'],
      [{ verb: 'execute' }, 'skipped'],
      [{ verb: 'execute' }, 'ok'],
    ]);
    expect(course.end).toBeNull();
  });

  it('ends at its own Sync: what is behind it runs', () => {
    const course = converse([
      client(...select('a'), ...select('b'), ...select('c')),
      server(...selected, answer.error('42601'), answer.ready(), ...selected),
    ]);
    // Of the second, Parse failed: an outcome of the Parse, and its Execute skipped.
    expect(statuses(course)).toEqual(['ok', 'error', 'skipped', 'ok']);
  });

  it('at the Sync is a commit that failed', () => {
    const course = converse([
      client(...select('insert into t values ($1)')),
      server(answer.parsed(), answer.bound(), answer.complete('INSERT 0 1')),
      server(answer.error('23503', 'deferred'), answer.ready()),
      client(...select()),
      server(...selected),
    ]);
    expect(outcomes(course)).toMatchObject([
      { status: 'ok' },
      { of: 3, status: 'error', errorCode: '23503' },
      { status: 'ok' },
    ]);
    expect(course.events[3]).toMatchObject({ verb: 'sync' });
  });

  it('of a close, a describe, a bind belongs to that message', () => {
    const course = converse([
      client(say.parse('', 'a'), say.describePortal('p'), say.sync()),
      server(answer.parsed(), answer.error('34000'), answer.ready()),
      client(say.closeStatement('a'), say.sync()),
      server(answer.error('25P02'), answer.ready()),
      client(say.parse('', 'a $1'), say.bind('', '', 'x'), say.sync()),
      server(answer.parsed(), answer.error('22P02'), answer.ready()),
    ]);
    expect(outcomes(course).map(({ of }) => kinds(course)[of])).toEqual(['describe', 'close', 'bind']);
  });
});

describe('many Syncs in flight', () => {
  it('pair with as many ReadyForQuery', () => {
    const course = converse([
      client(say.sync(), say.sync(), ...select(), say.flush(), say.sync()),
      server(answer.ready(), answer.ready(), ...selected, answer.ready()),
    ]);
    expect(statuses(course)).toEqual(['ok']);
    expect(course.toServer).toBe(latin1(say.sync(), say.sync(), ...select(), say.flush(), say.sync()));
  });

  it('two hundred executes in one go', () => {
    const run = [say.bind('', '', 'a'), say.execute('')];
    const ran = [answer.bound(), answer.complete('INSERT 0 1')];
    const course = converse([
      client(say.parse('', 'insert into t values ($1)'), ...Array.from({ length: 200 }, () => run).flat(), say.sync()),
      server(answer.parsed(), ...Array.from({ length: 200 }, () => ran).flat(), answer.ready()),
    ]);
    expect(outcomes(course)).toHaveLength(200);
    expect(new Set(outcomes(course).map(({ of }) => of)).size).toBe(200);
  });
});
