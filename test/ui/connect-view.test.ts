import { PassThrough } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { openConnectView, type ShownState } from '../../src/ui/connect-view.ts';
import { until } from '../support/until.ts';

// On a build server ink draws only the last picture; it looks when it is loaded, which the view does late.
process.env['CI'] = 'false';
const term = process.env['TERM'];
afterEach(() => {
  if (term === undefined) delete process.env['TERM'];
  else process.env['TERM'] = term;
});

/** What a terminal (or a file) of 80 columns was sent; `last` is the picture on it, drawn after the lines before it are erased. */
function screen(isTTY: boolean) {
  const written: string[] = [];
  const stream = new PassThrough().on('data', (text: Buffer) => written.push(text.toString()));
  Object.assign(stream, { isTTY, columns: 80, rows: 24 });
  return {
    stream: stream as unknown as NodeJS.WriteStream,
    all: () => written.join(''),
    last: () => written.join('').split('\u001B[G').at(-1) ?? '',
  };
}

const ready: ShownState = { state: 'ready', session: '56nx04m1aaaa', port: 38_379, streams: 0 };
const signingIn: ShownState = { state: 'signing-in', why: 'the sign-in has expired', port: 38_379 };
const prompt = 'Sign in: open https://g/oidc/device and enter ABCD-EFGH (within 5 minutes)';

test('a terminal shows the code of a needed sign-in until the resource is ready again', async () => {
  process.env['TERM'] = 'xterm';
  const { stream, all, last } = screen(true);
  const opening = openConnectView(['orders-db', 'other-db'], stream, 'Ctrl-C ends the sessions');
  stream.isTTY = false; // ink draws all the same, but does not promise to bring back the cursor of this process's own terminal
  const view = await opening;
  view.show('orders-db', signingIn);
  view.notice(prompt);
  await until(() => last().includes(prompt), { what: all });
  view.show('other-db', { state: 'failed', error: { message: 'no grant' } });
  await until(() => last().includes('failed · no grant'), { what: all });
  expect(last()).toContain(prompt);
  view.show('orders-db', ready);
  await until(() => last().includes('ready on 127.0.0.1:38379 · session 56nx04m1 · 0 connections'), { what: all });
  expect(last()).not.toContain('ABCD-EFGH');
  view.close();
  await until(() => last().includes('ready') && !last().includes('Ctrl-C'), { what: all });
});

test.each([
  ['a file', false, 'xterm'],
  ['a dumb terminal', true, 'dumb'],
])('%s gets plain lines, each change once', async (_what, isTTY, kind) => {
  process.env['TERM'] = kind;
  const { stream, all } = screen(isTTY);
  const view = await openConnectView(['orders-db'], stream, 'Ctrl-C ends the session');
  view.show('orders-db', ready);
  view.show('orders-db', { ...ready, streams: 3 } as ShownState);
  view.show('orders-db', signingIn);
  view.notice(prompt);
  view.close();
  await until(() => all().includes(prompt), { what: all });
  expect(all()).toBe(
    `orders-db ready on 127.0.0.1:38379 · session 56nx04m1aaaa\norders-db sign-in needed: the sign-in has expired\n${prompt}\n`,
  );
});
