import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { processorWaitMillis } from '../../src/store/processor-wait.ts';

const account = '/proc/thread-self/schedstat';

it.runIf(existsSync(account))('is what the kernel says that this thread has waited for a processor', () => {
  const said = () => Number(readFileSync(account, 'utf8').split(' ')[1]) / 1e6;
  const before = said();
  const asked = processorWaitMillis();
  const after = said();
  expect(asked).toBeGreaterThanOrEqual(before);
  expect(asked).toBeLessThanOrEqual(after);
  expect(processorWaitMillis()).toBeGreaterThanOrEqual(after);
});
