import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { ClientStream, type StreamContext } from '../../src/gateway/client-stream.ts';
import { createHeldBudget } from '../../src/gateway/held-budget.ts';
import { createDecoder } from '../../src/protocol/postgres/decoder.ts';
import { postgres } from '../../src/protocol/postgres/index.ts';
import { systemClock } from '../../src/shared/clock.ts';
import type { Duplex } from '../../src/shared/duplex.ts';
import { answer } from '../support/backend-messages.ts';
import { say } from '../support/frontend-messages.ts';
import { until } from '../support/until.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Says nothing until it is reset. */
function idle(): Duplex & { got: number } {
  let reject: (error: Error) => void = () => undefined;
  return {
    got: 0,
    closed: Promise.resolve(),
    read: () => new Promise((_resolve, fail) => (reject = fail)),
    async write(bytes) {
      this.got += bytes.length;
    },
    end: () => undefined,
    reset: (reason) => reject(new Error(reason)),
  };
}

/** Gives these bytes, and then nothing. */
function reads(bytes: Uint8Array): Duplex['read'] {
  const said = [bytes];
  return () => new Promise((resolve) => said.length > 0 && resolve(said.pop()!));
}

/** Of a client that is admitted at once. */
function contextWith(openResource: StreamContext['openResource']): StreamContext {
  const admit = () =>
    Promise.resolve({
      kind: 'admitted' as const,
      startup: { parameters: {} },
      leftover: new Uint8Array(0),
      cancelKeyBytes: 8,
      greet: (greeting: Uint8Array) => Buffer.from(greeting),
    });
  return {
    protocol: { ...postgres, createDecoder, frontend: { ...postgres.frontend, admit } },
    policy: {},
    credential: { user: 'hoop', password: 'secret', database: 'orders' },
    record: { append: () => 0, together: (act, given) => act(given), close: () => undefined },
    durable: () => Promise.resolve(),
    refusal: undefined,
    openResource,
    cancelByKey: () => undefined,
    held: createHeldBudget(1024),
    clock: systemClock,
    messageBytesMax: 1024,
    log: pino({ enabled: false }),
  };
}

test('an open stream keeps nothing of its opening: there are thousands, and most are idle', async () => {
  let greeting: WeakRef<Uint8Array> | undefined;
  const client = idle();
  const stream = new ClientStream(
    client,
    contextWith(async () => {
      const bytes = Buffer.from(answer.ready());
      greeting = new WeakRef(bytes);
      return { duplex: idle(), greeting: bytes, cancel: () => undefined };
    }),
  );
  const over = stream.run(() => undefined);
  await until(() => client.got > 0);
  await until(() => {
    collect();
    return greeting!.deref() === undefined;
  });
  stream.abort('HOOP_SESSION_ENDED', 'killed');
  await over;
  expect(greeting!.deref()).toBeUndefined();
});

test('a stream that drains says so to everybody who waits, before its end and after it', async () => {
  const client = idle();
  const stream = new ClientStream(
    client,
    contextWith(async () => ({ duplex: idle(), greeting: answer.ready(), cancel: () => undefined })),
  );
  const over = stream.run(() => undefined);
  await until(() => client.got > 0);
  await Promise.all([
    stream.drain('HOOP_GATEWAY_DRAINING', 'stopping'),
    stream.drain('HOOP_GATEWAY_DRAINING', 'again'),
  ]);
  await over;
  await expect(stream.drain('HOOP_GATEWAY_DRAINING', 'after the end')).resolves.toBeUndefined();
});

test.each(['durable', 'not durable'])('a cancel whose entry is %s', async (entry) => {
  const client = { ...idle(), read: reads(say.query('select pg_sleep(60)')) };
  const [resource, passed] = [idle(), [] as string[]];
  const context = contextWith(async () => ({
    duplex: resource,
    greeting: answer.ready(),
    cancel: () => void passed.push('cancel'),
  }));
  const stream = new ClientStream(client, context);
  void stream.run(() => undefined);
  await until(() => resource.got > 0);
  let settle: () => void = () => undefined;
  context.durable = () =>
    new Promise((resolve, reject) => {
      settle = entry === 'durable' ? resolve : () => reject(new Error('the disk is full'));
    });
  const cancelled = stream.cancel();
  await new Promise((resolve) => setImmediate(resolve));
  expect(passed).toEqual([]);
  settle();
  await cancelled;
  expect(passed).toEqual(entry === 'durable' ? ['cancel'] : []);
  stream.abort('HOOP_SESSION_ENDED', 'killed');
});
