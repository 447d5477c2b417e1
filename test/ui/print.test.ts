import { describe, expect, it } from 'vitest';
import { cutToWidth, displayWidth } from '../../src/ui/display-width.ts';
import { byteSize, count, duration, localTime, offset, relativeTime, table } from '../../src/ui/print.ts';

const now = Date.parse('2026-11-22T12:00:00.000Z');
const at = (seconds: number) => new Date(now + seconds * 1000).toISOString();

describe('width in a terminal', () => {
  it.each([
    ['abc', 3],
    ['ü', 1],
    ['e\u0301', 1],
    ['漢字', 4],
    ['😀', 2],
    ['\u001B[31mred\u001B[39m', 3],
    ['', 0],
  ])('%j is %i', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it('cuts between characters and shows that it did', () => {
    expect(cutToWidth('漢字漢字', 5)).toBe('漢字…');
    expect(cutToWidth('short', 5)).toBe('short');
  });
});

describe('tables', () => {
  it('align by width, not by length, and show control characters of any cell', () => {
    const shown = table(
      [
        { name: '漢字', size: 5 },
        { name: 'a\u001B[2Jb', size: 12 },
      ],
      [
        { title: 'NAME', value: ({ name }) => name },
        { title: 'SIZE', value: ({ size }) => String(size), alignRight: true },
      ],
    );
    expect(shown.split('\n')).toEqual(['NAME     SIZE', '漢字        5', 'a\\e[2Jb    12']);
  });
});

describe('tables in a narrow terminal', () => {
  const rows = [{ name: 'orders-db', started: '2026-11-22 12:00:00 (now)', state: 'sealed (client_closed)' }];
  const shown = (width: number) =>
    table<(typeof rows)[0]>(
      rows,
      [
        { title: 'RESOURCE', value: ({ name }) => name },
        { title: 'STARTED AT', value: ({ started }) => started, narrow: { title: 'AT', value: () => 'now' } },
        { title: 'STATE', value: ({ state }) => state },
      ],
      width,
    ).split('\n');

  it('say all where there is room', () => {
    expect(shown(80)[1]).toBe('orders-db  2026-11-22 12:00:00 (now)  sealed (client_closed)');
  });
  it('say it shorter, and cut the last column, where there is none', () => {
    expect(shown(45)).toEqual(['RESOURCE   AT   STATE', 'orders-db  now  sealed (client_closed)']);
    expect(shown(26)).toEqual(['RESOURCE   AT   STATE', 'orders-db  now  sealed (c…']);
  });
  it('leave a line whole that would lose its sense', () => {
    expect(shown(18)[1]).toBe('orders-db  now  sealed (client_closed)');
  });
});

describe('times', () => {
  it.each([
    [-30, '30 s ago'],
    [-90, '1 min ago'],
    [-7200, '2 h ago'],
    [-3 * 86_400, '3 d ago'],
    [3600, 'in 1 h'],
    [3599.5, 'in 1 h'],
    [30 * 86_400 - 1, 'in 30 d'],
    [15 * 60 - 2, 'in 15 min'],
    [0, 'now'],
  ])('%i s is %s', (seconds, shown) => {
    expect(relativeTime(at(seconds), now)).toBe(shown);
  });

  it('local time is in the reader’s zone', () => {
    const local = new Date(2026, 10, 22, 3, 4, 5);
    expect(localTime(local.toISOString())).toBe('2026-11-22 03:04:05');
  });

  it.each([
    [412, '412 µs'],
    [1240, '1.2 ms'],
    [3_400_000, '3.4 s'],
    [125_000_000, '2 min 5 s'],
    [3_720_000_000, '1 h 2 min'],
  ])('%i µs is %s', (micros, shown) => {
    expect(duration(micros)).toBe(shown);
  });

  it('offsets count from the start of the session', () => {
    expect(offset(at(0), at(0.25))).toBe('+0:00.250');
    expect(offset(at(0), at(725.5))).toBe('+12:05.500');
    expect(offset(at(0), at(3600))).toBe('+1:00:00.000');
  });
});

it('amounts', () => {
  expect(count(1, 'session')).toBe('1 session');
  expect(count(1234, 'session')).toBe('1,234 sessions');
  expect(byteSize(512)).toBe('512 B');
  expect(byteSize(1_234_567)).toBe('1.2 MB');
});
