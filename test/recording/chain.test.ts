import { describe, expect, it } from 'vitest';
import { checkChain, checkedEntries, SessionChain } from '../../src/recording/chain.ts';
import { formatSessionId } from '../../src/recording/session-id.ts';
import { collect, each, query } from '../support/recorder.ts';

const sessionId = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
const other = Buffer.alloc(16, 7);
const salt = Buffer.alloc(16, 5);

function recorded(count: number, id = sessionId): Buffer[] {
  const chain = new SessionChain(id);
  return Array.from({ length: count }, (_, seq) => {
    const body = seq === 0 ? genesis : query(`select ${seq}`);
    const entry = Buffer.from(chain.next(seq === 0 ? 0 : 1, body, 1000 + seq, salt));
    chain.accept(entry);
    return entry;
  });
}

const genesis = {
  kind: 'genesis' as const,
  sessionId,
  gatewayVersion: '0',
  ordinal: 1,
  agentOrdinal: 1,
  logSize: 0,
  gatewayKeyId: 'k',
  principalSalt: salt,
  principalCommitment: Buffer.alloc(32),
  user: 'alice',
  actor: null,
  actorInstance: 'i',
  via: 'sign-in' as const,
  resource: 'r',
  protocol: 'postgres',
  agent: 'a',
  address: 'x',
  database: null,
  colocated: true,
  continues: null,
  declared: {},
  results: 'digest' as const,
};

describe('a chain', () => {
  it('holds as it was recorded', async () => {
    expect(await checkChain(sessionId, recorded(5))).toMatchObject({ ok: true, entries: 5, sealed: false });
  });

  it.each<[string, (entries: Buffer[]) => Buffer[], number]>([
    [
      'an altered text',
      (entries) => entries.map((entry, seq) => (seq === 2 ? flipped(entry, entry.length - 1) : entry)),
      2,
    ],
    ['an altered time', (entries) => entries.map((entry, seq) => (seq === 2 ? flipped(entry, 23) : entry)), 3],
    ['an entry left out', (entries) => entries.filter((_, seq) => seq !== 2), 2],
    ['two entries in another order', ([a, b, c, d, e]) => [a!, c!, b!, d!, e!], 1],
    ['an entry twice', ([a, b, c]) => [a!, b!, b!, c!], 2],
    ['the beginning cut off', (entries) => entries.slice(1), 0],
    ['an entry of another session', (entries) => [...entries.slice(0, 3), recorded(4, other)[3]!], 3],
    ['no entry at all', () => [Buffer.from('nothing of the kind')], 0],
  ])('shows %s', async (_, change, seq) => {
    expect(await checkChain(sessionId, change(recorded(5)))).toMatchObject({ ok: false, seq });
  });

  it('takes no entry after a seal', async () => {
    const chain = new SessionChain(sessionId);
    const seal = { kind: 'seal' as const, reason: 'killed', entries: 2, statements: 0, errors: 0, streams: 0 };
    const entries = [genesis, seal, query('select 1')].map((body) => {
      const entry = Buffer.from(chain.next(0, body, 1, salt));
      chain.accept(entry);
      return entry;
    });
    expect(await checkChain(sessionId, entries.slice(0, 2))).toMatchObject({ ok: true, sealed: true });
    expect(await checkChain(sessionId, entries)).toMatchObject({ ok: false, seq: 2 });
  });

  it('never lets time run backwards', () => {
    const chain = new SessionChain(sessionId);
    chain.accept(chain.next(0, genesis, 5000, salt));
    expect(chain.next(0, query('x'), 10, salt).readBigUInt64BE(16)).toBe(5000n);
  });

  it('gives what is intact in a damaged recording, then names the damage', async () => {
    const entries = recorded(5).map((entry, seq) => (seq === 2 ? flipped(entry, entry.length - 1) : entry));
    const given: number[] = [];
    const read = async () => {
      for await (const { header } of checkedEntries(
        { id: formatSessionId(sessionId), idBytes: sessionId },
        each(entries),
      ))
        given.push(header.seq);
    };
    await expect(read()).rejects.toMatchObject({
      code: 'HOOP_RECORD_DAMAGED',
      message: expect.stringContaining('at entry 2'),
    });
    expect(given).toEqual([0, 1, 3, 4]);
    expect(await collect(checkedEntries({ id: 'x', idBytes: sessionId }, each(recorded(3))))).toHaveLength(3);
  });
});

function flipped(entry: Buffer, at: number): Buffer {
  const copy = Buffer.from(entry);
  copy[at]! ^= 1;
  return copy;
}
