import { AsyncLocalStorage, executionAsyncId } from 'node:async_hooks';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { signIn, startTestGateway } from '../support/identity-gateway.ts';

/** Before Node 24: are there hooks on every promise? Then each has an id of its own. */
async function promisesAreHooked(): Promise<boolean> {
  await setImmediate();
  await Promise.resolve();
  return executionAsyncId() !== 0;
}

const isOldNode = Number(process.versions.node.split('.')[0]) < 24;

test('signing in does not leave the process with hooks on every promise', async () => {
  const gateway = await startTestGateway();
  onTestFinished(() => gateway.close());
  await gateway.addUser('alice');
  await signIn(gateway, 'alice');
  expect(await promisesAreHooked()).toBe(false);
  const storage = new AsyncLocalStorage();
  const isHooked = storage.run('something', promisesAreHooked);
  expect(await isHooked).toBe(isOldNode);
  storage.disable();
});
