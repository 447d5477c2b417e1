import { describe, expect, test } from 'vitest';
import type { StatementEvent } from '../../../src/protocol/event.ts';
import { encodeFailure, encodeStatement } from '../../../src/protocol/postgres/encode-statement.ts';
import {
  bytesOf,
  encodeBind,
  encodeFunctionCall,
  encodeParse,
  int32,
} from '../../../src/protocol/postgres/messages.ts';
import { say } from '../../support/frontend-messages.ts';
import { client, play } from '../../support/wire.ts';

/** What the record has of these messages, and the messages that are made of it again. */
function again(...messages: Uint8Array[]): string[] {
  const { events } = play([client(...messages)]);
  return events
    .filter((event): event is StatementEvent => event.kind === 'statement')
    .map((event) => Buffer.from(encodeStatement(event)!).toString('latin1'));
}
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const values = [null, new Uint8Array(0), bytesOf('é'), int32(7)];
const names = { portal: bytesOf('p'), statement: bytesOf('s') };

describe('the message that was recorded is the one that is sent again', () => {
  test.each<[string, Uint8Array[]]>([
    ['a query', [say.query("select 'ü'; select 2")]],
    ['what is prepared, with types', [encodeParse({ name: bytesOf('s'), text: bytesOf('select $1'), types: [23, 0] })]],
    ['values as text', [say.parse('s', 'x'), encodeBind({ ...names, formats: [], values, resultFormats: [] })]],
    [
      'values each in its format',
      [say.parse('s', 'x'), encodeBind({ ...names, formats: [0, 0, 0, 1], values, resultFormats: [1, 0] })],
    ],
    ['a portal, in portions', [say.parse('', 'x'), say.bind('', ''), say.execute('', 5), say.execute('', 0)]],
    ['descriptions', [say.parse('s', 'x'), say.describeStatement('s'), say.bind('p', 's'), say.describePortal('p')]],
    ['closes', [say.closeStatement('s'), say.closePortal('p'), say.sync()]],
    ['a function call', [encodeFunctionCall({ functionId: 1250, formats: [1, 0, 0, 0], values, resultFormat: 1 })]],
    ['the end', [say.terminate()]],
  ])('%s', (_what, messages) => {
    expect(again(...messages)).toEqual(messages.map(latin1));
  });

  test('one format for all is one for each, which means the same', () => {
    const one = encodeBind({ ...names, formats: [1], values: [int32(1), int32(2)], resultFormats: [] });
    const each = encodeBind({ ...names, formats: [1, 1], values: [int32(1), int32(2)], resultFormats: [] });
    expect(again(say.parse('s', 'x'), one)[1]).toBe(latin1(each));
  });

  test('what stands for a cancelled statement fails by its own means', () => {
    expect(encodeFailure('query').verb).toBe('query');
    expect(encodeFailure('execute').verb).toBe('parse');
  });
});
