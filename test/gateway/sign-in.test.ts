import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as client from 'openid-client';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { approveDevice } from '../../src/client/approve-device.ts';
import { createIdentity } from '../../src/gateway/identity/identity.ts';
import type { Revocation } from '../../src/gateway/identity/principal.ts';
import { clientId, hoopTokenType, oidcPath, tokenExchangeGrant } from '../../src/shared/api.ts';
import { limits } from '../../src/shared/limits.ts';
import {
  call,
  discover,
  makeProof,
  newKey,
  password,
  signIn,
  startTestGateway,
  type Answer,
  type Key,
  type TestGateway,
} from '../support/identity-gateway.ts';

let gateway: TestGateway;
const revocations: Revocation[] = [];
beforeAll(async () => {
  gateway = await startTestGateway();
  gateway.identity.onRevoked = (revocation) => void revocations.push(revocation);
  await gateway.addUser('root', 'admin');
  await gateway.addUser('alice', 'user', ['devs']);
});
afterAll(() => gateway.close());

/** Straight to the token endpoint, with a proof by any key. */
async function post(path: string, key: Key | undefined, fields: Record<string, string>) {
  const url = `${gateway.url}${oidcPath}${path}`;
  const proof = key && (await makeProof(key, { htm: 'POST', htu: url }));
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...(proof ? { dpop: proof } : {}) },
    body: new URLSearchParams({ client_id: clientId, ...fields }).toString(),
  });
  const text = await answer.text();
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Answer };
}
const refresh = (key: Key | undefined, token: string) =>
  post('/token', key, { grant_type: 'refresh_token', refresh_token: token });
const exchange = (key: Key | undefined, secret: string) =>
  post('/token', key, { grant_type: tokenExchangeGrant, subject_token: secret, subject_token_type: hoopTokenType });

