import { expect, test } from 'vitest';
import { ProgressBar } from '../../src/ui/progress-bar.ts';

const terminal = (isTTY: boolean, columns: number) => {
  const written: string[] = [];
  return {
    written,
    stream: { isTTY, columns, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream,
  };
};

test('one line that is drawn over, and cleared', () => {
  const { written, stream } = terminal(true, 80);
  const bar = new ProgressBar(stream, 4000, 'statement');
  bar.update(1000, ', 2 different');
  expect(written).toEqual(['\r\u001B[K[######------------------] 1,000 of 4,000 statements, 2 different']);
  bar.update(1001); // too soon for an eye
  bar.clear();
  bar.clear();
  expect(written.slice(1)).toEqual(['\r\u001B[K']);
});

test('fits a narrow terminal; nothing is written where there is none', () => {
  const narrow = terminal(true, 30);
  new ProgressBar(narrow.stream, 10, 'statement').update(10);
  expect(narrow.written[0]!.replace('\r\u001B[K', '').length).toBeLessThan(30);
  const file = terminal(false, 80);
  const bar = new ProgressBar(file.stream, 10, 'statement');
  bar.update(5);
  bar.clear();
  expect(file.written).toEqual([]);
});
