import { describe, expect, it } from 'vitest';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { act, client, converse, kinds, outcomes, server, statements, type Turn } from '../../support/wire.ts';

const latin1 = (...messages: Uint8Array[]): string => Buffer.concat(messages).toString('latin1');
const stopping = answer.fatal('57P01', 'the gateway is stopping');
const ended = { by: 'refused', reason: 'gateway_stopped' };
const selected = [answer.columns(), answer.row('1'), answer.complete('SELECT 1'), answer.ready()];
const seen = (turns: Turn[]) => {
  const course = converse(turns);
  return { ...course, statuses: outcomes(course).map(({ status }) => status), kinds: kinds(course).join(' ') };
};

describe('a gateway that is stopping', () => {
  it('ends a stream at once on which nothing is in flight', () => {
    const { end, toClient, kinds: said } = seen([act('drain')]);
    expect({ end, toClient, said }).toEqual({ end: ended, toClient: latin1(stopping), said: '' });
  });

  it('lets what is in flight finish, gives its answer, and ends then', () => {
    const { end, toClient, statuses } = seen([client(say.query('select 1')), act('drain'), server(...selected)]);
    expect({ end, statuses }).toEqual({ end: ended, statuses: ['ok'] });
    expect(toClient).toBe(latin1(...selected, stopping));
  });

  it('waits for the answer to a Sync, which may be a commit', () => {
    const question = [say.parse('', 'insert …'), say.bind('', ''), say.execute(''), say.sync()];
    const answered = [answer.parsed(), answer.bound(), answer.complete('INSERT 0 1')];
    const turns = [client(...question), act('drain'), server(...answered)];
    expect(seen(turns).end).toBeNull();
    expect(seen([...turns, server(answer.ready())]).end).toEqual(ended);
  });

  it('takes the Sync of what was begun before', () => {
    const begun = [say.parse('', 'insert …'), say.bind('', ''), say.execute('')];
    const answered = [answer.parsed(), answer.bound(), answer.complete('INSERT 0 1'), answer.ready()];
    const course = seen([client(...begun), act('drain'), client(say.sync()), server(...answered)]);
    expect(course.toServer).toBe(latin1(...begun, say.sync()));
    expect(course).toMatchObject({ statuses: ['ok'], end: ended, toClient: latin1(...answered, stopping) });
  });

  it('records a new statement whole, as refused, and forwards nothing of it nor of what follows', () => {
    const first = say.query('select pg_sleep(1)');
    const course = seen([
      client(first),
      act('drain'),
      client(say.query('drop table orders'), say.query('select 2')),
      server(...selected),
      client(say.query('select 3')),
    ]);
    expect(course.toServer).toBe(latin1(first, say.flush()));
    expect(statements(course, 'query').map(({ text }) => latin1(text!))).toEqual([
      'select pg_sleep(1)',
      'drop table orders',
    ]);
    expect(outcomes(course)).toMatchObject([
      { of: 1, status: 'refused', errorCode: '57P01' },
      { of: 0, status: 'ok' },
    ]);
    expect(course).toMatchObject({ end: ended, toClient: latin1(...selected, stopping) });
  });

  it('does not let the Sync through that would commit the first half of a pipeline', () => {
    const taken = [say.parse('s', 'insert … $1'), say.bind('', 's', 'a'), say.execute('')];
    const answered = [answer.parsed(), answer.parsed(), answer.bound(), answer.complete('INSERT 0 1')];
    const course = seen([
      client(...taken),
      act('drain'),
      client(say.bind('', 's', 'b'), say.execute(''), say.sync()),
      server(...answered),
    ]);
    expect(course.toServer.endsWith(latin1(say.execute(''), say.flush()))).toBe(true);
    expect(course).toMatchObject({ end: ended, kinds: 'parse bind execute bind outcome outcome' });
    expect(statements(course, 'bind')[1]).toMatchObject({ of: 0, parameters: [{ value: Uint8Array.of(0x62) }] });
    expect(outcomes(course).map(({ of, status }) => [of, status])).toEqual([
      [3, 'refused'],
      [2, 'ok'],
    ]);
  });

  it.each([
    ['an Execute of a portal that was bound before', say.execute('p'), 'execute'],
    ['a Describe', say.describeStatement('s'), 'describe'],
    ['a Close', say.closePortal('p'), 'close'],
  ])('refuses %s too', (_, message, verb) => {
    const begun = [say.parse('s', 'select 1'), say.bind('p', 's'), say.query('select 2')];
    const course = seen([
      client(...begun),
      act('drain'),
      client(message),
      server(answer.parsed(), answer.parsed(), answer.bound(), ...selected),
    ]);
    expect(statements(course, verb)).toHaveLength(1);
    expect(outcomes(course)).toMatchObject([{ status: 'refused' }, { status: 'ok' }]);
    expect(course.end).toEqual(ended);
  });

  it('takes the rest of a COPY that runs', () => {
    const copy = say.query('copy t from stdin');
    const rest = [say.copyData('2\n'), say.copyDone()];
    const course = seen([
      client(copy),
      server(answer.copyIn()),
      client(say.copyData('1\n')),
      act('drain'),
      client(...rest),
      server(answer.complete('COPY 2'), answer.ready()),
    ]);
    expect(course).toMatchObject({
      end: ended,
      statuses: ['ok'],
      toServer: latin1(copy, say.copyData('1\n'), ...rest),
    });
  });

  it('still hears a cancel', () => {
    const cancelled = [answer.error('57014'), answer.ready()];
    const course = seen([client(say.query('select pg_sleep(60)')), act('drain'), act('cancel'), server(...cancelled)]);
    expect(course).toMatchObject({ end: ended, statuses: ['cancelled'] });
  });

  it('a client that leaves while its statement runs leaves the outcome', () => {
    const refused = client(say.query('select 2'), say.query('half a').subarray(0, 7));
    const turns = [client(say.query('select 1')), act('drain'), refused, act('client-ended'), server(...selected)];
    expect(seen(turns)).toMatchObject({ end: ended, statuses: ['refused', 'ok'] });
  });

  it('what waited for an answer is refused when the answer comes, and what stands behind it is not read', () => {
    const ahead = [say.parse('s', 'select 1'), say.sync()];
    const waiting = [say.bind('', 's'), say.execute(''), say.sync(), say.query('drop table orders')];
    const course = seen([client(...ahead, ...waiting), act('drain'), server(answer.parsed(), answer.ready())]);
    expect(course).toMatchObject({ toServer: latin1(...ahead, say.flush()), statuses: ['refused'], end: ended });
    expect(course.kinds).toBe('parse sync bind outcome');
  });

  it('what stands behind a refused statement is not read, whatever it is', () => {
    const turns = [client(say.query('select 1')), act('drain'), client(say.query('select 2'), Buffer.alloc(9))];
    const course = seen([...turns, server(...selected)]);
    expect(course).toMatchObject({ end: ended, kinds: 'query query outcome outcome', statuses: ['refused', 'ok'] });
    const half = client(say.query('select 2'), say.query('half a').subarray(0, 7));
    expect(seen([...turns.slice(0, 2), half])).toMatchObject({ end: null, heldBytes: 0 });
  });

  it('nor is what stands behind the last answer', () => {
    const behind = [answer.setting('TimeZone', 'UTC'), Buffer.alloc(9)];
    const course = seen([client(say.query('select 1')), act('drain'), server(...selected, ...behind)]);
    expect(course).toMatchObject({ end: ended, kinds: 'query outcome', toClient: latin1(...selected, stopping) });
  });
});
