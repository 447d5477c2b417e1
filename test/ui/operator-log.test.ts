import { expect, test } from 'vitest';
import { plainLogLine } from '../../src/ui/operator-log.ts';

const line = (fields: object) => plainLogLine(JSON.stringify({ time: 0, role: 'agent', ...fields }));

test('on a terminal an operator reads a line, not JSON', () => {
  expect(line({ level: 30, agent: 'db-agent', resources: ['orders-db', 'billing-db'], msg: 'linked' })).toMatch(
    /^\d\d:\d\d:\d\d linked · agent db-agent · resources orders-db, billing-db$/,
  );
  expect(line({ level: 40, group: null, error: 'connection refused', msg: 'trying again' })).toMatch(
    / warning: trying again · error connection refused$/,
  );
});

test('what others said in it drives no terminal', () => {
  expect(line({ level: 50, error: 'no\u001B[2J\u009B2Jpe\n00:00:00 linked', msg: 'refused' })).toContain(
    String.raw`error no\e[2J\x9B2Jpe\n00:00:00 linked`,
  );
});
