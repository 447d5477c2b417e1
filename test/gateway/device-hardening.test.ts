import * as client from 'openid-client';
import { fetch } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import type { SignInOptions } from '../../src/gateway/identity/sign-in-options.ts';
import { clientId } from '../../src/shared/api.ts';
import { limits } from '../../src/shared/limits.ts';
import { BrowserForm } from '../support/browser-form.ts';
import { call, discover, makeProof, newKey, password, startTestGateway } from '../support/identity-gateway.ts';
import type { Key, TestGateway } from '../support/identity-gateway.ts';

let gateway: TestGateway;
let browser: BrowserForm;
afterEach(() => gateway.close());

async function start(options: Partial<SignInOptions> & { behindProxy?: boolean } = {}): Promise<void> {
  const { behindProxy = false, ...signIn } = options;
  gateway = await startTestGateway({ behindProxy, signIn: async () => signIn });
  browser = new BrowserForm(gateway.url);
  await gateway.addUser('alice');
}

const askForCode = async () => client.initiateDeviceAuthorization(await discover(gateway), { scope: 'openid' });

async function poll(device: client.DeviceAuthorizationResponse, key: Key) {
  const htu = `${gateway.url}/oidc/token`;
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device.device_code };
  const answer = await fetch(htu, {
    method: 'POST',
    headers: { dpop: await makeProof(key, { htm: 'POST', htu }) },
    body: new URLSearchParams({ ...form, client_id: clientId }) as never,
  });
  return (await answer.json()) as { error?: string; access_token?: string };
}

describe('a device code', () => {
  it('that is polled too fast says slow_down; once used it is void, and a second use ends the sign-in', async () => {
    await start();
    const device = await askForCode();
    const key = await newKey();
    expect(await poll(device, key)).toMatchObject({ error: 'authorization_pending' });
    expect(await poll(device, key)).toMatchObject({ error: 'slow_down' });
    await browser.open(`/oidc/device?user_code=${device.user_code}`);
    await browser.post('/oidc/device', { decision: 'approve', user: 'alice', password });
    const { access_token: accessToken = '' } = await poll(device, key);
    expect((await call(gateway, { key, accessToken }, 'GET', '/whoami')).status).toBe(200);
    // A thief of the token without the key, then one of the code.
    expect((await call(gateway, { key: await newKey(), accessToken }, 'GET', '/whoami')).status).toBe(401);
    expect(await poll(device, await newKey())).toMatchObject({ error: 'invalid_grant' });
    expect((await call(gateway, { key, accessToken }, 'GET', '/whoami')).status).toBe(401);
  });

  it('dies after a few wrong passwords, from whichever addresses they come', async () => {
    await start({ behindProxy: true });
    const device = await askForCode();
    const page = `/oidc/device?user_code=${device.user_code}`;
    await browser.open(page);
    const from = (number: number) => ({ 'x-forwarded-for': `198.51.100.${number}` });
    for (let tries = 1; tries <= limits.passwordTriesPerCodeMax; tries++) {
      const typed = { decision: 'approve', user: `user${tries}`, password: 'a wrong one' };
      expect((await browser.post('/oidc/device', typed, from(tries))).status).toBe(403);
    }
    expect(
      (await browser.post('/oidc/device', { decision: 'approve', user: 'alice', password }, from(99))).status,
    ).toBe(410);
    expect(await poll(device, await newKey())).toMatchObject({ error: 'access_denied' });
  });
});

describe('the approval page', () => {
  it('warns when browser and command line are at different addresses, and only then', async () => {
    await start({ behindProxy: true });
    const device = await askForCode();
    const page = `/oidc/device?user_code=${device.user_code}`;
    const elsewhere = await browser.open(page, { 'x-forwarded-for': '203.0.113.9' });
    expect(elsewhere.text).toContain('The command line is somewhere else.');
    expect(elsewhere.text).toContain('203.0.113.9');
    for (const same of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
      expect((await browser.open(page, { 'x-forwarded-for': same })).text).not.toContain('somewhere else');
  });

  it('takes no code from a link when that is switched off: it must be typed', async () => {
    await start({ verificationUriComplete: false });
    const device = await askForCode();
    expect(device.verification_uri_complete).toBeUndefined();
    const page = `/oidc/device?user_code=${device.user_code}`;
    for (const site of ['cross-site', 'same-site', 'none']) {
      const linked = await browser.open(page, { 'sec-fetch-site': site });
      expect(linked.text).toContain('Type the code');
      expect(linked.text).not.toContain('name="password"');
    }
    expect((await browser.open(page)).text).toContain('Type the code');
    expect((await browser.open(page, { 'sec-fetch-site': 'same-origin' })).text).toContain('Is this you?');
  });
});
