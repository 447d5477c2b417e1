import { createHook } from 'node:async_hooks';
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { keepThreadPoolAwake } from '../../src/store/thread-pool.ts';
import { compile } from '../support/compiled.ts';
import { until } from '../support/until.ts';

it('gives the thread pool a piece of work again and again', async () => {
  let pieces = 0;
  const hook = createHook({ init: (_id, type) => void (pieces += Number(type === 'FSREQCALLBACK')) }).enable();
  keepThreadPoolAwake();
  await until(() => pieces >= 2);
  hook.disable();
  expect(pieces).toBeGreaterThan(1);
});

it('does not keep a process alive', () => {
  const compiled = compile(['src/store']);
  const script = `const { keepThreadPoolAwake } = await import('${compiled.url}src/store/thread-pool.js'); keepThreadPoolAwake();`;
  expect(() =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 }),
  ).not.toThrow();
  compiled.remove();
});
