import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { identifyPeer } from '../../src/client/peer-process.ts';
import { sharedScan } from '../../src/client/shared-scan.ts';
import { until } from '../support/until.ts';

const address = '127.0.0.1';

test.runIf(process.platform === 'linux')('255 connections at once: of each the process is known', async () => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket)).listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: 255 }, () => connect(port, address));
  try {
    await until(() => accepted.length === clients.length);
    const peers = await Promise.all(
      accepted.map(({ remotePort }) => identifyPeer({ address, port }, { address, port: remotePort! })),
    );
    for (const peer of peers) expect(peer).toMatchObject({ kind: 'admitted', evidence: { pid: process.pid } });
  } finally {
    for (const socket of [...clients, ...accepted]) socket.destroy();
    server.close();
  }
});

test('one scan serves all who asked before it began, and never one who asked later', async () => {
  let begun = 0;
  const scan = sharedScan(async () => {
    begun++;
    if (begun === 2) throw new Error('the second');
    return begun;
  });
  const first = scan();
  await until(() => begun === 1);
  const later = [scan(), scan(), scan()];
  expect(await first).toBe(1);
  for (const { reason } of (await Promise.allSettled(later)) as PromiseRejectedResult[])
    expect(reason).toMatchObject({ message: 'the second' });
  expect(await scan()).toBe(3);
  expect(begun).toBe(3);
});
