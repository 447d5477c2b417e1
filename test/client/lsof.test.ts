import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { lsofPort, parseLsof } from '../../src/client/lsof.ts';

const installed = (() => {
  try {
    return execFileSync('lsof', ['-v'], { stdio: 'ignore' }) !== undefined;
  } catch {
    return false;
  }
})();

test('the listing of macOS: a listener and a connection of two programs', () => {
  const output =
    'p812\nu501\ncpostgres\nf5\nn127.0.0.1:5432\nTST=LISTEN\np900\nu502\ncpsql\nf3\nn127.0.0.1:50000->127.0.0.1:5432\nTST=ESTABLISHED\n';
  expect(parseLsof(output)).toEqual([
    { pid: 812, uid: 501, command: 'postgres', name: '127.0.0.1:5432' },
    { pid: 900, uid: 502, command: 'psql', name: '127.0.0.1:50000->127.0.0.1:5432' },
  ]);
});

test.runIf(installed)('the real lsof finds this process at its port', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await lsofPort(port)).toContainEqual(expect.objectContaining({ pid: process.pid, name: `127.0.0.1:${port}` }));
  server.close();
});
