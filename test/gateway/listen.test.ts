import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { listenHttp } from '../../src/gateway/listen-http.ts';
import { clientId } from '../../src/shared/api.ts';
import { connectWebSocket } from '../../src/tunnel/websocket.ts';
import { startTestGateway } from '../support/identity-gateway.ts';

describe('listening', () => {
  it('on a port that is taken is HOOP_PORT_TAKEN', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => squatter.once('listening', resolve));
    const { port } = squatter.address() as AddressInfo;
    await expect(listenHttp({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'HOOP_PORT_TAKEN' });
    squatter.close();
  });

  it('with a certificate is TLS; one that cannot be read names the key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hoop-tls-'));
    const [tlsKey, tlsCert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', [...request, '-keyout', tlsKey, '-out', tlsCert, ...subject], { stdio: 'pipe' });
    const { server, url } = await listenHttp({ host: '127.0.0.1', port: 0, tlsCert, tlsKey });
    server.on('request', (_request, response) => response.end('over TLS'));
    const dispatcher = new Agent({ connect: { ca: readFileSync(tlsCert) } });
    expect(url).toMatch(/^https:/);
    expect(await (await fetch(url, { dispatcher })).text()).toBe('over TLS');
    await dispatcher.close();
    server.close();
    const missing = listenHttp({ host: '127.0.0.1', port: 0, tlsCert: join(folder, 'none.pem'), tlsKey });
    await expect(missing).rejects.toMatchObject({ code: 'HOOP_CONFIG', message: expect.stringContaining('tlsCert') });
    rmSync(folder, { recursive: true });
  });
});

describe('a gateway that is starting', () => {
  it('says so, to requests and to WebSockets, until it is ready', async () => {
    const { server, url } = await listenHttp({ host: '127.0.0.1', port: 0 });
    const early = await fetch(`${url}/healthz`);
    expect(early.status).toBe(503);
    expect(await early.json()).toMatchObject({ error: { code: 'HOOP_GATEWAY_UNREACHABLE' } });
    const tunnel = connectWebSocket(url.replace('http', 'ws'), { headers: {}, signal: AbortSignal.timeout(5000) });
    await expect(tunnel).rejects.toMatchObject({
      code: 'HOOP_GATEWAY_UNREACHABLE',
      message: expect.stringContaining('starting'),
    });
    server.on('request', (_request, response) => response.end('ready'));
    expect(await (await fetch(url)).text()).toBe('ready');
    server.close();
  });
});

describe('behind a proxy', () => {
  it('the address that the proxy names is the one that is shown', async () => {
    const gateway = await startTestGateway({ behindProxy: true });
    const answer = await fetch(`${gateway.url}/oidc/device/auth`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': '203.0.113.9' },
      body: new URLSearchParams({ client_id: clientId, scope: 'openid' }).toString(),
    });
    const { verification_uri_complete: uri } = (await answer.json()) as { verification_uri_complete: string };
    expect(await (await fetch(uri)).text()).toContain('203.0.113.9');
    await gateway.close();
  });
});

describe('closing', () => {
  it('does not wait for a socket that somebody holds', async () => {
    const gateway = await startTestGateway();
    const { port } = new URL(gateway.url);
    const held = connect(Number(port), '127.0.0.1');
    const lost = new Promise((resolve) => held.once('close', resolve));
    held.on('error', () => undefined);
    await new Promise((resolve) => held.once('connect', resolve));
    held.write('GET /healthz HTTP/1.1\r\n');
    await gateway.close();
    await lost;
    expect(held.destroyed).toBe(true);
  });
});
