import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { openLocalPort, type LocalPort, type LocalPortOptions } from '../../src/client/local-port.ts';
import type { Evidence } from '../../src/client/peer-process.ts';
import type { Duplex } from '../../src/shared/duplex.ts';
import { readAll } from '../support/tunnel.ts';

const linux = process.platform === 'linux';
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface OpenPort {
  port: LocalPort;
  /** The next connection. */
  next(): Promise<{ duplex: Duplex; evidence: Evidence }>;
}

async function open(options: Partial<LocalPortOptions> = {}): Promise<OpenPort> {
  const arrived: { duplex: Duplex; evidence: Evidence }[] = [];
  let wake = () => undefined as void;
  const port = await openLocalPort({
    onConnection: (duplex, evidence) => {
      arrived.push({ duplex, evidence });
      wake();
    },
    ...options,
  });
  cleanups.push(() => port.close());
  return {
    port,
    async next() {
      while (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return arrived.shift()!;
    },
  };
}

function child(script: string, ...args: string[]): ChildProcess {
  const made = spawn(process.execPath, ['-e', script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  cleanups.push(() => made.kill('SIGKILL'));
  return made;
}

async function listener(host: string, port = 0): Promise<Server> {
  const server = createServer();
  server.listen({ host, port, ipv6Only: true });
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const connectAndWait = `require('net').connect(Number(process.argv[1]), process.argv[2] || '127.0.0.1').write('hello')`;

describe('the port', () => {
  test('a program connects, speaks, and is told the answer', async () => {
    const { port, next } = await open();
    expect(port.host).toBe('127.0.0.1');
    const socket = connect({ host: '127.0.0.1', port: port.port, allowHalfOpen: true });
    socket.end('question');
    const { duplex } = await next();
    expect((await readAll(duplex)).toString()).toBe('question');
    await duplex.write(Buffer.from('answer'));
    duplex.end();
    expect(String(await once(socket, 'data'))).toBe('answer');
    await duplex.closed;
  });

  test.runIf(linux)('is reachable at 127.0.0.1 and at no other address of this machine', async () => {
    const { port } = await open();
    const elsewhere = connect(port.port, '127.0.0.2');
    await expect(once(elsewhere, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('taken: the error names the owner and says what to do', async () => {
    const owner = child(
      `const s = require('net').createServer().listen(0, '127.0.0.1', () => console.log(s.address().port))`,
    );
    const [line] = (await once(owner.stdout!, 'data')) as [Buffer];
    const error: unknown = await open({ port: Number(line.toString()) }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'HOOP_PORT_TAKEN', next: expect.stringContaining('--port') });
    expect((error as Error).message).toContain(`127.0.0.1:${line.toString().trim()}`);
    expect((error as Error).message).toContain(`pid ${owner.pid}`);
    expect((error as Error).message).toContain('node');
  });

  test('refused when [::1] at that port is somebody else’s: `localhost` would lead there', async () => {
    const port = portOf(await listener('::1'));
    await expect(open({ port })).rejects.toMatchObject({
      code: 'HOOP_PORT_TAKEN',
      message: expect.stringContaining(`[::1]:${port}`),
    });
  });

  test('the same port can be opened again after it was closed', async () => {
    const { port } = await open();
    port.close();
    const again = await open({ port: port.port });
    expect(again.port.port).toBe(port.port);
  });

  test('closed: nobody gets in any more, and a connection that stays is cut off after a moment', async () => {
    const { port, next } = await open();
    const socket = connect(port.port, '127.0.0.1');
    const { duplex } = await next();
    port.close();
    await expect(once(connect(port.port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await duplex.closed;
    socket.destroy();
  });

  test('a program that connects and goes at once does no harm', async () => {
    const { port, next } = await open();
    for (let count = 0; count < 20; count++) {
      const socket = connect(port.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.resetAndDestroy();
    }
    const last = connect(port.port, '127.0.0.1');
    last.write('still here');
    const heard: string[] = [];
    while (!heard.includes('still here')) {
      const { duplex } = await next();
      heard.push(String(Buffer.from((await duplex.read().catch(() => null)) ?? [])));
    }
    expect(heard.at(-1)).toBe('still here');
    last.destroy();
  });
});

describe.runIf(linux)('evidence about who connected, from the kernel', () => {
  test('pid, user, executable and parent', async () => {
    const { port, next } = await open();
    const client = child(connectAndWait, String(port.port));
    const { evidence } = await next();
    expect(evidence).toEqual({
      pid: client.pid,
      uid: process.getuid!(),
      executable: process.execPath,
      parent: process.execPath,
    });
  });

  test('a program whose sockets are IPv6 (as Java’s are) is found too', async () => {
    const { port, next } = await open();
    const client = child(connectAndWait, String(port.port), '::ffff:127.0.0.1');
    expect((await next()).evidence.pid).toBe(client.pid);
  });

  test('two programs at once are not taken for each other', async () => {
    const { port, next } = await open();
    const clients = [child(connectAndWait, String(port.port)), child(connectAndWait, String(port.port))];
    const pids = [(await next()).evidence.pid, (await next()).evidence.pid];
    expect(new Set(pids)).toEqual(new Set(clients.map(({ pid }) => pid)));
  });

  test.runIf(process.getuid?.() === 0)('another user’s program is turned away before anything is read', async () => {
    let foreign: ((uid: number) => void) | undefined;
    const turnedAway = new Promise<number>((resolve) => (foreign = resolve));
    const { port } = await open({
      onForeign: (uid) => foreign?.(uid),
      onConnection: () => expect.unreachable('another user got in'),
    });
    const script = `process.setuid(65534); const s = require('net').connect(${port.port}, '127.0.0.1');
      s.on('error', () => 0); s.on('close', () => console.log('closed')); s.write('hello')`;
    const client = child(script);
    expect(await turnedAway).toBe(65534);
    expect(String(await once(client.stdout!, 'data'))).toBe('closed\n');
  });
});

describe.runIf(linux)('the unix socket', () => {
  const folder = async () => {
    const made = await mkdtemp(join(tmpdir(), 'hoop-port-'));
    cleanups.push(() => rm(made, { recursive: true, force: true }));
    return made;
  };

  test('stands in a folder that nobody else can enter, and carries bytes', async () => {
    const socketPath = join(await folder(), 'new', '.s.PGSQL.5432');
    const { port, next } = await open();
    await port.listenAt(socketPath);
    expect((await stat(join(socketPath, '..'))).mode & 0o777).toBe(0o700);
    const socket = connect({ path: socketPath, allowHalfOpen: true });
    socket.end('hello');
    const { duplex, evidence } = await next();
    expect((await readAll(duplex)).toString()).toBe('hello');
    expect(evidence).toEqual({});
    duplex.reset('done');
  });

  test('a folder that others can enter is refused', async () => {
    const open755 = await folder();
    await chmod(open755, 0o755);
    const { port } = await open();
    await expect(port.listenAt(join(open755, 's'))).rejects.toMatchObject({
      code: 'HOOP_CONFIG',
      next: expect.stringContaining('chmod 700'),
    });
  });

  test('a socket file that a crash left behind is replaced, a living one is not, another file never', async () => {
    const socketPath = join(await folder(), 's');
    const crashed = child(
      `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => console.log('up'))`,
    );
    await once(crashed.stdout!, 'data');
    const { port } = await open();
    await expect(port.listenAt(socketPath)).rejects.toMatchObject({ code: 'HOOP_PORT_TAKEN' });
    crashed.kill('SIGKILL');
    await once(crashed, 'exit');
    await port.listenAt(socketPath);
    const file = `${socketPath}-file`;
    await writeFile(file, 'precious');
    await expect(port.listenAt(file)).rejects.toMatchObject({ code: 'HOOP_PORT_TAKEN' });
    expect((await stat(file)).size).toBe(8);
  });
});
