import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import type { Opening } from '../protocol/protocol.ts';
import type { Duplex } from '../shared/duplex.ts';
import { limits } from '../shared/limits.ts';
import { socketDuplex } from '../shared/socket-duplex.ts';
import { prefixed } from '../tunnel/prefixed.ts';
import { selfSignedCertificate } from './certificate.ts';

export interface OpenedLocally {
  /** What the gateway is to see: the bytes inside of TLS, from the first on. */
  duplex: Duplex;
  /** The client may have gone already, and is served all the same. */
  isParting: boolean;
}

/**
 * Agrees with a client program on encryption, before anything goes to the gateway. Rejects, with the connection closed, when the client
 * goes, takes too long or does what it must not.
 */
export async function openLocally(
  socket: Socket,
  opening: (bytes: Uint8Array) => Opening,
  { millisMax = limits.handshakeMillisMax }: { millisMax?: number } = {},
): Promise<OpenedLocally> {
  const late = setTimeout(() => socket.destroy(), millisMax);
  try {
    return await agree(socket, opening);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(late);
  }
}

async function agree(socket: Socket, opening: (bytes: Uint8Array) => Opening): Promise<OpenedLocally> {
  const duplex = socketDuplex(socket);
  let bytes: Uint8Array = new Uint8Array(0);
  let declined = false;
  for (;;) {
    const asked = opening(bytes);
    if (asked.kind === 'incomplete') {
      const more = await duplex.read();
      if (more === null) throw new Error('the client went before it said anything');
      bytes = Buffer.concat([bytes, more]);
    } else if (asked.kind === 'tls') {
      return { duplex: await startTls(socket, Buffer.concat([bytes, duplex.detach()]), asked), isParting: false };
    } else if (asked.kind === 'declined' && !declined) {
      declined = true;
      expectNothingBehind(bytes, asked.length);
      bytes = new Uint8Array(0);
      await duplex.write(asked.answer);
    } else return { duplex: prefixed(bytes, duplex), isParting: asked.kind === 'parting' };
  }
}

async function startTls(
  socket: Socket,
  bytes: Uint8Array,
  { length, answer, alpn, alpnRequired }: Extract<Opening, { kind: 'tls' }>,
): Promise<Duplex> {
  if (length > 0) expectNothingBehind(bytes, length);
  else socket.unshift(bytes); // the handshake itself
  if (answer.length > 0) socket.write(answer);
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext: secureContext(),
    ALPNProtocols: [alpn],
  });
  await new Promise<void>((resolve, reject) => {
    secured.once('secure', resolve);
    secured.once('error', reject);
    secured.once('close', () => reject(new Error('the client went during the TLS handshake')));
  });
  // Without ALPN a client of another protocol could be led here (ALPACA); libpq insists on it too.
  if (alpnRequired && secured.alpnProtocol !== alpn) throw new Error(`TLS was begun at once without ALPN ${alpn}`);
  return socketDuplex(secured);
}

/** What waits behind a request was sent before the answer: plaintext that would be taken for encrypted (CVE-2021-23214). */
function expectNothingBehind(bytes: Uint8Array, length: number): void {
  if (bytes.length > length) throw new Error('bytes behind an encryption request');
}

let made: SecureContext | undefined;

/** One certificate for the life of this process. */
function secureContext(): SecureContext {
  made ??= createSecureContext({ ...selfSignedCertificate(Date.now()), minVersion: 'TLSv1.2' });
  return made;
}
