import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutToWidth, displayWidth } from '../../src/ui/display-width.ts';
import { byteSize, count, duration, facts, offset, relativeTime, table, timeAndAge } from '../../src/ui/print.ts';

// oxlint-disable-next-line no-control-regex -- our own colours
const plain = (text: string) => text.replace(/\u001B\[[0-9;]*m/g, '');

describe('tables', () => {
  test('are aligned by what a terminal shows, not by characters', () => {
    const rows = [
      { name: '注文', state: 'live' },
      { name: 'orders-db', state: 'sealed' },
    ];
    const text = table(rows, [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'STATE', value: ({ state }) => state },
    ]);
    expect(plain(text).split('\n')).toEqual(['NAME       STATE', '注文       live', 'orders-db  sealed']);
  });

  test('numbers stand at the right', () => {
    const columns = [{ title: 'STATEMENTS', value: (number: number) => String(number), alignRight: true }];
    expect(plain(table([7, 1200], columns)).split('\n')).toEqual(['STATEMENTS', '         7', '      1200']);
  });

  test('a name with a line feed or a colour in it stays one cell of one line', () => {
    const text = table(['a\nb', '\u001B[31mred'], [{ title: 'NAME', value: (name) => name }]);
    expect(plain(text).split('\n')).toEqual(['NAME', 'a\\nb', '\\e[31mred']);
  });

  test('facts too', () => {
    expect(
      plain(
        facts([
          ['user', 'al\u001B[2Jice'],
          ['resource', 'orders-db'],
        ]),
      ).split('\n'),
    ).toEqual(['user      al\\e[2Jice', 'resource  orders-db']);
  });
});

describe('width', () => {
  test.each([
    ['plain', 5],
    ['日本', 4],
    ['cafe\u0301', 4],
    ['👍🏽', 2],
    ['\u001B[1mbold\u001B[22m', 4],
  ])('%j takes %i columns', (text, columns) => {
    expect(displayWidth(text)).toBe(columns);
  });

  test('what is cut never takes more than it may', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 }), (text, width) => {
        expect(displayWidth(cutToWidth(text, width))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe('times, sizes and counts as people say them', () => {
  const now = Date.parse('2026-11-22T12:00:00.000Z');

  test.each([
    ['2026-11-22T11:59:59.800Z', 'now'],
    ['2026-11-22T11:59:30.000Z', '30 s ago'],
    ['2026-11-22T11:55:00.000Z', '5 min ago'],
    ['2026-11-22T09:00:00.000Z', '3 h ago'],
    ['2026-11-20T11:00:00.000Z', '2 d ago'],
    ['2026-11-25T12:00:00.000Z', 'in 3 d'],
  ])('%s is %s', (time, said) => {
    expect(relativeTime(time, now)).toBe(said);
    expect(timeAndAge(time, now)).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(.*\)$/);
  });

  test.each([
    [412, '412 µs'],
    [1234, '1.2 ms'],
    [3_400_000, '3.4 s'],
    [125_000_000, '2 min 5 s'],
    [3_720_000_000, '1 h 2 min'],
  ])('%i microseconds are %s', (micros, said) => {
    expect(duration(micros)).toBe(said);
  });

  test.each([
    ['2026-11-22T12:00:00.000Z', '+0:00.000'],
    ['2026-11-22T12:12:05.250Z', '+12:05.250'],
    ['2026-11-22T13:00:00.000Z', '+1:00:00.000'],
    ['2026-11-22T11:59:59.000Z', '+0:00.000'],
  ])('%s is %s after the start', (time, said) => {
    expect(offset('2026-11-22T12:00:00.000Z', time)).toBe(said);
  });

  test('sizes and counts', () => {
    expect([512, 1234, 3_400_000].map(byteSize)).toEqual(['512 B', '1.2 KB', '3.4 MB']);
    expect([0, 1, 1200].map((number) => count(number, 'session'))).toEqual([
      '0 sessions',
      '1 session',
      '1,200 sessions',
    ]);
  });
});