describe('signing in with the device flow', () => {
  it('gives a token that says who is there', async () => {
    const alice = await signIn(gateway, 'alice');
    const { status, body } = await alice.call('GET', '/whoami');
    expect(status).toBe(200);
    expect(body).toMatchObject({ user: 'alice', role: 'user', groups: ['devs'], via: 'sign-in', gateway: gateway.url });
    expect(Date.now() - Date.parse(body.signedInAt)).toBeLessThan(60_000);
  });

  it('shows a code of two groups without vowels, alive for five minutes', async () => {
    const device = await post('/device/auth', undefined, { scope: 'openid' });
    expect(device.body.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect(device.body.expires_in).toBe(limits.deviceCodeSeconds);
    expect(device.body.verification_uri_complete).toBe(`${gateway.url}/oidc/device?user_code=${device.body.user_code}`);
  });

  it('tells the client that was denied', async () => {
    const config = await discover(gateway);
    const device = await client.initiateDeviceAuthorization(config, { scope: 'openid' });
    const uri = device.verification_uri_complete ?? '';
    await approveDevice({
      verificationUriComplete: uri,
      user: '',
      password: '',
      fetch: fetch as never,
      decision: 'deny',
    });
    const key = await newKey();
    const DPoP = client.getDPoPHandle(config, key);
    const polled = client.pollDeviceAuthorizationGrant(config, { ...device, interval: 0.01 }, undefined, { DPoP });
    await expect(polled).rejects.toMatchObject({ error: 'access_denied' });
  });

  it('gives nothing without a DPoP proof', async () => {
    const device = await post('/device/auth', undefined, { scope: 'openid' });
    const uri = device.body.verification_uri_complete;
    await approveDevice({ verificationUriComplete: uri, user: 'alice', password, fetch: fetch as never });
    const poll = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: device.body.device_code,
    };
    expect((await post('/token', undefined, poll)).status).toBe(400);
    const once = await post('/token', await newKey(), poll);
    expect(once.body.token_type).toBe('DPoP');
    // The code is used up, and whoever comes second ends what the first got.
    expect((await post('/token', await newKey(), poll)).body.error).toBe('invalid_grant');
    expect((await refresh(await newKey(), once.body.refresh_token)).body.error).toBe('invalid_grant');
  });

  it('does not answer at the browser routes of the OAuth server', async () => {
    for (const path of ['/me', '/session/end', '/token/introspection', '/reg']) {
      expect(`${path} ${(await fetch(`${gateway.url}/oidc${path}`)).status}`).toBe(`${path} 404`);
    }
  });

  it('tells a client that polls an expired code, and takes no expired access token', async () => {
    const device = await post('/device/auth', undefined, { scope: 'openid' });
    const alice = await signIn(gateway, 'alice');
    const { signIns } = gateway.registry;
    for (const [model, id] of [
      ['DeviceCode', device.body.device_code],
      ['AccessToken', alice.accessToken],
    ] as const) {
      signIns.save(model, id, { ...signIns.find(model, id), exp: Math.floor(Date.now() / 1000) - 1 }, -1);
    }
    const poll = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device.body.device_code };
    expect((await post('/token', await newKey(), poll)).body.error).toBe('expired_token');
    expect((await alice.call('GET', '/whoami')).body.error.code).toBe('HOOP_SIGN_IN');
  });

  it('refuses a huge body and goes on', async () => {
    const huge = await post('/device/auth', undefined, { scope: 'x'.repeat(100_000) });
    expect(huge.status).toBe(400);
    expect((await post('/device/auth', undefined, { scope: 'openid' })).status).toBe(200);
  });

  it('starts without a warning of the OAuth server', async () => {
    const said: unknown[] = [];
    const { warn, info } = console;
    Object.assign(console, { warn: (word: unknown) => said.push(word), info: (word: unknown) => said.push(word) });
    const other = await startTestGateway();
    await other.addUser('alice');
    await signIn(other, 'alice');
    await other.close();
    Object.assign(console, { warn, info });
    expect(said).toEqual([]);
  });

  it('survives a restart of the gateway', async () => {
    const alice = await signIn(gateway, 'alice');
    const again = await createIdentity({ publicUrl: gateway.url, registry: gateway.registry });
    const url = `${gateway.url}/api/v1/whoami`;
    const proof = await makeProof(alice.key, { htm: 'GET', htu: url, accessToken: alice.accessToken });
    const principal = await again.authenticate({
      method: 'GET',
      url,
      authorization: `DPoP ${alice.accessToken}`,
      proof,
    });
    again.close();
    expect(principal.user).toBe('alice');
  });

  it('keeps no password, token or code in the registry’s files, and nobody else can read them', async () => {
    const alice = await signIn(gateway, 'alice');
    const { secret } = gateway.registry.tokens.create({
      userId: gateway.registry.users.get('alice').id,
      name: null,
      ttlSeconds: 60,
    });
    const device = await post('/device/auth', undefined, { scope: 'openid' });
    const files = readdirSync(gateway.dataDir).filter((name) => name.startsWith('registry.db'));
    const bytes = files.map((name) => readFileSync(join(gateway.dataDir, name), 'latin1')).join('');
    for (const kept of [password, alice.accessToken, alice.refreshToken, secret, device.body.device_code]) {
      expect(bytes.includes(kept)).toBe(false);
    }
    for (const name of files) expect(statSync(join(gateway.dataDir, name)).mode & 0o777).toBe(0o600);
  });
});

