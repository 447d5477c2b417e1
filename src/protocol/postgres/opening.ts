import type { Opening } from '../protocol.ts';
import { bytesOf } from './messages.ts';
import { cancelRequestCode, gssEncRequestCode, sslRequestCode } from './startup.ts';

/** First byte of a TLS record that holds a ClientHello (RFC 8446, 5.1): direct TLS, libpq's sslnegotiation=direct. */
const tlsHandshake = 0x16;
const alpn = 'postgresql';

/**
 * What the first bytes on the local port ask for. Encryption is agreed there; all else, malformed packets too, is the gateway's to answer.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
 */
export function opening(bytes: Uint8Array): Opening {
  const first = bytes[0];
  if (first === undefined) return { kind: 'incomplete' };
  if (first === tlsHandshake) return { kind: 'tls', alpn, alpnRequired: true, answer: new Uint8Array(0), length: 0 };
  if (first !== 0) return { kind: 'login' };
  if (bytes.length < 8) return { kind: 'incomplete' };
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [length, code] = [fields.getUint32(0), fields.getUint32(4)];
  if (code === cancelRequestCode) return { kind: 'parting' };
  if (length !== 8) return { kind: 'login' };
  if (code === sslRequestCode) return { kind: 'tls', alpn, alpnRequired: false, answer: bytesOf('S'), length };
  if (code === gssEncRequestCode) return { kind: 'declined', answer: bytesOf('N'), length };
  return { kind: 'login' };
}
