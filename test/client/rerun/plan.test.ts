import { describe, expect, test } from 'vitest';
import { parseDsn } from '../../../src/client/rerun/dsn.ts';
import { expectConsent, expectWhole, type RerunPlan } from '../../../src/client/rerun/plan.ts';
import type { Survey } from '../../../src/client/rerun/survey.ts';

describe('a target that is none to play with', () => {
  const plan = { objections: ['it is the original'], target: { name: 'orders-db' } } as unknown as RerunPlan;
  const asked: string[] = [];
  const answering = (answer: string) => async (question: string) => (asked.push(question), answer);

  test('is asked for by name at a terminal, once --force was said', async () => {
    await expect(
      expectConsent(plan, { force: true, confirm: undefined, ask: answering(' orders-db\n') }),
    ).resolves.toBe(undefined);
    expect(asked).toEqual([expect.stringMatching(/^it is the original\.\nType orders-db /)]);
    const other = expectConsent(plan, { force: true, confirm: undefined, ask: answering('yes') });
    await expect(other).rejects.toMatchObject({ code: 'HOOP_DENIED', next: 'say it again: --confirm orders-db' });
  });

  test('is not asked for without --force', async () => {
    asked.length = 0;
    const unsaid = expectConsent(plan, { force: false, confirm: 'orders-db', ask: answering('orders-db') });
    await expect(unsaid).rejects.toMatchObject({ code: 'HOOP_DENIED' });
    expect(asked).toEqual([]);
  });

  test('a sandbox needs no word', async () => {
    const nothing = { force: false, confirm: undefined, ask: undefined };
    await expect(expectConsent({ ...plan, objections: [] }, nothing)).resolves.toBe(undefined);
  });
});

test('what the record does not hold is named before anything is run', () => {
  const missing = Array.from({ length: 22 }, (_, seq) => ({ seq, why: seq === 1 ? 'erased' : 'withheld' }) as const);
  const survey = { missing } as unknown as Survey;
  expect(() => expectWhole(survey, false)).toThrow(/#0 \(withheld\), #1 \(erased\), .* and 2 more$/);
  expect(() => expectWhole(survey, true)).not.toThrow();
});

describe('a DSN', () => {
  test('is taken apart; the password may stand in the environment', () => {
    expect(
      parseDsn('postgresql://ann%40x:p%3Aw@db.example:6432/orders%20old?sslmode=verify-full&sslrootcert=/ca', {}),
    ).toEqual({
      protocol: 'postgres',
      address: 'db.example:6432',
      database: 'orders old',
      credentials: { user: 'ann@x', password: 'p:w', database: 'orders old' },
      tls: { mode: 'verify-full', ca: '/ca' },
    });
    expect(parseDsn('postgres://ann@[::1]', { PGPASSWORD: 'secret' })).toMatchObject({
      address: '[::1]:5432',
      credentials: { user: 'ann', password: 'secret', database: 'ann' },
      tls: { mode: 'prefer' },
    });
    expect(parseDsn('postgres:///orders?host=/run/postgresql', {}).address).toBe('/run/postgresql/.s.PGSQL.5432');
    expect(parseDsn('rediss://cache/3', {})).toMatchObject({ address: 'cache:6379', database: '3' });
  });

  test.each(['postgres:///x', 'mysql://h/x', 'postgres://h/%zz', 'postgres://u:pass-word@h/x?sslmode=allow', '://'])(
    'that is none is refused without being quoted: %s',
    (dsn) => {
      expect(() => parseDsn(dsn, {})).toThrow(/the DSN after --into is not understood: (?!.*pass-word)/);
    },
  );
});
