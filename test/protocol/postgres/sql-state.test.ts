import { expect, it } from 'vitest';
import { sqlStateOf } from '../../../src/protocol/postgres/sql-state.ts';

it.each([
  ['HOOP_LOCAL_CREDENTIAL', '28P01'],
  ['HOOP_DENIED', '42501'],
  ['HOOP_RECORDER', '58030'],
  ['HOOP_STOPPED', '57P01'],
  ['__proto__', '57P01'],
  ['constructor', '57P01'],
])('%s is told as %s', (code, state) => {
  expect(sqlStateOf(code)).toBe(state);
});
