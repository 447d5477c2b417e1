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
