import { expect, test } from 'vitest';
import { createHeldBudget } from '../../src/gateway/held-budget.ts';
import { relay } from '../../src/gateway/relay.ts';
import type { Event } from '../../src/protocol/event.ts';
import { createDecoder } from '../../src/protocol/postgres/decoder.ts';
import { encodeReadyForQuery } from '../../src/protocol/postgres/messages.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { UserError } from '../../src/shared/errors.ts';
import { muxPair } from '../support/mux-pair.ts';
import { until } from '../support/until.ts';

const query = (text: string) => {
  const body = Buffer.from(`${text}\0`);
  const header = Buffer.from([0x51, 0, 0, 0, 0]);
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
};

/** The relay and the real decoder between two real multiplexed streams; the record's durability is the test's. */
async function startRelay(durable: () => Promise<void>, heldBytesMax = 1 << 20) {
  const [program, gatewayOfProgram] = muxPair();
  const [gatewayOfServer, server] = muxPair();
  const toGateway = program.mux.open();
  const toServer = gatewayOfServer.mux.open();
  const log: string[] = [];
  const events: Event[] = [];
  await toGateway.write(query('select 1'));
  await until(() => gatewayOfProgram.streams.length === 1);
  await toServer.write(Buffer.from('hello')); // so that the server's side of the stream exists
  await until(() => server.streams.length === 1);
  const atServer = server.streams[0]!;
  await atServer.read();
  const sink = {
    append: (event: Event) => {
      log.push(`appended ${event.kind}`);
      return events.push(event);
    },
  };
  const decoder = createDecoder({
    sink,
    clock: systemClock,
    messageBytesMax: 1 << 24,
    greeting: encodeReadyForQuery('I'),
  });
  const ended = relay({
    client: gatewayOfProgram.streams[0]!,
    resource: toServer,
    decoder,
    together: (act, given) => act(given),
    durable: () => {
      log.push('durable asked');
      return durable();
    },
    held: createHeldBudget(heldBytesMax),
  });
  ended.catch(() => undefined);
  const arrived: Buffer[] = [];
  void (async () => {
    for (let bytes = await atServer.read(); bytes; bytes = await atServer.read()) {
      log.push('arrived');
      arrived.push(Buffer.from(bytes));
    }
  })().catch(() => undefined);
  return { toGateway, toServer, ended, log, events, arrived };
}

test('invariant 1: no byte of a statement reaches the server before its entry is durable', async () => {
  const letGo: (() => void)[] = [];
  const { toGateway, log, arrived } = await startRelay(() => new Promise((resolve) => letGo.push(resolve)));
  // Everything that could run has run: the streams are in memory, nothing of theirs waits for a clock.
  const settled = async () => {
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await until(() => letGo.length === 1);
  await toGateway.write(query('select 2'));
  await until(() => letGo.length === 2);
  await settled();
  // The second is recorded while the disk is at work for the first; neither has left.
  expect(log).toEqual(['appended statement', 'durable asked', 'appended statement', 'durable asked']);
  expect(arrived).toEqual([]);
  letGo[0]!();
  await until(() => log.includes('arrived'));
  await settled();
  expect(Buffer.concat(arrived)).toEqual(query('select 1'));
  letGo[1]!();
  await until(() => Buffer.concat(arrived).length > query('select 1').length);
  expect(Buffer.concat(arrived)).toEqual(Buffer.concat([query('select 1'), query('select 2')]));
  expect(log.filter((line) => line !== 'arrived')).toEqual([
    'appended statement',
    'durable asked',
    'appended statement',
    'durable asked',
  ]);
  toGateway.reset('done');
});

test('invariant 3: what cannot be made durable is not forwarded, and the stream ends', async () => {
  const failure = new UserError('HOOP_RECORDER', 'the disk is full');
  const { ended, arrived } = await startRelay(() => Promise.reject(failure));
  await expect(ended).rejects.toBe(failure);
  expect(arrived).toEqual([]);
});

test('invariant 8: incomplete messages past the budget of the gateway end the stream; nothing of them is forwarded', async () => {
  const { toGateway, ended, arrived } = await startRelay(() => Promise.resolve(), 64 * 1024);
  await until(() => arrived.length > 0);
  const header = Buffer.from([0x51, 0, 0x10, 0, 0]); // a Query of a MiB, of which a part comes
  await toGateway.write(Buffer.concat([header, Buffer.alloc(100_000, 0x20)]));
  await expect(ended).rejects.toMatchObject({ code: 'HOOP_LIMIT' });
  expect(Buffer.concat(arrived)).toEqual(query('select 1'));
});
