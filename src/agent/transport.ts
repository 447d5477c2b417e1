import { readFile } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Transport } from '../protocol/protocol.ts';
import type { Taker } from '../shared/duplex.ts';
import { UserError } from '../shared/errors.ts';
import { ReadBuffer } from '../shared/read-buffer.ts';
import { socketDuplex } from '../shared/socket-duplex.ts';
import type { ResourceConfig } from './config.ts';

const dialMillisMax = 10_000;

/** What dialling needs to know of a resource. */
type Dialled = Pick<ResourceConfig, 'address' | 'tls'>;

/** Dials the resource. TLS is started later, by the protocol, on the same pipe. */
export async function dial(resource: Dialled): Promise<Transport> {
  const reads = new ReadBuffer();
  const socket = await connected(resource.address, reads);
  return new SocketTransport(socket, reads, resource);
}

class SocketTransport implements Transport {
  #duplex;
  #socket: Socket;
  readonly #resource: Dialled;
  readonly closed: Promise<void>;
  encrypted = false;
  peerCertificate: Uint8Array | undefined;

  constructor(socket: Socket, reads: ReadBuffer, resource: Dialled) {
    this.#socket = socket;
    this.#resource = resource;
    this.#duplex = socketDuplex(socket, reads);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  read() {
    return this.#duplex.read();
  }
  flow(taker: Taker) {
    return this.#duplex.flow!(taker);
  }
  write(bytes: Uint8Array) {
    return this.#duplex.write(bytes);
  }
  end() {
    this.#duplex.end();
  }
  reset(reason: string) {
    this.#duplex.reset(reason);
  }

  async startTls({ alpn }: { alpn?: string }): Promise<void> {
    // Bytes that came before the handshake would be plaintext taken for authenticated (CVE-2021-23214, -23222).
    if (this.#duplex.detach().length > 0) {
      this.#socket.destroy();
      throw unreachable(
        'the resource sent bytes between its answer and the TLS handshake',
        'somebody may sit between: check the network path',
      );
    }
    const { tls, address } = this.#resource;
    const options = await tlsOptions(tls, hostOf(address), alpn);
    const secured = await new Promise<TLSSocket>((resolve, reject) => {
      const socket = connectTls({ ...options, socket: this.#socket }, () => resolve(socket));
      socket.once('error', reject);
      // Without an error where the connection below was given up.
      socket.once('close', () => reject(new Error('the connection closed')));
    }).catch((cause: Error) => {
      throw unreachable(
        `the TLS handshake with ${address} failed: ${cause.message}`,
        'check tls.mode, tls.ca and tls.serverName in agent.yaml',
        cause,
      );
    });
    this.#socket = secured;
    this.#duplex = socketDuplex(secured);
    this.encrypted = true;
    this.peerCertificate = secured.getPeerCertificate().raw;
  }
}

/** libpq's meaning: `require` encrypts without checking, `verify-ca` checks the chain, `verify-full` also the name. */
async function tlsOptions(
  tls: ResourceConfig['tls'],
  host: string,
  alpn: string | undefined,
): Promise<ConnectionOptions> {
  const serverName = tls.serverName ?? host;
  const verify = tls.mode === 'verify-ca' || tls.mode === 'verify-full';
  return {
    rejectUnauthorized: verify,
    ...(/^[\d.]+$|:|^\//.test(serverName) ? {} : { servername: serverName }),
    checkServerIdentity:
      tls.mode === 'verify-full' ? (_, certificate) => checkServerIdentity(serverName, certificate) : () => undefined,
    ...(alpn ? { ALPNProtocols: [alpn] } : {}),
    ...(tls.ca ? { ca: await readFile(tls.ca) } : {}),
    ...(tls.cert ? { cert: await readFile(tls.cert) } : {}),
    ...(tls.key ? { key: await readFile(tls.key) } : {}),
  };
}

function connected(address: string, { onread }: ReadBuffer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ ...target(address), allowHalfOpen: true, noDelay: true, onread });
    const fail = (why: string, cause?: unknown) => {
      socket.destroy();
      reject(
        unreachable(
          `${address} does not answer: ${why}`,
          'check the address in agent.yaml and that the resource runs',
          cause,
        ),
      );
    };
    const deadline = setTimeout(() => fail('timed out'), dialMillisMax);
    socket.once('error', (cause) => {
      clearTimeout(deadline);
      fail(cause.message || (cause as NodeJS.ErrnoException).code || 'connection failed', cause);
    });
    socket.once('connect', () => {
      clearTimeout(deadline);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function target(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith('/')) return { path: address };
  const colon = address.lastIndexOf(':');
  return { host: hostOf(address), port: Number(address.slice(colon + 1)) };
}

function hostOf(address: string): string {
  if (address.startsWith('/')) return address;
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

const unreachable = (message: string, next: string, cause?: unknown) =>
  new UserError('HOOP_RESOURCE_UNREACHABLE', message, { next, cause });
