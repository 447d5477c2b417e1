import { randomUUID } from 'node:crypto';
import { exportJWK } from 'jose';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  makeProof,
  newKey,
  signIn,
  startTestGateway,
  type Answer,
  type ProofFields,
  type SignedIn,
  type TestGateway,
} from '../support/identity-gateway.ts';

let gateway: TestGateway;
let alice: SignedIn;
beforeAll(async () => {
  gateway = await startTestGateway();
  await gateway.addUser('alice');
  alice = await signIn(gateway, 'alice');
});
afterAll(() => gateway.close());

const url = () => `${gateway.url}/api/v1/whoami`;
const proof = (fields: Partial<ProofFields> = {}, key = alice.key) =>
  makeProof(key, { htm: 'GET', htu: url(), accessToken: alice.accessToken, ...fields });

async function whoami(headers: Record<string, string>, target = url()) {
  const answer = await fetch(target, { headers });
  return {
    status: answer.status,
    body: (await answer.json()) as Answer,
    challenge: answer.headers.get('www-authenticate'),
  };
}
const withProof = (text: string, scheme = 'DPoP') =>
  whoami({ authorization: `${scheme} ${alice.accessToken}`, dpop: text });

describe('a stolen access token', () => {
  it('opens nothing without a proof, and the answer says how to sign in', async () => {
    const { status, body, challenge } = await whoami({ authorization: `DPoP ${alice.accessToken}` });
    expect(status).toBe(401);
    expect(body.error).toMatchObject({ code: 'HOOP_SIGN_IN', next: 'run: hoop login' });
    expect(challenge).toContain('DPoP');
  });

  it('opens nothing as a bearer token', async () => {
    expect((await whoami({ authorization: `Bearer ${alice.accessToken}` })).status).toBe(401);
    expect((await withProof(await proof(), 'Bearer')).status).toBe(401);
  });

  it('opens nothing with a proof by another key', async () => {
    expect((await withProof(await proof({}, await newKey()))).status).toBe(401);
  });

  it('opens nothing when the header names the right key and another one signed', async () => {
    const thief = await newKey();
    expect((await withProof(await proof({ header: { jwk: alice.key.jwk } }, thief))).status).toBe(401);
  });
});

describe('a captured proof', () => {
  it('works once', async () => {
    const text = await proof();
    expect((await withProof(text)).status).toBe(200);
    const again = await withProof(text);
    expect(again.status).toBe(401);
    expect(again.body.error.message).toContain('used before');
  });

  it('works once when it arrives many times at once', async () => {
    const text = await proof();
    const answers = await Promise.all(Array.from({ length: 10 }, () => withProof(text)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  const wrong: [string, () => Partial<ProofFields>][] = [
    ['another method', () => ({ htm: 'POST' })],
    ['another path', () => ({ htu: `${gateway.url}/api/v1/users` })],
    ['another host', () => ({ htu: 'http://elsewhere.example/api/v1/whoami' })],
    ['another scheme', () => ({ htu: url().replace('http:', 'https:') })],
    ['another token', () => ({ accessToken: 'x'.repeat(43) })],
    ['no token at all', () => ({ accessToken: '' })],
    ['a time two minutes ago', () => ({ iat: Math.floor(Date.now() / 1000) - 120 })],
    ['a time two minutes ahead', () => ({ iat: Math.floor(Date.now() / 1000) + 120 })],
    ['no jti', () => ({ claims: { jti: '' } })],
    ['a jti that is no text', () => ({ claims: { jti: 7 } })],
    ['an endless jti', () => ({ jti: 'x'.repeat(1000) })],
    ['another type of JWT', () => ({ header: { typ: 'JWT' } })],
    ['no key', () => ({ header: { jwk: undefined } })],
  ];
  it.each(wrong)('for %s is refused', async (_what, fields) => {
    expect((await withProof(await proof(fields()))).status).toBe(401);
  });

  it('with a private key in it is refused', async () => {
    const jwk = await exportJWK(alice.key.privateKey);
    expect((await withProof(await proof({ header: { jwk } }))).status).toBe(401);
  });

  it('without a signature is refused', async () => {
    const [head, body] = (await proof()).split('.');
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'dpop+jwt', jwk: alice.key.jwk })).toString(
      'base64url',
    );
    expect((await withProof(`${none}.${body}.`)).status).toBe(401);
    expect((await withProof(`${head}.${body}.AAAA`)).status).toBe(401);
    expect((await withProof('nonsense')).status).toBe(401);
  });
});

describe('an honest proof', () => {
  it('does not mind the query', async () => {
    const headers = { authorization: `DPoP ${alice.accessToken}`, dpop: await proof() };
    expect((await whoami(headers, `${url()}?x=1`)).status).toBe(200);
  });

  it('opens a WebSocket, with ws: or http: in it, once', async () => {
    for (const scheme of ['ws:', 'http:']) {
      const text = await proof({ htu: `${gateway.url}/tunnel`.replace('http:', scheme), jti: randomUUID() });
      const upgrade = { url: '/tunnel', headers: { authorization: `DPoP ${alice.accessToken}`, dpop: text } } as never;
      expect((await gateway.http.authenticateUpgrade(upgrade)).user).toBe('alice');
      await expect(gateway.http.authenticateUpgrade(upgrade)).rejects.toMatchObject({ code: 'HOOP_SIGN_IN' });
    }
  });

  it('for the API does not open a WebSocket', async () => {
    const upgrade = { url: '/tunnel', headers: { authorization: `DPoP ${alice.accessToken}`, dpop: await proof() } };
    await expect(gateway.http.authenticateUpgrade(upgrade as never)).rejects.toMatchObject({ code: 'HOOP_SIGN_IN' });
  });
});
