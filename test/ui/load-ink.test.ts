import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { loadInk } from '../../src/ui/load-ink.ts';

test('a view that is drawn again and again leaves nothing behind, and no variable for what hoop starts', async () => {
  const before = { ...process.env };
  const { render, createElement, Text } = await loadInk();
  expect({ ...process.env }).toEqual(before);
  const stdout = Object.assign(new PassThrough().resume(), { columns: 80, rows: 24 }) as unknown as NodeJS.WriteStream;
  const view = render(createElement(Text, null, '0'), { stdout, patchConsole: false, exitOnCtrlC: false });
  for (let time = 1; time <= 50; time++) {
    view.rerender(createElement(Text, null, String(time)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  view.unmount();
  expect(performance.getEntriesByType('measure')).toEqual([]);
});
