import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { StreamReset } from '../../src/shared/duplex.ts';
import { flowFrom } from '../../src/shared/flow.ts';
import { openStream, openTunnel, openWithin, readAll, readBytes, type Tunnel } from '../support/tunnel.ts';

const MiB = 1024 * 1024;

describe.each([
  ['over a real WebSocket', openTunnel],
  ['within a process', openWithin],
])('streams %s', (_, open) => {
  test('a stream opened by either side carries bytes both ways', async () => {
    await using tunnel = await open();
    for (const [opener, acceptor] of [
      [tunnel.client, tunnel.server],
      [tunnel.server, tunnel.client],
    ] as const) {
      const near = opener.open();
      await near.write(Buffer.from('ping'));
      const far = await acceptor.accept();
      expect(Buffer.from((await far.read())!).toString()).toBe('ping');
      await far.write(Buffer.from('pong'));
      far.end();
      expect((await readAll(near)).toString()).toBe('pong');
      near.end();
      await Promise.all([near.closed, far.closed]);
    }
  });

  test('a reset reaches the other side with its reason', async () => {
    await using tunnel = await open();
    const [near, far] = await openStream(tunnel);
    far.reset('the statement was refused');
    await expect(near.read()).rejects.toThrow(new StreamReset('the statement was refused'));
  });

  test('a message of 64 MiB passes a window of 1 MiB unchanged', async () => {
    await using tunnel = await open();
    const [near, far] = await openStream(tunnel);
    const message = Buffer.alloc(64 * MiB, randomBytes(1021));
    const writing = near.write(message).then(() => near.end());
    const received = await readAll(far);
    await writing;
    expect(received.equals(message)).toBe(true);
  });

  test('a reader that stops stops the sender', async () => {
    await using tunnel = await open();
    const [near, far] = await openStream(tunnel);
    let sent = 0;
    const sending = (async () => {
      const chunk = Buffer.alloc(64 * 1024);
      for (; sent < 16 * MiB; sent += chunk.length) await near.write(chunk);
    })();
    await far.read();
    await roundTrips(tunnel, 20);
    const stoppedAt = sent;
    await roundTrips(tunnel, 20);
    expect(sent).toBe(stoppedAt);
    expect(sent).toBeLessThanOrEqual(3 * MiB);
    await readBytes(far, 16 * MiB - 64 * 1024);
    await sending;
  });

  test('of 20 streams one sleeps: the others run on, and memory stays flat', async () => {
    await using tunnel = await open();
    const streams: Awaited<ReturnType<typeof openStream>>[] = [];
    while (streams.length < 20) streams.push(await openStream(tunnel));
    const sleeper = streams[0]!;
    let sleeperSent = 0;
    const sending = (async () => {
      for (const chunk = Buffer.alloc(MiB); ; sleeperSent += chunk.length) await sleeper[0].write(chunk);
    })();
    const carry = async ([near, far]: (typeof streams)[number]) => {
      const chunk = Buffer.alloc(256 * 1024, 3);
      const writing = (async () => {
        for (let sent = 0; sent < 16 * MiB; sent += chunk.length) await near.write(chunk);
      })();
      for (let received = 0; received < 16 * MiB; received += (await far.read())!.length);
      await writing;
    };
    await Promise.all(streams.slice(1).map(carry));
    const heldBefore = process.memoryUsage().arrayBuffers;
    await Promise.all(streams.slice(1).map(carry)); // 300 MiB more
    const grown = process.memoryUsage().arrayBuffers - heldBefore;
    expect(sleeperSent).toBeLessThanOrEqual(2 * MiB);
    expect(grown).toBeLessThan(64 * MiB);
    sleeper[1].reset('woken');
    await expect(sending).rejects.toThrow('woken');
  });

  test('10,000 streams opened and closed leave nothing behind', async () => {
    await using tunnel = await open();
    tunnel.server.onStream = async (far) => {
      const bytes = await far.read();
      await far.write(bytes!);
      far.end();
    };
    const once = async () => {
      const near = tunnel.client.open();
      await near.write(Buffer.from('x'));
      near.end();
      expect((await readAll(near)).toString()).toBe('x');
    };
    for (let round = 0; round < 100; round++) await Promise.all(Array.from({ length: 100 }, once));
    expect([tunnel.client.streams, tunnel.server.streams]).toEqual([0, 0]);
  });

  test('closing tells the other side why, and what was written before arrives', async () => {
    await using tunnel = await open();
    const [near, far] = await openStream(tunnel);
    await near.write(Buffer.from('goodbye'));
    tunnel.client.close('session over');
    expect(await tunnel.server.closed).toBe('session over');
    expect(await tunnel.client.closed).toBe('session over');
    expect(Buffer.from((await far.read())!).toString()).toBe('goodbye');
    await expect(far.read()).rejects.toThrow('session over');
    expect(() => tunnel.client.open()).toThrow(StreamReset);
    await expect(tunnel.server.accept()).rejects.toThrow('session over');
  });

  test('who answers from within the call that brings bytes, with more than leaves at once, gets all of them in order', async () => {
    await using tunnel = await open();
    const [near, far] = await openStream(tunnel);
    const message = randomBytes(4 * MiB);
    const writing = near.write(message).then(() => near.end());
    await roundTrips(tunnel, 2); // what there is credit for waits at the other side now
    const answered: Uint8Array[] = [];
    const taken: Uint8Array[] = [];
    flowFrom(far, {
      take(bytes) {
        taken.push(bytes);
        const answer = randomBytes(300 * 1024);
        answered.push(answer);
        void far.write(answer);
        return true;
      },
      ended: () => far.end(),
      failed: () => undefined,
    });
    const received = await readAll(near);
    await writing;
    expect(Buffer.concat(taken).equals(message)).toBe(true);
    expect(received.equals(Buffer.concat(answered))).toBe(true);
  });
});

/** Gives both event loops (one process here) time, in a unit that does not depend on the machine. */
async function roundTrips(tunnel: Tunnel, count: number): Promise<void> {
  const [near, far] = await openStream(tunnel);
  for (let trip = 0; trip < count; trip++) {
    await near.write(Buffer.from('.'));
    await far.read();
    await far.write(Buffer.from('.'));
    await near.read();
  }
  near.reset('done');
}
