import { beforeAll, expect, it } from 'vitest';
import { grammar } from '../../../src/protocol/postgres/grammar.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { client, converse, kinds, outcomes, server, statements, type Course } from '../../support/wire.ts';

beforeAll(() => grammar.load());

const textOf = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString();
const recorded = (course: Course): string => JSON.stringify(course.events.map((event) => JSON.stringify(event, shown)));
/** Bytes as the text that they are. */
const shown = (_key: string, value: unknown): unknown => (value instanceof Uint8Array ? textOf(value) : value);

it('a password in a Query is sent on and not recorded, nor what the server says of it', () => {
  const sql = "alter role bob password 'hunter2'";
  const error = answer.error('42704', 'role "bob" with password hunter2 does not exist');
  const course = converse([client(say.query(sql)), server(error, answer.ready())]);
  expect(course.toServer).toContain(sql);
  expect(course.toClient).toContain('hunter2');
  expect(textOf(statements(course, 'query')[0]!.text)).toMatch(/^alter role bob password '\[withheld sha256:/);
  expect(recorded(course)).not.toContain('hunter2');
  expect(outcomes(course)).toMatchObject([{ status: 'error', errorCode: '42704' }]);
  expect(outcomes(course)[0]!.errorMessage).toContain('withheld');
});

it('a result that may repeat what was withheld has no digest', () => {
  const course = converse([
    client(say.query("explain select dblink_connect('host=a password=hunter2')")),
    server(answer.columns(), answer.row('hunter2'), answer.complete('EXPLAIN'), answer.ready()),
  ]);
  expect(outcomes(course)).toMatchObject([{ status: 'ok', rows: 1 }]);
  expect(outcomes(course)[0]?.resultDigest).toBeUndefined();
  expect(recorded(course)).not.toContain('hunter2');
});

it('a parameter that is a secret is sent on and not recorded, also where the server skips it', () => {
  const connect = say.parse('', 'select dblink($1, $2)');
  const bind = say.bind('', '', 'host=a password=hunter2', 'select 1');
  for (const first of [answer.parsed(), answer.error('42883')]) {
    const turns = [client(connect), server(first), client(bind, say.execute(''), say.sync())];
    const course = converse(turns);
    expect(course.toServer).toContain('hunter2');
    expect(recorded(course)).not.toContain('hunter2');
    const [bound] = statements(course, 'bind');
    expect(textOf(bound!.parameters![1]!.value)).toBe('select 1');
    expect(bound!.redactions).toEqual(['$1 connection-string']);
  }
});

it('a parameter that could be a secret and is none stands in the record as it was sent', () => {
  const turns = [
    client(say.parse('', 'select dblink($1, $2)')),
    server(answer.parsed()),
    client(say.bind('', '', 'a connection by its name', 'select 1'), say.execute(''), say.sync()),
  ];
  const [bound] = statements(converse(turns), 'bind');
  expect(textOf(bound!.parameters![0]!.value)).toBe('a connection by its name');
  expect(bound!.redactions).toBeUndefined();
});

it('where the gateway’s own Close fails, the Execute it was sent for has one outcome', () => {
  const ask = client(say.execute('unknown'), say.sync());
  const failing = converse([ask, server(answer.error('57014'), answer.ready())]);
  expect(outcomes(failing)).toMatchObject([{ of: 0, status: 'error', errorCode: '57014' }]);
  const going = converse([ask, server(answer.fatal('57P01'))]);
  expect(outcomes(going)).toMatchObject([{ of: 0, status: 'error', errorCode: '57P01' }]);
  expect(kinds(going)).toEqual(['execute', 'refusal', 'sync', 'outcome']);
});
