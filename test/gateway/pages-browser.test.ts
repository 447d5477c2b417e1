import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Page } from 'playwright-core';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientId } from '../../src/shared/api.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const flags = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'];

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
  await gateway.addUser('alice');
});
afterAll(() => gateway.close());

async function verificationUri(): Promise<string> {
  const answer = await fetch(`${gateway.url}/oidc/device/auth`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ client_id: clientId, scope: 'openid', client_host: 'laptop' }).toString(),
  });
  return ((await answer.json()) as { verification_uri_complete: string }).verification_uri_complete;
}

/** Another site. */
async function serveHtml(body: string): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

/** Runs with a real browser at phone width without scripts; says so where there is none. */
async function inBrowser(act: (page: Page) => Promise<void>): Promise<void> {
  if (executablePath === undefined) {
    console.warn('NOT CHECKED: the pages in a real browser (no Chromium on this machine; apt-get install chromium)');
    return;
  }
  const browser = await chromium.launch({ executablePath, args: flags });
  try {
    const page = await browser.newPage({ viewport: { width: 360, height: 740 }, javaScriptEnabled: false });
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    await act(page);
    // What the pages ask of a browser, it lets them have; that they may not be framed is one of the tests here.
    const refused = complaints.filter((text) => text.includes('Content Security Policy'));
    expect(refused.filter((text) => !text.includes('frame-ancestors'))).toEqual([]);
  } finally {
    await browser.close();
  }
}

describe('in a real browser, without scripts, at phone width', () => {
  it('a person approves with the keyboard alone', () =>
    inBrowser(async (page) => {
      await page.goto(await verificationUri());
      const main = page.locator('main');
      const box = await main.boundingBox();
      expect(box?.width).toBeLessThanOrEqual(360);
      // The stylesheet is in force, so the policy let it through.
      expect((await page.locator('button[value=approve]').boundingBox())?.height).toBeGreaterThan(40);
      await page.getByLabel('User').focus();
      await page.keyboard.type('alice');
      await page.keyboard.press('Tab');
      await page.keyboard.type(password);
      await page.keyboard.press('Enter');
      await page.getByText('now acts as alice').waitFor();
    }));

  it('a person types the code, denies, and sets a password by invitation', () =>
    inBrowser(async (page) => {
      const code = new URL(await verificationUri()).searchParams.get('user_code') ?? '';
      await page.goto(gateway.url);
      await page.getByLabel('Code').fill(code.toLowerCase());
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('button', { name: 'Deny' }).click();
      await page.getByText('was not signed in').waitFor();
      const { secret } = gateway.registry.invitations.issue(gateway.registry.users.get('alice').id);
      await page.goto(`${gateway.url}/invite?token=${secret}`);
      for (const label of ['Password at least', 'The same password']) {
        await page.getByLabel(label).fill('another good password');
      }
      await page.getByRole('button', { name: 'Set password' }).click();
      await page.getByText('alice can sign in now').waitFor();
      expect(gateway.registry.invitations.look(secret)).toBeUndefined();
    }));

  it('no page shows itself inside of another site, where a click could be stolen', () =>
    inBrowser(async (page) => {
      const { secret } = gateway.registry.invitations.issue(gateway.registry.users.get('alice').id);
      const pages = [
        '/oidc/device',
        '/setup',
        `/invite?token=${secret}`,
        '/oidc/upstream',
        '/oidc/browser',
        '/nowhere',
      ];
      const framed = [await verificationUri(), ...pages.map((path) => gateway.url + path)];
      const frames = framed.map((url) => `<iframe src="${url}"></iframe>`).join('');
      await using site = await serveHtml(`${frames}<iframe srcdoc="<main>not ours</main>"></iframe>`);
      await page.goto(site.url, { waitUntil: 'load' });
      expect(page.frames()).toHaveLength(framed.length + 2);
      const shown = await Promise.all(
        page
          .frames()
          .slice(1)
          .map((frame) => frame.locator('main').count()),
      );
      expect(shown).toEqual([...framed.map(() => 0), 1]);
    }));
});
