import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { fetch } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openGatewayFetch } from '../../src/client/gateway-fetch.ts';
import { signIn, type DevicePrompt } from '../../src/client/sign-in.ts';
import { openTokenStore } from '../../src/client/token-store.ts';
import { Cli } from '../support/cli.ts';
import { startCompanyIdp, type CompanyIdp } from '../support/company-idp.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';
import { Visitor } from '../support/visitor.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const send = openGatewayFetch();
let gateway: TestGateway;
let idp: CompanyIdp;
let configDir: string;
let visitor: Visitor;

beforeAll(async () => {
  gateway = await startTestGateway({
    signIn: async (url) => {
      idp = await startCompanyIdp(url);
      return { oidc: idp.options, deviceFlow: false };
    },
  });
  await gateway.addUser('carol');
});
afterAll(async () => {
  await gateway.close();
  await idp.stop();
});
beforeEach(() => {
  configDir = mkdtempSync(join(tmpdir(), 'hoop-browser-'));
  process.env['HOOP_CONFIG_DIR'] = configDir;
  visitor = new Visitor();
});
afterEach(() => {
  delete process.env['HOOP_CONFIG_DIR'];
  rmSync(configDir, { recursive: true, force: true });
});

/** The client's side, and the page that it shows. */
async function begin(): Promise<{ page: string; signedIn: Promise<string> }> {
  const store = await openTokenStore();
  const signal = AbortSignal.timeout(20_000);
  let signedIn: Promise<string> | undefined;
  const { urlWithCode, userCode } = await new Promise<DevicePrompt>((show, fail) => {
    signedIn = signIn({ gateway: gateway.url, send, store, show, signal });
    signedIn.catch(fail);
  });
  expect(userCode).toBeUndefined();
  return { page: urlWithCode, signedIn: signedIn! };
}

describe('signing in with this machine’s browser, at a gateway without the device flow', () => {
  it('stores tokens after a password; other programs that knock at the port end nothing', async () => {
    const { page, signedIn } = await begin();
    const callback = new URL(page).searchParams.get('redirect_uri') ?? '';
    expect((await fetch(`${callback}?code=x&state=guessed`)).status).toBe(404);
    await visitor.open(page);
    await visitor.submit({ decision: 'approve', user: 'carol', password: 'wrong, surely' });
    expect(visitor.seen.status).toBe(403);
    await visitor.submit({ decision: 'approve', user: 'carol', password });
    await visitor.open(visitor.onward);
    expect(visitor.seen.text).toContain('You are signed in');
    expect(await signedIn).toBe(gateway.url);
    expect(await (await openTokenStore()).read(gateway.url)).toMatchObject({ gateway: gateway.url });
  });

  it('says that it was denied', async () => {
    const { page, signedIn } = await begin();
    await visitor.open(page);
    await visitor.submit({ decision: 'deny' });
    await Promise.all([expect(signedIn).rejects.toMatchObject({ code: 'HOOP_DENIED' }), visitor.open(visitor.onward)]);
  });

  it('a code that somebody else took is worth nothing: it needs the verifier and works once', async () => {
    const { page, signedIn } = await begin();
    await visitor.open(page);
    await visitor.submit({ decision: 'approve', user: 'carol', password });
    const stolen = new URL(visitor.onward);
    const body = new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'hoop-cli',
      code: stolen.searchParams.get('code') ?? '',
      redirect_uri: stolen.origin + stolen.pathname,
      code_verifier: 'A'.repeat(43),
    });
    const taken = await fetch(`${gateway.url}/oidc/token`, { method: 'POST', body: body as never });
    expect([400, 401]).toContain(taken.status);
    await visitor.open(stolen.href);
    await signedIn;
  });

  it.each([
    ['redirect_uri', 'https://evil.example/callback'],
    ['redirect_uri', 'http://127.0.0.1.evil.example:80/callback'],
    ['redirect_uri', 'http://127.0.0.1:80@evil.example:80/callback'],
    ['redirect_uri', 'http://localhost:8080/callback'],
    ['code_challenge_method', 'plain'],
    ['code_challenge', ''],
    ['client_id', 'another'],
    ['response_type', 'token'],
  ])('a link with the %s %s goes nowhere', async (name, value) => {
    const link = new URL(`${gateway.url}/oidc/auth`);
    const good = {
      client_id: 'hoop-cli',
      response_type: 'code',
      redirect_uri: 'http://127.0.0.1:1234/callback',
      state: 'a-state-of-ours',
      code_challenge: 'A'.repeat(43),
      code_challenge_method: 'S256',
    };
    link.search = new URLSearchParams({ ...good, [name]: value }).toString();
    const answer = await fetch(link, { redirect: 'manual' });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('Run hoop login --browser again');
  });

  it('gives no device code, and says how to sign in', async () => {
    const body = new URLSearchParams({ client_id: 'hoop-cli', scope: 'openid' });
    const asked = await fetch(`${gateway.url}/oidc/device/auth`, { method: 'POST', body: body as never });
    expect(asked.status).toBe(403);
    expect(await asked.json()).toMatchObject({ error: { next: 'run: hoop login --browser' } });
    await visitor.open(`${gateway.url}/`);
    expect(visitor.seen.text).toContain('Run hoop login --browser');
  });
});

describe('in a real browser, without scripts', () => {
  it('hoop login --browser goes by the company’s provider and back to the terminal', async () => {
    if (executablePath === undefined) {
      console.warn('NOT CHECKED: hoop login --browser in a real browser (no Chromium on this machine)');
      return;
    }
    const cli = new Cli();
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
    try {
      const { child, result } = cli.start(['login', '--browser', '--gateway', gateway.url, '--token-store', 'file']);
      const link = await new Promise<string>((resolve, reject) => {
        let text = '';
        child.stderr?.on('data', (more: string) => {
          const shown = /Page {2}(\S+)\n/.exec((text += more))?.[1];
          if (shown !== undefined) resolve(shown);
        });
        child.once('close', () => reject(new Error(text)));
      });
      const page = await browser.newPage({ javaScriptEnabled: false });
      await page.goto(link);
      await page.getByRole('button', { name: 'Continue with Acme' }).click();
      await page.getByLabel('Account').fill('alice');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('You came back as Alice@corp.example').waitFor();
      // By the keyboard alone.
      await page.getByRole('button', { name: 'Approve' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'You are signed in' }).waitFor();
      expect(await result).toMatchObject({ code: 0, stderr: expect.stringContaining('Signed in as alice (admin)') });
    } finally {
      await browser.close();
      cli.remove();
    }
  });
});
