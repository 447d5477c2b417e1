import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { html } from '../../../src/ui/formats/html.ts';
import type { Session, Statement } from '../../../src/shared/api.ts';
import { exampleSession, exampleStatements, hostileTexts } from '../../support/example-session.ts';
import { textOf } from '../../support/recording-of.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const flags = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'];
if (executablePath === undefined)
  console.warn('NOT CHECKED: the page in a real browser (no Chromium on this machine; apt-get install chromium)');

const hostile: Session = {
  ...exampleSession,
  user: hostileTexts.join(''),
  actor: '"><img src=x onerror=alert(1)>',
  resource: '</title><script>alert(1)</script>',
};

async function* each(statements: Statement[]): AsyncGenerator<Statement> {
  yield* statements;
}

let folder: string;
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hoop-html-'));
  if (executablePath !== undefined) browser = await chromium.launch({ executablePath, args: flags });
}, 30_000);
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Opened {
  page: Page;
  /** What the page asked for, beside itself. */
  requests: string[];
  complaints: string[];
}

async function opened(
  session: Session,
  statements: Statement[],
  options: { width?: number; height?: number; colorScheme?: 'light' | 'dark'; javaScriptEnabled?: boolean } = {},
): Promise<Opened> {
  const { width = 1280, height = 800, ...rest } = options;
  const file = join(folder, 'page.html');
  writeFileSync(file, await textOf(html(session, each(statements))));
  const page = await browser.newPage({ viewport: { width, height }, ...rest });
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => (complaints.push(dialog.message()), void dialog.dismiss()));
  await page.goto(pathToFileURL(file).href);
  return { page, requests: requests.slice(1), complaints };
}

describe.runIf(executablePath !== undefined)('the page in a real browser', () => {
  test('plays, searches, filters, seeks; by keyboard too', async () => {
    const { page, requests, complaints } = await opened(exampleSession, exampleStatements);
    const place = page.locator('#place');
    const sql = page.locator('#detail pre');
    await page.locator('body.ready').waitFor();
    expect(await place.textContent()).toBe('1 of 11');
    await page.keyboard.press('ArrowRight');
    expect(await place.textContent()).toBe('2 of 11');
    expect(await sql.textContent()).toContain("where o.customer = 'ann' and o.state = 'open' and o.total > 100.50");
    expect(await sql.locator('.parameter').allTextContents()).toEqual(["'ann'", '100.50']);
    expect(await page.locator('#detail table').textContent()).toContain('120.00');
    await page.getByLabel('Search').fill('nowhere');
    expect(await place.textContent()).toBe('1 of 1');
    expect(await page.locator('.outcome').textContent()).toBe('ERROR 42P01 relation "nowhere" does not exist · 300 µs');
    await page.getByLabel('Search').fill('');
    await page.getByLabel('writes').check();
    expect(await place.textContent()).toMatch(/ of 3$/);
    await page.getByLabel('writes').uncheck();
    await page.getByLabel('Stream').selectOption('2');
    expect(await place.textContent()).toMatch(/ of 3$/);
    await page.getByLabel('Stream').selectOption('');
    await page.getByLabel('Time').fill('1000');
    expect(await sql.textContent()).toBe('select now()');
    await page.locator('.row').nth(2).click();
    expect(await page.locator('.row.current').count()).toBe(1);
    await page.getByLabel('Speed').selectOption('32');
    await page.getByRole('button', { name: 'Play' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await page.getByText('11 of 11').waitFor();
    await page.getByRole('button', { name: 'Play' }).waitFor();
    expect(requests).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('what was recorded is text: no markup, no script, no mark of direction, no request', async () => {
    const statements = [...hostileTexts, ...hostileTexts.map((text) => `select '${text}' -- ${text}`)].map(
      (text, index): Statement => ({
        ...exampleStatements[0]!,
        seq: index,
        text,
        verb: text,
        parameters: [{ type: 25, format: 0, base64: '', shown: text }],
        redactions: [text],
        results: [{ columns: [text], rows: [[text]] }],
        outcome: { status: 'error', errorCode: text, errorMessage: text },
      }),
    );
    const { page, requests, complaints } = await opened(hostile, statements);
    await page.locator('body.ready').waitFor();
    for (let at = 0; at < statements.length; at++) {
      const text = (await page.locator('body').innerText()).replaceAll(/[\n\t]/g, '');
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
      await page.keyboard.press('ArrowRight');
    }
    expect(await page.title()).toContain('</title><script>alert(1)</script>');
    expect(await page.locator('img, a, iframe, form').count()).toBe(0);
    expect(await page.locator('script').count()).toBe(1);
    expect([requests, complaints]).toEqual([[], []]);
    await page.close();
  });

  test('its policy lets no other script run, and nothing be fetched', async () => {
    const { page, complaints } = await opened(exampleSession, exampleStatements);
    await page.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'document.title = "owned"';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="https://evil.example/x" onerror="document.title = 1">');
    }`);
    await page.waitForFunction('document.images.length === 1 && document.images[0].complete');
    expect(await page.title()).toContain('orders-db');
    expect(complaints.filter((text) => text.includes('Content Security Policy')).length).toBeGreaterThanOrEqual(2);
    await page.close();
  });

  test.each([
    [1280, 800, 'light'],
    [1280, 800, 'dark'],
    [360, 740, 'light'],
    [360, 740, 'dark'],
  ] as const)('fits %i × %i, %s', async (width, height, colorScheme) => {
    const { page } = await opened(exampleSession, exampleStatements, { width, height, colorScheme });
    await page.locator('body.ready').waitFor();
    await page.keyboard.press('ArrowRight');
    const surplus = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    expect(await page.evaluate(surplus)).toBe(0);
    const detail = await page.locator('#detail').boundingBox();
    expect(detail!.y + detail!.height).toBeLessThanOrEqual(height + 1);
    expect(detail!.height).toBeGreaterThan(150);
    if (process.env['HOOP_SCREENSHOTS'])
      await page.screenshot({ path: join(process.env['HOOP_SCREENSHOTS'], `${width}-${colorScheme}.png`) });
    await page.close();
  });

  test('20,000 statements: a few rows are in the page', async () => {
    const many = Array.from({ length: 20_000 }, (_, seq) => ({ ...exampleStatements[1]!, seq }));
    const { page } = await opened(exampleSession, many);
    await page.locator('body.ready').waitFor();
    await page.keyboard.press('End');
    expect(await page.locator('#place').textContent()).toBe('20000 of 20000');
    expect(await page.locator('.row').count()).toBeLessThan(100);
    await page.close();
  });

  test('without scripts it says what it is', async () => {
    const { page } = await opened(exampleSession, exampleStatements, { javaScriptEnabled: false });
    expect(await page.getByText('The recording is in this file').isVisible()).toBe(true);
    await page.close();
  });
});

test('the file itself drives no terminal, and has no markup that was recorded', async () => {
  const statements = hostileTexts.map((text, seq): Statement => ({ ...exampleStatements[0]!, seq, text }));
  const page = await textOf(html(hostile, each(statements)));
  expect(page.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
  expect(page.match(/<script/g)).toHaveLength(2);
  expect(page).not.toContain('onerror="document');
});
