import { describe, expect, it } from 'vitest';
import type { OutcomeStatus, StatementEvent } from '../../src/protocol/event.ts';
import type { Entry, EntryBody } from '../../src/recording/entry.ts';
import { statementsOf } from '../../src/recording/timeline.ts';
import { collect, each, query, showBytes } from '../support/recorder.ts';

const bytes = (text: string) => Buffer.from(text);
const message = (verb: string, rest: Partial<StatementEvent> = {}): StatementEvent => ({
  kind: 'statement',
  verb,
  expectsOutcome: false,
  ...rest,
});
const parse = message('parse', { text: bytes('select $1'), statementName: bytes('s') });
const bind = (portal: string, value = portal) =>
  message('bind', { of: 0, portalName: bytes(portal), parameters: [{ type: 25, format: 0, value: bytes(value) }] });
const execute = (of: number, rest: Partial<StatementEvent> = {}) =>
  message('execute', { of, expectsOutcome: true, ...rest });
const sync = message('sync');
const outcome = (of: number, tag = 'SELECT 1', status: OutcomeStatus = 'ok'): EntryBody => ({
  kind: 'outcome',
  of,
  status,
  tag,
});

function entry(body: EntryBody, seq: number): Entry {
  const none = new Uint8Array(32);
  const header = {
    kind: body.kind,
    stream: 1,
    seq,
    events: 1,
    timeMicros: seq,
    payloadBytes: 0,
    commitment: none,
    previous: none,
  };
  return { header, body };
}
const read = (entries: AsyncIterable<Entry>) => statementsOf(entries, { session: 's', renderParameter: showBytes });
const executed = async (bodies: EntryBody[]) => {
  const items = await collect(read(each(bodies.map(entry))));
  return items.filter(({ verb }) => verb === 'execute').map(({ parameters }) => parameters[0]?.shown);
};

describe('a portal and its transaction', () => {
  it.each([
    ['BEGIN', 'begin'],
    ['START TRANSACTION', 'start transaction'],
  ])('after %s it is what it was over many Syncs and statements, and after ROLLBACK TO', async (tag, text) => {
    const shown = await executed([
      parse,
      query(text),
      outcome(1, tag),
      bind('p'),
      execute(3),
      sync,
      outcome(4, 'x', 'suspended'),
      query('savepoint a'),
      outcome(7, 'SAVEPOINT'),
      query('rollback to a'),
      outcome(9, 'ROLLBACK'),
      sync,
      execute(3),
      sync,
      outcome(12),
    ]);
    expect(shown).toEqual(['p', 'p']);
  });

  it('is what it was where BEGIN was not answered yet when it was bound', async () => {
    const pipelined = [parse, query('begin'), bind('p'), sync, execute(2), sync, outcome(1, 'BEGIN'), outcome(4)];
    expect(await executed([...pipelined, execute(2), outcome(8)])).toEqual(['p', 'p']);
  });

  it('is what it was after COMMIT AND CHAIN, if it was bound after it', async () => {
    const chained = [parse, query('begin'), outcome(1, 'BEGIN'), query('commit and chain'), outcome(3, 'COMMIT')];
    expect(await executed([...chained, bind('p'), sync, execute(5), outcome(7), execute(5), outcome(9)])).toEqual([
      'p',
      'p',
    ]);
  });

  it.each<[string, (seq: number) => EntryBody[]]>([
    ['a Sync', (seq) => [bind(`p${seq}`), sync]],
    ['a Sync, answered later', (seq) => [bind(`p${seq}`), execute(seq), sync, outcome(seq + 1)]],
    [
      'a COMMIT',
      (seq) => [query('begin'), bind(`p${seq}`), outcome(seq, 'BEGIN'), query('commit'), outcome(seq + 3, 'COMMIT')],
    ],
    [
      'a ROLLBACK',
      (seq) => [
        query('begin'),
        outcome(seq, 'BEGIN'),
        bind(`p${seq}`),
        query('rollback'),
        outcome(seq + 3, 'ROLLBACK'),
      ],
    ],
    ['a Query', (seq) => [bind(`p${seq}`), query('select 1'), outcome(seq + 1)]],
    ['an error', (seq) => [bind(`p${seq}`), execute(seq), sync, outcome(seq + 1, '', 'error')]],
  ])('takes no memory any more after %s, although nobody closed it', async (_, transaction) => {
    const large = Buffer.alloc(60_000, 'x').toString();
    const rounds = 4_000;
    const withValue = (body: EntryBody): EntryBody =>
      body.kind === 'statement' && body.verb === 'bind' ? bind(Buffer.from(body.portalName!).toString(), large) : body;
    let [least, most] = [Infinity, 0];
    async function* entries(): AsyncGenerator<Entry> {
      yield entry(parse, 0);
      for (let round = 0, seq = 1; round < rounds; round++) {
        for (const body of transaction(seq)) yield entry(withValue(body), seq++);
        if (round % 50 > 0) continue;
        const now = process.memoryUsage().arrayBuffers;
        least = Math.min(least, now); // what the test before left goes at some time
        most = Math.max(most, now - least);
      }
    }
    for await (const _item of read(entries()));
    expect(most).toBeLessThan((rounds * large.length) / 2);
  });
});
