import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readGatewayConfig } from '../../src/gateway/config.ts';
import { startGateway, type RunningGateway } from '../../src/gateway/gateway.ts';
import { silentLog } from '../../src/shared/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'hoop-upgrades-'));
let gateway: RunningGateway;

beforeAll(async () => {
  const config = await readGatewayConfig({ dataDir: join(folder, 'gw'), listen: '127.0.0.1:0' }, { environment: {} });
  gateway = await startGateway(config, { log: silentLog });
});
afterAll(async () => {
  await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The first line of the answer to a WebSocket request for a path, as bytes on the wire. */
function upgrade(path: string): Promise<string> {
  const { hostname, port } = new URL(gateway.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      );
    });
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.once('error', reject);
    socket.once('close', () => resolve(text.split('\r\n')[0]!));
  });
}

test.each([
  ['//', '404'],
  ['/nowhere', '404'],
  ['http://[', '404'],
  ['/tunnel', '401'],
  ['/tunnel?x=1', '401'],
])('a WebSocket request for %j is answered with %s, and the gateway lives', async (path, status) => {
  expect(await upgrade(path)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(await upgrade('/tunnel')).toMatch(/^HTTP\/1\.1 401 /);
});
