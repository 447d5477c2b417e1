import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limits } from '../../src/shared/limits.ts';
import { withSequence } from '../../src/tunnel/sequence-frame.ts';
import { writeControl } from '../../src/tunnel/control.ts';
import { createMux, type Mux } from '../../src/tunnel/mux.ts';
import { initialWindowBytes } from '../../src/tunnel/mux-stream.ts';
import { muxPair } from '../support/mux-pair.ts';
import { readAll } from '../support/tunnel.ts';

const page = readFileSync(new URL('../../docs/tunnel-protocol.md', import.meta.url), 'utf8');
const examples = Array.from(page.matchAll(/```hex\n([\s\S]*?)```/g), ([, hex]) => hex!.replaceAll(/\s+/g, ''));
const [open, data, acknowledge, end, reset, pings, goAway, control] = examples;

function recorder(role: 'client' | 'server') {
  let sent = '';
  const streams: Parameters<Parameters<typeof createMux>[0]['onStream']>[0][] = [];
  const mux: Mux = createMux({
    role,
    schedule: queueMicrotask,
    send: (chunks) => {
      sent += Buffer.concat(chunks).toString('hex');
      return true;
    },
    onStream: (stream) => streams.push(stream),
    onClose: () => undefined,
  });
  return {
    mux,
    streams,
    async take() {
      await Promise.resolve();
      const bytes = sent;
      sent = '';
      return bytes;
    },
  };
}

test('what the dialling side sends', async () => {
  expect(examples).toHaveLength(9);
  const { mux, take } = recorder('client');
  const stream = mux.open();
  expect(await take()).toBe(open);
  await stream.write(Buffer.from('SELECT 1'));
  expect(await take()).toBe(data);
  stream.end();
  expect(await take()).toBe(end);
  mux.close('bye');
  expect(await take()).toBe(goAway);
});

test('what the other side answers', async () => {
  const { mux, streams, take } = recorder('server');
  mux.receive(Buffer.from(open! + data!, 'hex'));
  expect(await take()).toBe('');
  await streams[0]!.read();
  expect(await take()).toBe(acknowledge);
  streams[0]!.reset('too slow');
  expect(await take()).toBe(reset);
  mux.receive(Buffer.from(pings!.slice(0, 24), 'hex'));
  expect(await take()).toBe(pings!.slice(24));
});

test('a control message', async () => {
  const [client, server] = muxPair();
  const stream = client.mux.open();
  await writeControl(stream, { kind: 'stream', evidence: {} });
  stream.end();
  await new Promise((resolve) => setImmediate(resolve));
  expect((await readAll(server.streams[0]!)).toString('hex')).toBe(control);
});

test('bytes that name the entry that they need', async () => {
  const [client, server] = muxPair();
  const stream = withSequence(client.mux.open(), { shownSeq: 7, show: () => undefined });
  await stream.write(Buffer.from('SELECT 1'));
  stream.end();
  await new Promise((resolve) => setImmediate(resolve));
  expect((await readAll(server.streams[0]!)).toString('hex')).toBe(examples[8]);
});

test('the numbers in the text are those in the code', () => {
  for (const number of [
    limits.frameBytesMax,
    initialWindowBytes,
    limits.streamWindowBytes,
    limits.streamWindowBytes - initialWindowBytes,
    limits.streamsPerLinkMax,
    limits.controlBytesMax,
    limits.witnessMessageBytesMax,
  ]) {
    expect(page).toContain(number.toLocaleString('en-US'));
  }
  expect(page).toContain(`${limits.webSocketBytesMax / 1024 / 1024} MiB`);
  expect(page).toContain(`every ${limits.pingIntervalMillis / 1000} s`);
  expect(page).toContain(`for ${limits.pongMillisMax / 1000} s`);
  expect(page).toContain(`within ${limits.handshakeMillisMax / 1000} s`);
  expect(page).toContain(`over ${limits.witnessPayloadBytesMax / 1024} KiB`);
  expect(page).toContain(`\`data\` over ${limits.witnessDataBytesMax / 1024} KiB`);
  expect(page).toContain(`within ${limits.witnessWaitMillisMax / 1000} s`);
});
