import { createHash, randomUUID, sign, type webcrypto } from 'node:crypto';
import type { StoredSignIn } from './token-store.ts';

export type PrivateJwk = StoredSignIn['key'];

/** The key that the tokens are bound to (RFC 9449): without it they are worth nothing. As the OAuth library wants it. */
export interface DpopKey extends webcrypto.CryptoKeyPair {
  jwk: PrivateJwk;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** Extractable, because it has to go into the token store. */
export async function newDpopKey(): Promise<DpopKey> {
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const { x = '', y = '', d = '' } = await crypto.subtle.exportKey('jwk', pair.privateKey);
  return { ...pair, jwk: { kty: 'EC', crv: 'P-256', x, y, d } };
}

export async function importDpopKey(jwk: PrivateJwk): Promise<DpopKey> {
  const { d: _private, ...open } = jwk;
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign']),
    crypto.subtle.importKey('jwk', open, algorithm, true, ['verify']),
  ]);
  return { privateKey, publicKey, jwk };
}

/**
 * A proof for exactly one request with this access token (RFC 9449 section 4.2), as a compact JWS. By `node:crypto`: a library for this one
 * token costs every command 15 ms, and loading Web Crypto 5.
 */
export function dpopProof(key: PrivateJwk, method: string, url: string, accessToken: string): string {
  const { origin, pathname } = new URL(url);
  const { kty, crv, x, y } = key;
  const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: { kty, crv, x, y } };
  const claims = {
    htm: method,
    htu: origin + pathname,
    jti: randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    ath: createHash('sha256').update(accessToken).digest('base64url'),
  };
  const signed = `${base64urlJson(header)}.${base64urlJson(claims)}`;
  // The form of ECDSA signatures that JWS wants.
  const signature = sign('sha256', Buffer.from(signed), { key, format: 'jwk', dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

const base64urlJson = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