describe('refresh tokens', () => {
  it('rotate, and keep the time of the password', async () => {
    const alice = await signIn(gateway, 'alice');
    const before = (await alice.call('GET', '/whoami')).body.signedInAt;
    const next = await refresh(alice.key, alice.refreshToken);
    expect(next.body.refresh_token).not.toBe(alice.refreshToken);
    const after = await call(gateway, { key: alice.key, accessToken: next.body.access_token }, 'GET', '/whoami');
    expect(after.body.signedInAt).toBe(before);
  });

  it('are worth nothing without the key', async () => {
    const alice = await signIn(gateway, 'alice');
    expect((await refresh(await newKey(), alice.refreshToken)).body.error).toBe('invalid_grant');
    expect((await refresh(undefined, alice.refreshToken)).status).toBe(400);
    expect((await refresh(alice.key, alice.refreshToken)).status).toBe(200);
  });

  it('used again after their successor was used, end the whole sign-in', async () => {
    const alice = await signIn(gateway, 'alice');
    const second = await refresh(alice.key, alice.refreshToken);
    const third = await refresh(alice.key, second.body.refresh_token);
    revocations.length = 0;
    expect((await refresh(alice.key, alice.refreshToken)).body.error).toBe('invalid_grant');
    expect((await refresh(alice.key, third.body.refresh_token)).body.error).toBe('invalid_grant');
    expect((await alice.call('GET', '/whoami')).status).toBe(401);
    expect(revocations).toMatchObject([{ kind: 'grant' }]);
  });

  it('used again after the access token that came with the successor was used, end the sign-in', async () => {
    const alice = await signIn(gateway, 'alice');
    const second = await refresh(alice.key, alice.refreshToken);
    const arrived = { key: alice.key, accessToken: second.body.access_token };
    expect((await call(gateway, arrived, 'GET', '/whoami')).status).toBe(200);
    expect((await refresh(alice.key, alice.refreshToken)).body.error).toBe('invalid_grant');
    expect((await call(gateway, arrived, 'GET', '/whoami')).status).toBe(401);
  });

  it('whose answer was lost can be used again; the lost successor is void and ends the sign-in', async () => {
    const alice = await signIn(gateway, 'alice');
    const lost = await refresh(alice.key, alice.refreshToken);
    const retried = await refresh(alice.key, alice.refreshToken);
    expect(retried.status).toBe(200);
    const current = { key: alice.key, accessToken: retried.body.access_token };
    expect((await call(gateway, current, 'GET', '/whoami')).status).toBe(200);
    expect((await refresh(alice.key, lost.body.refresh_token)).body.error).toBe('invalid_grant');
    expect((await call(gateway, current, 'GET', '/whoami')).status).toBe(401);
  });
});

describe('the end of a sign-in', () => {
  it('comes with logout, for access and refresh token, and is announced', async () => {
    const alice = await signIn(gateway, 'alice');
    revocations.length = 0;
    expect((await alice.call('POST', '/logout')).status).toBe(204);
    expect(revocations).toMatchObject([{ kind: 'grant' }]);
    expect((await alice.call('GET', '/whoami')).body.error.code).toBe('HOOP_SIGN_IN');
    expect((await refresh(alice.key, alice.refreshToken)).body.error).toBe('invalid_grant');
  });

  it('comes with revocation of the refresh token at the OAuth endpoint', async () => {
    const alice = await signIn(gateway, 'alice');
    revocations.length = 0;
    expect((await post('/token/revocation', undefined, { token: alice.refreshToken })).status).toBe(200);
    expect(revocations).toMatchObject([{ kind: 'grant' }]);
    expect((await alice.call('GET', '/whoami')).status).toBe(401);
  });

  it('comes when the user is disabled or deleted, and the name is not given to somebody else', async () => {
    await gateway.addUser('carol');
    const root = await signIn(gateway, 'root');
    const carol = await signIn(gateway, 'carol');
    revocations.length = 0;
    expect((await root.call('PATCH', '/users/carol', { disabled: true })).body.disabled).toBe(true);
    expect(revocations).toMatchObject([{ kind: 'user', user: 'carol' }]);
    expect((await carol.call('GET', '/whoami')).status).toBe(401);
    expect((await refresh(carol.key, carol.refreshToken)).status).toBe(400);
    await expect(signIn(gateway, 'carol')).rejects.toThrow(/wrong/i);
    expect((await root.call('DELETE', '/users/carol')).status).toBe(204);
    const again = await root.call('POST', '/users', { name: 'carol' });
    expect(again.status).toBe(409);
    expect(again.body.error).toMatchObject({ code: 'HOOP_EXISTS' });
  });

  it('comes when its grant is over', async () => {
    const alice = await signIn(gateway, 'alice');
    const { expiresAt } = await principalOf(alice.accessToken, alice.key);
    const seconds = ((expiresAt ?? 0) - Date.now()) / 1000;
    expect(Math.abs(seconds - limits.refreshTokenSeconds)).toBeLessThan(60);
  });
});

