import { createHash, randomUUID, type webcrypto } from 'node:crypto';
import { SignJWT } from 'jose/jwt/sign';
import type { StoredSignIn } from './token-store.ts';

export type PrivateJwk = StoredSignIn['key'];

/** The key that the tokens are bound to (RFC 9449): without it they are worth nothing. */
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

/** A proof for exactly one request with this access token. */
export async function dpopProof(key: DpopKey, method: string, url: string, accessToken: string): Promise<string> {
  const { origin, pathname } = new URL(url);
  const { kty, crv, x, y } = key.jwk;
  return new SignJWT({
    htm: method,
    htu: origin + pathname,
    jti: randomUUID(),
    ath: createHash('sha256').update(accessToken).digest('base64url'),
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: { kty, crv, x, y } })
    .setIssuedAt()
    .sign(key.privateKey);
}
