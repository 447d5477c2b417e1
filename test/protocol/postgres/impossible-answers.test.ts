import { describe, expect, it } from 'vitest';
import { backendType, bytesOf, encodeMessage } from '../../../src/protocol/postgres/messages.ts';
import { answer } from '../../support/backend-messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { act, client, converse, outcomes, refusals, server, type Turn } from '../../support/wire.ts';

const query = client(say.query('q'));
const parse = client(say.parse('', 'q'));
const bound: Turn[] = [client(say.parse('', 'q'), say.bind('', '')), server(answer.parsed())];
const executing: Turn[] = [...bound, client(say.execute('')), server(answer.bound())];
const sync = client(say.sync());
const describing = client(say.parse('', 'q'), say.describeStatement(''));
const functionCall = client(encodeMessage(0x46, Buffer.alloc(10)));
const copying: Turn[] = [query, server(answer.copyIn())];

/** Every message that would pair an answer with the wrong question: the stream ends, and nothing of it passes on. */
const cases: [string, Turn[], Uint8Array][] = [
  ['an answer to nothing', [], answer.complete('SELECT 1')],
  ['ReadyForQuery to nothing', [], answer.ready()],
  ['an error to nothing', [], answer.error('XX000')],
  ['a row to nothing', [], answer.row('x')],
  ['COPY data to nothing', [], answer.copyData('x')],
  ['a row without its description', [query], answer.row('x')],
  ['a row after the tag', [query, server(answer.columns(), answer.complete('SELECT 0'))], answer.row('x')],
  ['ReadyForQuery before any answer', [query], answer.ready()],
  ['ReadyForQuery amid rows', [query, server(answer.columns())], answer.ready()],
  ['ReadyForQuery amid COPY', copying, answer.ready()],
  ['a tag before CopyDone of the client', copying, answer.complete('COPY 0')],
  ['rows amid COPY from the client', copying, answer.row('x')],
  ['COPY data amid COPY from the client', copying, answer.copyData('x')],
  ['a second COPY amid a COPY', copying, answer.copyIn()],
  ['COPY data that nobody announced', [query], answer.copyData('x')],
  ['the end of a COPY that never began', [query], answer.copyDone()],
  ['a tag before the end of COPY data', [query, server(answer.copyOut())], answer.complete('COPY 0')],
  ['a COPY amid rows', [query, server(answer.columns())], answer.copyOut()],
  ['an empty query amid rows', [query, server(answer.columns())], answer.empty()],
  ['CopyBothResponse', [query], answer.copyBoth()],
  ['a second error', [query, server(answer.error('42601'))], answer.error('42601')],
  ['a tag after an error', [query, server(answer.error('42601'))], answer.complete('SELECT 0')],
  ['an error in what is skipped', [parse, server(answer.error('42601'))], answer.error('42601')],
  ['a suspended query', [query], answer.suspended()],
  ['ParseComplete for a query', [query], answer.parsed()],
  ['NoData for a query', [query], answer.noData()],
  ['BindComplete for a Parse', [parse], answer.bound()],
  ['CloseComplete for a Parse', [parse], answer.closed()],
  ['a row for a Bind', bound, answer.row('x')],
  ['a tag for a Bind', bound, answer.complete('SELECT 1')],
  ['COPY for a Bind', bound, answer.copyIn()],
  ['a row description for an Execute', executing, answer.columns()],
  ['ReadyForQuery for an Execute', executing, answer.ready()],
  ['a function result for an Execute', executing, answer.functionResult('x')],
  ['a suspended COPY', [...executing, server(answer.copyOut())], answer.suspended()],
  ['a row amid COPY data', [...executing, server(answer.copyOut())], answer.row('x')],
  ['a row for a Sync', [sync], answer.row('x')],
  ['a row description without parameters', [describing, server(answer.parsed())], answer.columns()],
  ['NoData without parameters', [describing, server(answer.parsed())], answer.noData()],
  ['parameters twice', [describing, server(answer.parsed(), answer.parameters())], answer.parameters()],
  ['a row for a Describe', [describing, server(answer.parsed(), answer.parameters())], answer.row('x')],
  ['parameters of a portal', [client(say.describePortal(''))], answer.parameters()],
  ['ReadyForQuery before a function result', [functionCall], answer.ready()],
  ['a row for a function', [functionCall], answer.row('x')],
  ['a tag for a function', [functionCall], answer.complete('SELECT 1')],
  ['two function results', [functionCall, server(answer.functionResult('a'))], answer.functionResult('b')],
  ['a function result for a query', [query], answer.functionResult('x')],
  ['an unknown letter', [query], encodeMessage(0x7a)],
  ['a login message', [query], encodeMessage(backendType.authentication, Buffer.alloc(4))],
];

describe('an answer that cannot be', () => {
  it.each(cases)('%s', (_name, turns, bytes) => {
    const before = converse(turns).toClient;
    const course = converse([...turns, server(bytes, answer.notice('never seen')), client(say.query('drop table t'))]);
    expect(refusals(course)).toEqual(['desync']);
    expect(course.end).toEqual({ by: 'refused', reason: 'desync' });
    expect(course.toClient.startsWith(before)).toBe(true);
    expect(course.toClient.slice(before.length)).toMatch(/^E.*08P01/s);
    expect(course.toClient).not.toContain('never seen');
    expect(course.toServer).not.toContain('drop table');
  });

  const body = (type: number, text: string) => encodeMessage(type, bytesOf(text));
  it.each([
    ['an error without fields', query, encodeMessage(backendType.errorResponse), 'bad-message'],
    ['an error with something behind', query, body(backendType.errorResponse, '\0x'), 'surplus-bytes'],
    ['a notice without its end', query, body(backendType.noticeResponse, 'Mx'), 'bad-message'],
    ['half a notification', query, encodeMessage(backendType.notificationResponse, Buffer.alloc(5)), 'bad-message'],
    ['half a setting', query, body(backendType.parameterStatus, 'a\0b'), 'bad-message'],
    ['a tag without its end', query, body(backendType.commandComplete, 'SELECT 1'), 'bad-message'],
    ['a ParseComplete with a body', parse, body(backendType.parseComplete, 'x'), 'surplus-bytes'],
    ['a status that is none', sync, body(backendType.readyForQuery, 'X'), 'bad-message'],
    ['a status of two letters', sync, body(backendType.readyForQuery, 'II'), 'surplus-bytes'],
    ['a COPY of half a column', query, body(backendType.copyInResponse, '\0\0\x01'), 'bad-message'],
    ['half a function result', functionCall, body(backendType.functionCallResponse, '\0\0\0\x09a'), 'bad-message'],
    ['a length of 0', query, Buffer.from('T\0\0\0\0', 'latin1'), 'bad-length'],
    ['a negative length', query, Buffer.from('T\xff\xff\xff\xff', 'latin1'), 'bad-length'],
    ['more than the bound', query, Buffer.from('T\x7f\xff\xff\xff', 'latin1'), 'message-too-long'],
  ] as const)('%s', (_name, question, bytes, reason) => {
    const course = converse([question, server(bytes)]);
    expect(refusals(course)).toEqual([reason]);
    expect(course.end?.by).toBe('refused');
  });

  it('an error without SQLSTATE, severity or message is still an error', () => {
    const course = converse([query, server(body(backendType.errorResponse, '\0'), answer.ready())]);
    expect(outcomes(course)).toMatchObject([{ status: 'error', errorCode: '', errorMessage: '' }]);
    const old = body(backendType.errorResponse, 'SFATAL\0C57P01\0\0');
    expect(refusals(converse([server(old), act('resource-ended')]))).toEqual([]);
  });
});
