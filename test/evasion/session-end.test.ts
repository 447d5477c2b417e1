import { expect, test } from 'vitest';
import { GatewaySession, type SessionParts } from '../../src/gateway/session.ts';
import { createHeldBudget } from '../../src/gateway/held-budget.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { StreamReset, type Duplex } from '../../src/shared/duplex.ts';
import { limits } from '../../src/shared/limits.ts';
import { writeControl } from '../../src/tunnel/control.ts';
import { muxPair } from '../support/mux-pair.ts';
import { until } from '../support/until.ts';

const killed = { reason: 'access_ended', message: 'the grant behind this session ended', final: true };

/** A session on real multiplexed streams; what is behind it only counts what it was asked. */
function startSession() {
  const [client, gateway] = muxPair();
  const [link, agent] = muxPair();
  const asked: string[] = [];
  let total = 0;
  const append = ({ kind, reason }: { kind: string; reason?: string }) => asked.push(`${kind} ${reason}`);
  const parts = {
    recorder: {
      id: 'session',
      stream: () => (
        asked.push('stream'),
        { append, together: <T>(act: (given: T) => unknown, given: T) => act(given), close: () => undefined }
      ),
      durable: async () => undefined,
      seal: async () => void asked.push('seal'),
    },
    protocol: {
      fatal: (code: string) => Buffer.from(code),
      frontend: {
        admit: async () => ({
          kind: 'admitted',
          startup: { parameters: {} },
          leftover: Buffer.alloc(0),
          cancelKeyBytes: 4,
          greet: () => Buffer.alloc(0),
        }),
        refuse: async (duplex: Duplex, code: string, message: string) =>
          duplex.write(Buffer.from(code === 'HOOP_SESSION_ENDED' ? message : code)),
      },
      createDecoder: () => decoderThatPasses((bytes) => (total += bytes)),
    },
    link: {
      openResource: async () => {
        asked.push('resource');
        const duplex = link.mux.open();
        await duplex.write(Buffer.alloc(1));
        return { duplex, greeting: Buffer.alloc(0), cancel: () => undefined };
      },
    },
    credential: { user: 'hoop', password: '', database: '' },
    held: createHeldBudget(limits.heldBytesMax),
    clock: systemClock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    resource: 'orders-db',
    user: 'ada',
    actor: null,
    messageBytesMax: 1024,
  };
  const session = new GatewaySession(parts as unknown as SessionParts);
  return { session, client, gateway, agent, asked, carried: () => total };
}

/** What follows the first byte (of four of length) of a StreamOpen. */
const streamOpen = Buffer.from('{"kind":"stream"}');
const restOfOpen = Buffer.concat([Buffer.from([0, 0, streamOpen.length]), streamOpen]);

const step = (toClient: Uint8Array[] = []) => ({ toResource: [], toClient, end: null });
const decoderThatPasses = (count: (bytes: number) => void) => ({
  heldBytes: 0,
  client: () => step(),
  clientEnded: () => step(),
  resource: (bytes: Uint8Array) => (count(bytes.length), step([bytes])),
  resourceEnded: () => step(),
  abort: (code: string) => step([Buffer.from(code)]),
  cancel: () => false,
});

test('a stream that says what it is only after its session ended reaches nothing, and the session does not wait for it', async () => {
  const { session, gateway, client, asked } = startSession();
  const late = client.mux.open();
  await late.write(Buffer.alloc(1)); // the first byte of a control message
  await until(() => gateway.streams.length === 1);
  session.accept(gateway.streams[0]!);
  void session.end(killed);
  await late.write(restOfOpen);
  expect(await session.ended).toEqual(killed);
  expect(asked).toEqual(['seal']);
});

test('a stream that comes after the end is told why its session ended, before the client hears of it', async () => {
  const { session, gateway, client, asked } = startSession();
  void session.end(killed);
  const late = client.mux.open();
  await writeControl(late, { kind: 'stream' });
  await until(() => gateway.streams.length === 1);
  session.accept(gateway.streams[0]!);
  expect(String(await late.read())).toBe('the session is ending: the grant behind this session ended');
  const lost = startSession();
  void lost.session.end({ reason: 'agent_lost', message: 'the agent is gone', final: false });
  const next = lost.client.mux.open();
  await writeControl(next, { kind: 'stream' });
  await until(() => lost.gateway.streams.length === 1);
  lost.session.accept(lost.gateway.streams[0]!);
  expect(String(await next.read())).toBe('the session is ending: the agent is gone; connect again');
  expect([...asked, ...lost.asked]).toEqual(['seal', 'seal']);
});

test('a client that reads nothing cannot keep its session from ending', async () => {
  const { session, gateway, agent, client, asked, carried } = startSession();
  await writeControl(client.mux.open(), { kind: 'stream' });
  await until(() => gateway.streams.length === 1);
  session.accept(gateway.streams[0]!);
  await until(() => agent.streams.length === 1);
  void flood(agent.streams[0]!);
  await until(() => carried() > limits.streamWindowBytes); // the next write to the client waits for a reader
  void session.end(killed);
  expect(await session.ended).toEqual(killed);
  expect(asked.at(-1)).toBe('seal');
});

test('streams that have not said yet what they are count for the bound', async () => {
  const { session, gateway, client, asked } = startSession();
  const opened = Array.from({ length: limits.streamsPerSessionMax + limits.streamsRefusedMax + 1 }, () =>
    client.mux.open(),
  );
  for (const stream of opened) await stream.write(Buffer.alloc(1));
  await until(() => gateway.streams.length === opened.length);
  for (const stream of gateway.streams) session.accept(stream);
  const beyond = opened.at(-1)!;
  await expect(beyond.read()).rejects.toThrow(/256 connections already/); // not even told in its own protocol
  const tooMany = opened[limits.streamsPerSessionMax]!;
  await tooMany.write(restOfOpen);
  expect(String(await tooMany.read())).toBe('HOOP_LIMIT');
  expect(asked).toEqual(['stream', 'refusal too-many-streams']);
  const first = opened[0]!;
  await first.write(restOfOpen);
  await until(() => asked.includes('resource'));
  for (const stream of opened) stream.reset('done');
});

test('a client that opens streams and says nothing cannot keep its session from ending', async () => {
  const { session, gateway, client } = startSession();
  await client.mux.open().write(Buffer.alloc(1));
  await until(() => gateway.streams.length === 1);
  session.accept(gateway.streams[0]!);
  const begun = Date.now();
  await session.end(killed);
  expect(Date.now() - begun).toBeLessThan(limits.lingerMillis * 3);
});

test('a stream whose first message cannot be read is reset, not forgotten', async () => {
  const { session, gateway, client } = startSession();
  const stream = client.mux.open();
  await writeControl(stream, { kind: 'something else' });
  await until(() => gateway.streams.length === 1);
  session.accept(gateway.streams[0]!);
  await expect(stream.read()).rejects.toBeInstanceOf(StreamReset);
  await session.end(killed);
});

async function flood(resource: Duplex): Promise<void> {
  try {
    for (;;) await resource.write(Buffer.alloc(65_536));
  } catch {
    // The gateway let go of the stream.
  }
}
