import * as client from 'openid-client';
import { fetch } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SignInOptions } from '../../src/gateway/identity/sign-in-options.ts';
import { startCompanyIdp, type CompanyIdp } from '../support/company-idp.ts';
import { call, discover, makeProof, newKey, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';
import { Visitor } from '../support/visitor.ts';

let gateway: TestGateway;
let idp: CompanyIdp;
let visitor: Visitor;
const atCallback = /\/oidc\/upstream\/callback/;

const start = (more: Partial<SignInOptions> = {}, oidc: object = {}) =>
  startTestGateway({
    signIn: async (url) => {
      idp = await startCompanyIdp(url);
      return { oidc: { ...idp.options, ...oidc }, ...more };
    },
  });

beforeAll(async () => {
  gateway = await start();
});
afterAll(async () => {
  await gateway.close();
  await idp.stop();
});
beforeEach(() => {
  visitor = new Visitor();
});

const askForCode = async (at = gateway): Promise<client.DeviceAuthorizationResponse> =>
  client.initiateDeviceAuthorization(await discover(at), { scope: 'openid offline_access', client_host: 'laptop' });

/** As far as the sign-in page of the company, on the way to approving a device code. */
async function atTheCompany(at = gateway, change = (url: URL) => url): Promise<client.DeviceAuthorizationResponse> {
  const device = await askForCode(at);
  await visitor.open(device.verification_uri_complete ?? '');
  await visitor.submit({ decision: 'upstream' });
  await visitor.open(change(new URL(visitor.onward)).href);
  return device;
}

async function tokensOf(device: client.DeviceAuthorizationResponse, at = gateway) {
  const config = await discover(at);
  const key = await newKey();
  const DPoP = client.getDPoPHandle(config, key);
  const polled = { ...device, interval: 0.01 };
  const { access_token: accessToken } = await client.pollDeviceAuthorizationGrant(config, polled, undefined, { DPoP });
  return { key, accessToken };
}

async function signInAs(account: string, change?: (url: URL) => URL) {
  // A browser in which nobody is signed in at the company yet.
  visitor = new Visitor();
  const device = await atTheCompany(gateway, change);
  await visitor.submit({ account, do: 'yes' });
  expect(visitor.seen).toMatchObject({ status: 200, text: expect.stringContaining('You came back as') });
  await visitor.submit({ decision: 'approve' });
  expect(visitor.seen).toMatchObject({ status: 200, text: expect.stringContaining('You are signed in') });
  return tokensOf(device);
}

const message = () => visitor.seen.text.replaceAll(/<style>[^]*<\/style>|<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');

describe('signing in at the company’s provider', () => {
  it('makes the user at the first time, with the groups and the role that the provider says', async () => {
    const who = await call(gateway, await signInAs('alice'), 'GET', '/whoami');
    expect(who.body).toMatchObject({
      user: 'alice',
      role: 'admin',
      groups: ['data', 'data-team', 'platform-admins'],
      via: 'sign-in',
    });
    expect(Date.now() - Date.parse(who.body.signedInAt)).toBeLessThan(60_000);
    // Young enough for an administrative act.
    expect(
      (await call(gateway, await signInAs('alice'), 'POST', '/users', { name: 'made', role: 'user' })).status,
    ).toBe(201);
    expect(gateway.registry.users.list().filter(({ name }) => name.startsWith('alice'))).toHaveLength(1);
  });

  it('where the provider does not say when, nothing is administered, and a session’s time counts from the approval here', async () => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    const user = await signInAs('alice', (url) => {
      url.searchParams.delete('max_age'); // then it does not say
      return url;
    });
    const act = await call(gateway, user, 'POST', '/users', { name: 'another', role: 'user' });
    expect(act.status).toBe(401);
    expect(JSON.stringify(act.body)).toContain('does not say when you proved who you are');
    const url = `${gateway.url}/api/v1/whoami`;
    const proof = await makeProof(user.key, { htm: 'GET', htu: url, accessToken: user.accessToken });
    const authorization = `DPoP ${user.accessToken}`;
    const principal = await gateway.identity.authenticate({ method: 'GET', url, authorization, proof });
    expect(principal.authTime).toBeNull();
    expect(principal.approvedAt).toBeGreaterThanOrEqual(before);
    expect(principal.approvedAt).toBeLessThanOrEqual(Date.now());
  });

  it('knows people by issuer and subject: the same local part is somebody else', async () => {
    await gateway.addUser('bob', 'auditor');
    const names = [];
    for (const account of ['bob', 'bob-of-sales', 'bob'])
      names.push((await call(gateway, await signInAs(account), 'GET', '/whoami')).body);
    expect(names).toMatchObject([
      { user: 'bob-2', role: 'user', groups: ['data'] },
      { user: 'bob-3', role: 'user', groups: [] },
      { user: 'bob-2', role: 'user' },
    ]);
    expect(gateway.registry.users.get('bob')).toMatchObject({ role: 'auditor', groups: [] });
  });

  it('lets nobody in who was disabled or removed here', async () => {
    const who = await call(gateway, await signInAs('bob-of-sales'), 'GET', '/whoami');
    const { id } = gateway.registry.users.get(who.body.user);
    for (const end of [
      () => gateway.registry.users.update(id, { disabled: true }),
      () => gateway.registry.users.remove(id),
    ]) {
      end();
      visitor = new Visitor();
      await atTheCompany();
      await visitor.submit({ account: 'bob-of-sales', do: 'yes' });
      expect(visitor.seen.status).toBe(403);
      expect(message()).toContain('The account of bob@sales.corp.example is switched off here');
    }
  });

  it('wants a click after the way back, and the answer can be Deny', async () => {
    const device = await atTheCompany();
    await visitor.submit({ account: 'alice', do: 'yes' });
    const proof = { ...visitor.seen };
    await visitor.submit({ decision: 'deny' });
    expect(message()).toContain('The command line was not signed in');
    await expect(tokensOf(device)).rejects.toMatchObject({ error: 'access_denied' });
    visitor.seen = proof;
    await visitor.submit({ decision: 'approve' });
    expect(visitor.seen.status).toBe(410);
  });
});

describe('what goes wrong there has a page that says what to do', () => {
  const page = () => ({
    status: visitor.seen.status,
    text: message(),
    canApprove: visitor.seen.text.includes('value="approve"'),
  });
  const refusal = (status: number, ...texts: string[]) => ({
    status,
    text: expect.stringMatching(texts.join('.*')) as string,
    canApprove: false,
  });

  it('denied', async () => {
    await atTheCompany();
    await visitor.submit({ do: 'no' });
    expect(page()).toEqual(refusal(403, 'Acme was told not to sign you in', 'agree there'));
  });

  it.each([
    ['mallory', 'The address alice@evil.example is not of a domain that may sign in here', 'your company’s account'],
    ['eve', 'The address alice@corp.example is not verified there', 'Verify it'],
  ])('%s, whose address does not count', async (account, ...texts) => {
    await atTheCompany();
    await visitor.submit({ account, do: 'yes' });
    expect(page()).toEqual(refusal(403, ...texts));
  });

  it('a nonce of another sign-in', async () => {
    await atTheCompany(gateway, (url) => {
      url.searchParams.set('nonce', 'another');
      return url;
    });
    await visitor.submit({ account: 'alice', do: 'yes' });
    expect(page()).toEqual(refusal(403, 'is not one that this gateway can trust', 'Begin again'));
  });

  it.each([
    ['state', 'another', 'belongs to no sign-in that this browser began'],
    ['iss', 'https://login.evil.example', 'is not one that this gateway can trust'],
    ['iss', undefined, 'is not one that this gateway can trust'],
    ['code', 'another', 'is not one that this gateway can trust'],
  ])('another %s (%s)', async (parameter, value, text) => {
    await atTheCompany();
    const back = new URL(await visitor.submit({ account: 'alice', do: 'yes' }, atCallback));
    if (value === undefined) back.searchParams.delete(parameter);
    else back.searchParams.set(parameter, value);
    await visitor.open(back.href);
    expect(page()).toEqual(refusal(403, text));
  });

  it('an answer that another browser brings, and one that was used', async () => {
    await atTheCompany();
    const stolen = await visitor.submit({ account: 'alice', do: 'yes' }, atCallback);
    const thief = new Visitor();
    await thief.open(stolen);
    expect(thief.seen).toMatchObject({ status: 403, text: expect.stringContaining('belongs to no sign-in') });
    await visitor.open(stolen);
    expect(page()).toEqual(refusal(403, 'belongs to no sign-in'));
  });
});

it('somebody of the company who comes before the first administrator does not close the door to set-up', async () => {
  const fresh = await startTestGateway();
  try {
    const { secret } = fresh.registry.invitations.issue(null);
    const setUp = async () => (await fetch(`${fresh.url}/setup?code=${secret}`)).status;
    const person = { issuer: 'https://login.corp.example', subject: '1', email: 'bob@corp.example', name: 'bob' };
    fresh.registry.upstreamUsers.signedIn(person);
    expect(await setUp()).toBe(200);
    fresh.registry.upstreamUsers.signedIn({ ...person, groups: [], isAdmin: true });
    expect(await setUp()).toBe(410);
  } finally {
    await fresh.close();
  }
});

describe('a gateway without local users', () => {
  it('takes no password, offers none, and closes set-up and invitations; a provider that is down is said to be', async () => {
    const here = idp;
    const only = await start({ localUsers: false });
    const its = idp;
    idp = here;
    try {
      await only.addUser('carol');
      const device = await askForCode(only);
      await visitor.open(device.verification_uri_complete ?? '');
      expect(visitor.seen.text).not.toContain('type="password"');
      await visitor.submit({ decision: 'approve', user: 'carol', password: 'correct horse battery' });
      expect(visitor.seen.status).toBe(403);
      expect(message()).toContain('There are no passwords at this gateway');
      expect((await fetch(`${only.url}/setup?code=x`)).status).toBe(404);
      await its.stop();
      await visitor.submit({ decision: 'upstream' });
      expect(visitor.seen.status).toBe(502);
      expect(message()).toContain('Acme cannot be reached from this gateway. Try again in a few minutes');
    } finally {
      await only.close();
      await its.stop();
    }
  });
});

it('a provider that stops before it was asked what it answered is said to be down', async () => {
  const here = idp;
  const other = await start();
  const its = idp;
  idp = here;
  try {
    await atTheCompany(other);
    const back = await visitor.submit({ account: 'alice', do: 'yes' }, atCallback);
    await its.stop();
    await visitor.open(back);
    expect(visitor.seen.status).toBe(502);
    expect(message()).toContain('Acme cannot be reached from this gateway. Try again in a few minutes');
  } finally {
    await other.close();
    await its.stop();
  }
});
