import { createHash } from 'node:crypto';
import { fetch } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { approveDevice } from '../../src/client/approve-device.ts';
import { signInRules } from '../../src/gateway/identity/sign-in.ts';
import { clientId } from '../../src/shared/api.ts';
import { BrowserForm } from '../support/browser-form.ts';
import { password, signIn, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';

let gateway: TestGateway;
let browser: BrowserForm;
beforeEach(async () => {
  gateway = await startTestGateway();
  browser = new BrowserForm(gateway.url);
});
afterEach(() => gateway.close());

interface Device {
  user_code: string;
  device_code: string;
  verification_uri_complete: string;
}

async function askForCode(declared: Record<string, string> = {}): Promise<Device> {
  const answer = await fetch(`${gateway.url}/oidc/device/auth`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ client_id: clientId, scope: 'openid', ...declared }).toString(),
  });
  return (await answer.json()) as Device;
}
const openDevice = (device: Device) => browser.open(`/oidc/device?user_code=${device.user_code}`);
const approve = (typed: Record<string, string>, headers = {}) =>
  browser.post('/oidc/device', { decision: 'approve', ...typed }, headers);

describe('every page', () => {
  it('forbids framing, scripts, caching, and loads nothing', async () => {
    for (const path of ['/oidc/device', '/setup?code=x', '/invite?token=x', '/oidc/device?user_code=BBBB-BBBB']) {
      const { headers, text } = await browser.open(path);
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(policy).not.toContain('unsafe');
      const style = /<style>([^]*?)<\/style>/.exec(text)?.[1] ?? '';
      expect(policy).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`);
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(text).not.toMatch(/<script|https?:\/\/(?!127)|\son\w+=|javascript:/i);
    }
  });
});

describe('the approval page', () => {
  beforeEach(() => gateway.addUser('alice'));

  it('says who asks, as declared and as seen', async () => {
    const device = await askForCode({ client_host: 'alices-laptop', client_name: 'hoop 0.1.0' });
    const { status, text } = await openDevice(device);
    expect(status).toBe(200);
    for (const fact of [device.user_code, 'alices-laptop', 'hoop 0.1.0', '127.0.0.1', ' s ago']) {
      expect(text).toContain(fact);
    }
  });

  it('takes the code in any spelling', async () => {
    const { user_code: code } = await askForCode();
    const { status, text } = await browser.open(`/oidc/device?user_code=${code.toLowerCase().replace('-', '%20')}`);
    expect(status).toBe(200);
    expect(text).toContain(code);
  });

  it('shows what an attacker declares as text, never as markup or control characters', async () => {
    const evil = '"><img src=x onerror=alert(1)><script>x</script>';
    const { text } = await openDevice(await askForCode({ client_host: evil, client_name: 'hoop\u202egpj.exe\u0007' }));
    expect(text).not.toContain('<img');
    expect(text).not.toContain('<script');
    expect(text).toContain('&lt;img');
    for (const character of ['\u0007', '\u202e']) expect(text).not.toContain(character);
    const { text: again } = await approve({ user: evil, password: 'wrong password' });
    expect(again).not.toContain('<img');
  });

  it('does not believe X-Forwarded-For unless it is behind a proxy', async () => {
    const answer = await fetch(`${gateway.url}/oidc/device/auth`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-forwarded-for': '203.0.113.9',
        host: 'evil.example',
      },
      body: new URLSearchParams({ client_id: clientId, scope: 'openid' }).toString(),
    });
    const device = (await answer.json()) as Device;
    expect(device.verification_uri_complete).toMatch(new RegExp(`^${gateway.url}/`));
    const { text } = await openDevice(device);
    expect(text).toContain('127.0.0.1');
    expect(text).not.toContain('203.0.113.9');
  });

  it('approves with the right password, once', async () => {
    const device = await askForCode();
    await openDevice(device);
    const done = await approve({ user: 'alice', password });
    expect(done.status).toBe(200);
    expect(done.text).toContain('now acts as alice');
    expect((await approve({ user: 'alice', password })).status).toBe(410);
    expect((await openDevice(device)).status).toBe(404);
  });

  it('says the same for a wrong password and for a user who is not there', async () => {
    await openDevice(await askForCode());
    const wrong = await approve({ user: 'alice', password: 'wrong password' });
    const nobody = await approve({ user: 'nobody', password: 'wrong password' });
    expect([wrong.status, nobody.status]).toEqual([403, 403]);
    const noteOf = (text: string) => /class="note bad"[^>]*>([^<]*)/.exec(text)?.[1];
    expect(noteOf(wrong.text)).toBe(noteOf(nobody.text));
    expect(noteOf(wrong.text)).toContain('wrong');
    expect(wrong.text).not.toContain('wrong password');
  });

  it('refuses after many wrong passwords, even the right one, and says when to come back', async () => {
    await openDevice(await askForCode());
    for (let tries = 0; tries < signInRules.pair.max; tries++)
      await approve({ user: 'alice', password: 'wrong password' });
    const locked = await approve({ user: 'alice', password });
    expect(locked.status).toBe(429);
    expect(locked.text).toMatch(/Too many wrong passwords. Try again in 1\d minutes/);
    gateway.clock.aheadSeconds = 16 * 60;
    await openDevice(await askForCode());
    expect((await approve({ user: 'alice', password })).status).toBe(200);
  });

  it('counts tries that arrive at once', async () => {
    await openDevice(await askForCode());
    const tries = Array.from({ length: 12 }, () => approve({ user: 'alice', password: 'wrong password' }));
    const answers = await Promise.all(tries);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(signInRules.pair.max);
  });

  it('stops somebody who guesses codes', async () => {
    for (let tries = 0; tries < signInRules.code.max; tries++) {
      expect((await browser.open('/oidc/device?user_code=BCDF-GHJK')).status).toBe(404);
    }
    const device = await askForCode();
    const { status, text } = await openDevice(device);
    expect(status).toBe(429);
    expect(text).toContain('Too many wrong codes');
  });

  it('knows an expired code no more', async () => {
    const device = await askForCode();
    gateway.clock.aheadSeconds = 301;
    expect((await openDevice(device)).status).toBe(404);
  });

  it('can be denied without a password', async () => {
    const device = await askForCode();
    await openDevice(device);
    const { text } = await browser.post('/oidc/device', { decision: 'deny' });
    expect(text).toContain('was not signed in');
    expect((await openDevice(device)).status).toBe(404);
  });

  const forged: [string, (form: BrowserForm) => Promise<Record<string, string>>][] = [
    ['another site’s Origin', async () => ({ origin: 'https://evil.example' })],
    ['Origin: null', async () => ({ origin: 'null' })],
    ['Sec-Fetch-Site: cross-site', async () => ({ 'sec-fetch-site': 'cross-site' })],
    [
      'no cookie',
      async (form) => {
        form.forgetCookies();
        return {};
      },
    ],
    [
      'a made-up token',
      async (form) => {
        form.hidden['csrf'] = 'x'.repeat(43);
        return {};
      },
    ],
  ];
  it.each(forged)('refuses a form with %s', async (_what, forge) => {
    const device = await askForCode();
    await openDevice(device);
    const headers = await forge(browser);
    const { status } = await approve({ user: 'alice', password }, headers);
    expect(status).toBe(403);
    expect(gateway.registry.signIns.pendingDevice(device.user_code.replace('-', ''))).toBeDefined();
  });

  it('refuses a huge form and one that is not a form', async () => {
    expect((await browser.post('/oidc/device', { user: 'x'.repeat(100_000) })).status).toBe(413);
    const json = await fetch(`${gateway.url}/oidc/device`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(json.status).toBe(415);
    expect(await json.text()).toContain('<h1>');
  });

  it('tells approveDevice why it refused', async () => {
    const { verification_uri_complete: uri } = await askForCode();
    const tried = approveDevice({
      verificationUriComplete: uri,
      user: 'alice',
      password: 'nope',
      fetch: fetch as never,
    });
    await expect(tried).rejects.toMatchObject({ code: 'HOOP_DENIED', message: expect.stringContaining('wrong') });
  });
});

describe('the set-up link', () => {
  const typed = { user: 'root', password, again: password };

  it('makes the first administrator, once; looking does not use it up', async () => {
    const { secret } = gateway.registry.invitations.issue(null);
    expect((await browser.open(`/setup?code=${secret}`)).status).toBe(200);
    expect((await browser.open(`/setup?code=${secret}`)).text).toContain('Set up this gateway');
    const made = await browser.post('/setup', typed);
    expect(made.text).toContain('root can sign in now');
    const root = await signIn(gateway, 'root');
    expect((await root.call('GET', '/whoami')).body.role).toBe('admin');
    expect((await browser.post('/setup', { ...typed, user: 'mallory' })).status).toBe(410);
    expect((await browser.open(`/setup?code=${secret}`)).status).toBe(410);
  });

  it('makes one administrator when it is used many times at once', async () => {
    const { secret } = gateway.registry.invitations.issue(null);
    await browser.open(`/setup?code=${secret}`);
    const made = await Promise.all(['anna', 'bert', 'carl'].map((user) => browser.post('/setup', { ...typed, user })));
    expect(made.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 410, 410]);
    expect(gateway.registry.users.list()).toHaveLength(1);
  });

  it('is void when there is a user, when it is old, and when there is a newer one', async () => {
    const { secret: older } = gateway.registry.invitations.issue(null);
    const { secret } = gateway.registry.invitations.issue(null);
    expect((await browser.open(`/setup?code=${older}`)).status).toBe(410);
    gateway.clock.aheadSeconds = 25 * 3600;
    expect((await browser.open(`/setup?code=${secret}`)).status).toBe(410);
    gateway.clock.aheadSeconds = 0;
    await gateway.addUser('alice');
    expect((await browser.open(`/setup?code=${secret}`)).status).toBe(410);
  });

  it('says what is wrong with a name or a password, and is still good', async () => {
    const { secret } = gateway.registry.invitations.issue(null);
    await browser.open(`/setup?code=${secret}`);
    expect((await browser.post('/setup', { ...typed, user: 'Not A Name' })).text).toContain('The name must be');
    expect((await browser.post('/setup', { ...typed, password: 'short', again: 'short' })).text).toContain(
      'at least 10',
    );
    expect((await browser.post('/setup', { ...typed, again: 'something else' })).text).toContain('differ');
    expect((await browser.post('/setup', typed)).status).toBe(200);
  });
});

describe('an invitation', () => {
  it('sets the password of its user, once, and ends older sign-ins', async () => {
    await gateway.addUser('alice');
    const old = await signIn(gateway, 'alice');
    const { secret } = gateway.registry.invitations.issue(gateway.registry.users.get('alice').id);
    expect((await browser.open(`/invite?token=${secret}`)).text).toContain('Welcome, alice');
    const fresh = 'another good password';
    // The name in the form decides nothing.
    const set = await browser.post('/invite', { user: 'root', password: fresh, again: fresh });
    expect(set.text).toContain('alice can sign in now');
    expect((await old.call('GET', '/whoami')).status).toBe(401);
    expect((await browser.post('/invite', { password, again: password })).status).toBe(410);
    const device = await askForCode();
    await openDevice(device);
    expect((await approve({ user: 'alice', password })).status).toBe(403);
    expect((await approve({ user: 'alice', password: fresh })).status).toBe(200);
  });

  it('is no set-up code, and a set-up code is no invitation', async () => {
    const { secret: setUp } = gateway.registry.invitations.issue(null);
    expect((await browser.open(`/invite?token=${setUp}`)).status).toBe(410);
    await gateway.addUser('alice');
    const { secret } = gateway.registry.invitations.issue(gateway.registry.users.get('alice').id);
    expect((await browser.open(`/setup?code=${secret}`)).status).toBe(410);
  });
});
