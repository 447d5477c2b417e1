/**
 * SCRAM-SHA-256, both sides, as PostgreSQL speaks it. RFC 5802, RFC 7677. Pure: nonces and salts are arguments.
 * https://www.postgresql.org/docs/current/sasl-authentication.html
 */
import { createHash, createHmac, pbkdf2 as pbkdf2Callback, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { ProtocolError } from '../../shared/errors.ts';

const pbkdf2 = promisify(pbkdf2Callback);
const hmac = (key: Uint8Array, text: string | Uint8Array): Buffer => createHmac('sha256', key).update(text).digest();
const hash = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

/** A server may ask for expensive hashing, but not for hours of it; fewer than PostgreSQL's default is a downgrade. */
export const iterationsMin = 4096;
export const iterationsMax = 1_000_000;
const nonceLengthMax = 256;

/** What a server must know of a password; the password itself is not needed to check one. */
export interface Verifier {
  salt: Uint8Array;
  iterations: number;
  storedKey: Uint8Array;
  serverKey: Uint8Array;
}

export async function makeVerifier(password: string, salt: Uint8Array, iterations: number): Promise<Verifier> {
  const salted = await saltPassword(password, salt, iterations);
  return { salt, iterations, storedKey: hash(hmac(salted, 'Client Key')), serverKey: hmac(salted, 'Server Key') };
}

/** The last few, by a hash of what they were made from: a server asks with the same salt each time, and the rounds take milliseconds. */
const saltedLately = new Map<string, Promise<Buffer>>();
const saltedMax = 16;

function saltPassword(password: string, salt: Uint8Array, iterations: number): Promise<Buffer> {
  const key = hash(Buffer.from(JSON.stringify([password, [...salt], iterations]))).toString('base64');
  const salted = saltedLately.get(key) ?? pbkdf2(normalize(password), salt, iterations, 32, 'sha256');
  saltedLately.delete(key);
  saltedLately.set(key, salted);
  if (saltedLately.size > saltedMax) saltedLately.delete(saltedLately.keys().next().value!);
  return salted;
}

/** RFC 3454 C.1.2 and B.1: what SASLprep turns into a space, and into nothing. */
const spaces = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/gu;
const nothing = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/gu;

/** Planes that Unicode 3.2, which SASLprep is written for, left empty: emoji above all. */
const unassigned = /[\u{1F000}-\u{1FFFF}]/u;

/** SASLprep (RFC 4013) as PostgreSQL does it: a password that breaks its prohibitions is taken as it is. */
function normalize(password: string): string {
  if (unassigned.test(password)) return password;
  return password.replaceAll(spaces, ' ').replaceAll(nothing, '').normalize('NFKC');
}

// ── server side ─────────────────────────────────────────────────────────────

export interface ServerExchange {
  serverFirst: string;
  /** The server's signature for the client, or undefined: wrong password. Throws ProtocolError for what is no SCRAM. */
  finish(clientFinal: string): string | undefined;
}

/** Answers a client-first message. Throws ProtocolError. Channel binding is not offered, so `p=` is an error. */
export function startServer(clientFirst: string, verifier: Verifier, nonce: string): ServerExchange {
  const match = /^([ny]),(?:a=[^,]*)?,((?:m=[^,]*,)?n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+))(?:,.*)?$/.exec(clientFirst);
  if (!match || match[2]!.startsWith('m=')) throw malformed('client-first');
  const [, flag, clientFirstBare, clientNonce] = match as unknown as [string, string, string, string];
  if (clientNonce.length > nonceLengthMax) throw malformed('client-first');
  const combined = clientNonce + nonce;
  const serverFirst = `r=${combined},s=${Buffer.from(verifier.salt).toString('base64')},i=${verifier.iterations}`;
  const binding = Buffer.from(`${flag},,`).toString('base64');
  return {
    serverFirst,
    finish(clientFinal) {
      const parts = /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,[^p][^,]*)*),p=([A-Za-z0-9+/=]+)$/.exec(clientFinal);
      if (!parts) throw malformed('client-final');
      const [, withoutProof, channel, echoed, proof] = parts as unknown as [string, string, string, string, string];
      if (channel !== binding || echoed !== combined) throw malformed('client-final');
      const authMessage = `${clientFirstBare},${serverFirst},${withoutProof}`;
      const signature = hmac(verifier.storedKey, authMessage);
      const clientKey = xor(Buffer.from(proof, 'base64'), signature);
      if (!clientKey || !same(hash(clientKey), verifier.storedKey)) return undefined;
      return `v=${hmac(verifier.serverKey, authMessage).toString('base64')}`;
    },
  };
}

