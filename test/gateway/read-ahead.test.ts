import { expect, it } from 'vitest';
import { readAhead } from '../../src/gateway/read-ahead.ts';
import { StreamReset, type Duplex, type Flow } from '../../src/shared/duplex.ts';
import { flowFrom } from '../../src/shared/flow.ts';
import { muxPair } from '../support/mux-pair.ts';
import { until } from '../support/until.ts';

async function streams(): Promise<{ client: Duplex; gateway: Duplex }> {
  const [client, gateway] = muxPair();
  const opened = client.mux.open();
  await until(() => gateway.streams.length === 1);
  return { client: opened, gateway: gateway.streams[0]! };
}

/** What flows out of a stream; with room for one piece at a time where `slow`. */
function taking(stream: Duplex, slow = false) {
  const taken = { text: '', pieces: 0, end: undefined as unknown };
  const flow: Flow = flowFrom(stream, {
    take(bytes) {
      taken.text += Buffer.from(bytes).toString();
      taken.pieces++;
      return !slow;
    },
    ended: () => (taken.end = 'ended'),
    failed: (error) => (taken.end = error),
  });
  return { taken, flow };
}

it.each(['before', 'after'])('what the client sends %s the flow begins comes once, and then the rest', async (when) => {
  const { client, gateway } = await streams();
  const ahead = readAhead(gateway);
  if (when === 'before') {
    await client.write(Buffer.from('first '));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { taken } = taking(ahead.client);
  if (when === 'after') await client.write(Buffer.from('first '));
  await until(() => taken.text === 'first ');
  await client.write(Buffer.from('second'));
  client.end();
  await until(() => taken.end === 'ended');
  expect(taken.text).toBe('first second');
});

it('a taker without room gets nothing more before it asks', async () => {
  const { client, gateway } = await streams();
  const { taken, flow } = taking(readAhead(gateway).client, true);
  await client.write(Buffer.from('a'));
  await until(() => taken.pieces === 1);
  await client.write(Buffer.from('b'));
  client.end();
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toEqual({ text: 'a', pieces: 1, end: undefined });
  flow.more();
  await until(() => taken.pieces === 2);
  flow.more();
  await until(() => taken.end === 'ended');
  expect(taken.text).toBe('ab');
});

it('a client that leaves is seen to leave, and the flow ends or fails as the stream did', async () => {
  const ended = await streams();
  const one = readAhead(ended.gateway);
  ended.client.end();
  await one.left;
  const first = taking(one.client);
  await until(() => first.taken.end === 'ended');
  const reset = await streams();
  const other = readAhead(reset.gateway);
  reset.client.reset('gone');
  await other.left;
  const second = taking(other.client);
  await until(() => second.taken.end !== undefined);
  expect(second.taken.end).toBeInstanceOf(StreamReset);
});