async function principalOf(accessToken: string, key: Key) {
  const proof = await makeProof(key, { htm: 'GET', htu: `${gateway.url}/tunnel`, accessToken });
  const headers = { authorization: `DPoP ${accessToken}`, dpop: proof };
  return gateway.http.authenticateUpgrade({ url: '/tunnel', headers } as never);
}

describe('HOOP_TOKEN', () => {
  const make = async (body: object) => {
    const root = await signIn(gateway, 'root');
    return { root, made: await root.call('POST', '/tokens', body) };
  };

  it('is exchanged for a token bound to a key, without a refresh token and without a proved password', async () => {
    const { made } = await make({ user: 'alice', ttlSeconds: 3600, name: 'ci' });
    expect(made.status).toBe(201);
    const key = await newKey();
    const got = await exchange(key, made.body.secret);
    expect(got.body).toMatchObject({ token_type: 'DPoP', expires_in: limits.accessTokenSeconds });
    expect(got.body.refresh_token).toBeUndefined();
    const who = await call(gateway, { key, accessToken: got.body.access_token }, 'GET', '/whoami');
    expect(who.body).toMatchObject({ user: 'alice', via: 'token', signedInAt: null });
    const principal = await principalOf(got.body.access_token, key);
    expect(principal.expiresAt).toBe(Date.parse(made.body.token.expiresAt));
    expect(
      (await call(gateway, { key: await newKey(), accessToken: got.body.access_token }, 'GET', '/whoami')).status,
    ).toBe(401);
  });

  it('lives no longer than its time, and its access tokens no longer than it', async () => {
    const { made } = await make({ user: 'alice', ttlSeconds: 120 });
    const key = await newKey();
    expect((await exchange(key, made.body.secret)).body.expires_in).toBeLessThanOrEqual(120);
    gateway.clock.aheadSeconds = 130;
    expect((await exchange(key, made.body.secret)).body.error).toBe('invalid_grant');
    gateway.clock.aheadSeconds = 0;
  });

  it('ends with what came from it when it is revoked', async () => {
    const { root, made } = await make({ user: 'alice', ttlSeconds: 3600 });
    const key = await newKey();
    const { body } = await exchange(key, made.body.secret);
    revocations.length = 0;
    expect((await root.call('DELETE', `/tokens/${made.body.token.id}`)).status).toBe(204);
    expect(revocations).toMatchObject([{ kind: 'grant' }]);
    expect((await call(gateway, { key, accessToken: body.access_token }, 'GET', '/whoami')).status).toBe(401);
    expect((await exchange(key, made.body.secret)).body.error).toBe('invalid_grant');
  });

  it('cannot do administrative acts, even an administrator’s', async () => {
    const { made } = await make({ user: 'root', ttlSeconds: 3600 });
    const key = await newKey();
    const { body } = await exchange(key, made.body.secret);
    const refused = await call(gateway, { key, accessToken: body.access_token }, 'POST', '/users', {
      name: 'mallory',
    });
    expect(refused.body.error.code).toBe('HOOP_FRESH_SIGN_IN');
  });

  it('is refused without a proof, with a wrong secret, and as another kind of token', async () => {
    const { made } = await make({ user: 'alice', ttlSeconds: 3600 });
    const key = await newKey();
    expect((await exchange(undefined, made.body.secret)).status).toBe(400);
    expect((await exchange(key, `${made.body.secret}x`)).body.error).toBe('invalid_grant');
    const fields = { grant_type: tokenExchangeGrant, subject_token: made.body.secret, subject_token_type: 'other' };
    expect((await post('/token', key, fields)).body.error).toBe('invalid_grant');
  });
});