// ── client side ─────────────────────────────────────────────────────────────

export interface ClientExchange {
  clientFirst: string;
  /** The proof for the server. Throws ProtocolError when the server's bounds or nonce are not right. */
  proof(serverFirst: string): Promise<string>;
  /** Throws ProtocolError unless the server knows the password too. */
  checkServer(serverFinal: string): void;
}

export interface ClientOptions {
  password: string;
  nonce: string;
  /** `tls-server-end-point` data for SCRAM-SHA-256-PLUS; undefined without it. */
  channelBinding?: Uint8Array;
  /** We could bind, but the server did not offer it: says so, which shows a downgrade. */
  couldBind?: boolean;
}

export function startClient({ password, nonce, channelBinding, couldBind = false }: ClientOptions): ClientExchange {
  const gs2 = channelBinding ? 'p=tls-server-end-point,,' : couldBind ? 'y,,' : 'n,,';
  // PostgreSQL takes the user of the startup packet and ignores this one.
  const clientFirstBare = `n=,r=${nonce}`;
  const binding = Buffer.concat([Buffer.from(gs2), channelBinding ?? new Uint8Array(0)]).toString('base64');
  let expected: Buffer | undefined;
  return {
    clientFirst: gs2 + clientFirstBare,
    async proof(serverFirst) {
      const { combined, salt, iterations } = readServerFirst(serverFirst, nonce);
      const salted = await saltPassword(password, salt, iterations);
      const clientKey = hmac(salted, 'Client Key');
      const withoutProof = `c=${binding},r=${combined}`;
      const authMessage = `${clientFirstBare},${serverFirst},${withoutProof}`;
      expected = hmac(hmac(salted, 'Server Key'), authMessage);
      const proof = xor(clientKey, hmac(hash(clientKey), authMessage))!;
      return `${withoutProof},p=${proof.toString('base64')}`;
    },
    checkServer(serverFinal) {
      const signature = /^v=([A-Za-z0-9+/=]+)(?:,.*)?$/.exec(serverFinal)?.[1];
      if (!expected || signature === undefined || !same(Buffer.from(signature, 'base64'), expected)) {
        throw new ProtocolError('scram', 'the server could not prove that it knows the password');
      }
    },
  };
}

function readServerFirst(text: string, nonce: string): { combined: string; salt: Buffer; iterations: number } {
  const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=(\d{1,9})(?:,.*)?$/.exec(text);
  if (!match) throw malformed('server-first');
  const [, combined, salt, count] = match as unknown as [string, string, string, string];
  const iterations = Number(count);
  if (!combined.startsWith(nonce) || combined.length === nonce.length || combined.length > nonceLengthMax) {
    throw new ProtocolError('scram', 'the server’s nonce does not continue ours');
  }
  if (iterations < iterationsMin || iterations > iterationsMax) {
    throw new ProtocolError(
      'scram',
      `the server asks for ${iterations} iterations; ${iterationsMin} to ${iterationsMax} are accepted`,
    );
  }
  return { combined, salt: Buffer.from(salt, 'base64'), iterations };
}

function xor(a: Uint8Array, b: Uint8Array): Buffer | undefined {
  if (a.length !== b.length) return undefined;
  return Buffer.from(a.map((byte, index) => byte ^ b[index]!));
}

const malformed = (what: string): ProtocolError => new ProtocolError('scram', `a malformed SCRAM ${what} message`);
