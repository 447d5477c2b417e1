import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { StreamReset } from '../../src/shared/duplex.ts';
import { UserError } from '../../src/shared/errors.ts';
import { acceptWebSocket, connectWebSocket, type Connection } from '../../src/tunnel/websocket.ts';
import { listen, openTunnel } from '../support/tunnel.ts';

describe('a tunnel over a real WebSocket', () => {
  test('the network goes away: both sides learn of it, whatever waits rejects, what came before stays readable', async () => {
    const http = createServer();
    const accepted = new Promise<Connection>((resolve, reject) => {
      http.once('upgrade', (request, socket, head) => {
        acceptWebSocket(request, socket, head).then(resolve, reject);
      });
    });
    const { port } = new URL(await listen(http));
    const network = createTcpServer((near) => {
      const far = connect(Number(port), '127.0.0.1');
      near.pipe(far).pipe(near);
      network.once('cut', () => [near, far].forEach((socket) => socket.resetAndDestroy()));
      [near, far].forEach((socket) => socket.on('error', () => undefined));
    });
    await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
    const client = await connectWebSocket(`ws://127.0.0.1:${(network.address() as AddressInfo).port}/`);
    const server = await accepted;
    const near = client.open();
    await near.write(Buffer.from('before'));
    const far = await server.accept();
    await far.write(Buffer.from('answer'));
    expect(Buffer.from((await near.read())!).toString()).toBe('answer');
    const reading = near.read();
    network.emit('cut');
    await expect(reading).rejects.toThrow(new StreamReset('lost'));
    expect(await Promise.all([client.closed, server.closed])).toEqual(['lost', 'lost']);
    expect(Buffer.from((await far.read())!).toString()).toBe('before');
    await expect(far.read()).rejects.toThrow('lost');
    await Promise.all([near.closed, far.closed]);
    network.close();
    http.close();
  });

  test('streams of the other side that nobody takes during the handshake are few', async () => {
    await using tunnel = await openTunnel();
    for (let count = 0; count < 17; count++) tunnel.client.open();
    expect(await tunnel.client.closed).toMatch(/before the handshake was over/);
  });
});

describe('what a person is told when no tunnel stands', () => {
  const failure = async (attempt: Promise<unknown>): Promise<UserError> => {
    const error = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  };

  test('the gateway’s own refusal: code, message and next step', async () => {
    const body = JSON.stringify({
      error: { code: 'HOOP_DENIED', message: 'no grant for orders-db', next: 'ask an administrator' },
    });
    const http = createServer().on('upgrade', (_, socket) => {
      socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    const url = await listen(http);
    const error = await failure(connectWebSocket(url));
    expect(error).toMatchObject({
      code: 'HOOP_DENIED',
      message: 'no grant for orders-db',
      next: 'ask an administrator',
    });
    http.close();
  });

  test.each([
    [401, 'HOOP_SIGN_IN'],
    [403, 'HOOP_DENIED'],
    [404, 'HOOP_GATEWAY_UNREACHABLE'],
    [302, 'HOOP_GATEWAY_UNREACHABLE'],
  ])('a bare %i is %s', async (status, code) => {
    const http = createServer((_, response) =>
      response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('<html>'),
    );
    const url = await listen(http);
    const error = await failure(connectWebSocket(url));
    expect(error.code).toBe(code);
    expect(error.next).toBeTruthy();
    http.close();
  });

  test('a code that hoop does not know is not passed on as if it were one', async () => {
    const http = createServer((_, response) => {
      response.writeHead(403).end(JSON.stringify({ error: { code: 'toString', message: 'x' } }));
    });
    const error = await failure(connectWebSocket(await listen(http)));
    expect(error.code).toBe('HOOP_DENIED');
    http.close();
  });

  test('nobody listens', async () => {
    const http = createServer();
    const url = await listen(http);
    await new Promise((resolve) => http.close(resolve));
    const error = await failure(connectWebSocket(url));
    expect(error.code).toBe('HOOP_GATEWAY_UNREACHABLE');
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.next).toContain('hoop gateway start');
  });

  test('TLS asked of a port that speaks plain HTTP', async () => {
    const http = createServer();
    const url = await listen(http);
    const error = await failure(connectWebSocket(url.replace('ws:', 'wss:')));
    expect(error.code).toBe('HOOP_GATEWAY_UNREACHABLE');
    expect(error.next).toMatch(/https or http/);
    http.close();
  });

  test('a port that accepts and stays silent, within the deadline', async () => {
    const silent = createTcpServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    const error = await failure(connectWebSocket(url, { handshakeMillis: 50 }));
    expect(error.code).toBe('HOOP_GATEWAY_UNREACHABLE');
    silent.close();
  });

  test('a CA file that is not there', async () => {
    const error = await failure(connectWebSocket('wss://127.0.0.1:1/', { caFile: '/nowhere/ca.pem' }));
    expect(error.code).toBe('HOOP_CONFIG');
    expect(error.message).toContain('/nowhere/ca.pem');
  });

  test('the person stopped it', async () => {
    const silent = createTcpServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const stop = new AbortController();
    const attempt = connectWebSocket(`ws://127.0.0.1:${(silent.address() as AddressInfo).port}/`, {
      signal: stop.signal,
    });
    stop.abort();
    await expect(attempt).rejects.toThrow(/abort/i);
    silent.close();
  });
});

describe('what an attacker gets', () => {
  test('an upgrade that is no WebSocket handshake is refused, and the server learns of it', async () => {
    const http = createServer();
    const accepted = new Promise<unknown>((resolve) => {
      http.once('upgrade', (request, socket, head) => {
        acceptWebSocket(request, socket, head).then(resolve, resolve);
      });
    });
    const { port } = new URL(await listen(http));
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: something\r\n\r\n');
    const answer = await new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())));
    expect(answer).toMatch(/^HTTP\/1.1 400/);
    expect(await accepted).toMatchObject({ code: 'HOOP_PROTOCOL' });
    socket.destroy();
    http.close();
  });

  test.each<[string, Buffer, RegExp]>([
    ['text', Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]), /binary messages only/],
    ['a message over the bound', Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]), /lost/],
    [
      'frames that are none',
      Buffer.from([0x82, 0x8c, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
      /frame version 9/,
    ],
  ])('%s ends the connection', async (_, bytes, why) => {
    const http = createServer();
    const accepted = new Promise<Awaited<ReturnType<typeof acceptWebSocket>>>((resolve, reject) => {
      http.once('upgrade', (request, socket, head) => {
        acceptWebSocket(request, socket, head).then(resolve, reject);
      });
    });
    const { port } = new URL(await listen(http));
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const connection = await accepted;
    socket.write(bytes);
    await new Promise((resolve) => socket.once('data', resolve)); // go-away or the close frame
    socket.end();
    expect(await connection.closed).toMatch(why);
    http.close();
  });
});
