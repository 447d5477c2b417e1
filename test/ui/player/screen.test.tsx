import { renderToString } from 'ink';
import { describe, expect, test } from 'vitest';
import { displayWidth } from '../../../src/ui/display-width.ts';
import { density } from '../../../src/ui/player/density.ts';
import { highlighted, wrapped } from '../../../src/ui/player/highlight.ts';
import { isWrite } from '../../../src/ui/player/is-write.ts';
import { Screen } from '../../../src/ui/player/screen.tsx';
import { startState, type PlayerState } from '../../../src/ui/player/state.ts';
import { StatementTrack } from '../../../src/ui/player/track.ts';
import { exampleSession, exampleStatements, hostileTexts } from '../../support/example-session.ts';

const track = new StatementTrack(exampleSession);
for (const statement of exampleStatements) track.add(statement);
track.isWhole = true;

function picture(state: Partial<PlayerState>, columns = 80, rows = 24): string {
  const whole = { ...startState, ...state };
  const verified = { word: 'VALID', isGood: true };
  const bar = density(track, whole, columns);
  const props = { session: exampleSession, verified, track, state: whole, bar, columns, rows };
  return renderToString(<Screen {...props} />, { columns });
}
const colours = /\u001B\[[0-9;]*m/g;

describe('the picture', () => {
  test('says who, what, when, what came of it and whether it is proven', () => {
    const [identity, bar, , words] = picture({ at: 1 }).replace(colours, '').split('\n');
    expect(identity).toBe('alice · cursor (declared) · orders-db · 7k3m9aaaaa · sealed      verify: ✓ VALID');
    expect(bar).toMatch(/[▁-█]/);
    expect(words).toBe('‖ paused · 1× · 0:01.200 / 4:59.000 · 2 of 11');
    const text = picture({ at: 1 }).replace(colours, '');
    expect(text).toContain("where o.customer = 'ann' and o.state = 'open' and o.total > 100.50");
    expect(text).toContain('OK SELECT 3 · 3 rows · 4.8 ms');
    expect(text).toContain('id | total');
  });

  test('is no wider and no higher than the terminal, wherever it stands', () => {
    for (const [columns, rows] of [
      [80, 24],
      [40, 12],
      [20, 8],
      [200, 60],
    ] as const)
      for (let at = 0; at < track.length; at++)
        for (const more of [
          {},
          { isHelpShown: true },
          { prompt: { what: 'search', text: hostileTexts.join('') } as const },
        ]) {
          const lines = picture({ at, ...more }, columns, rows)
            .replace(colours, '')
            .split('\n');
          expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(columns);
          expect(lines.length).toBeLessThanOrEqual(Math.max(rows - 1, 10));
        }
  });

  test('a long statement scrolls, and no further than its end', () => {
    expect(picture({ at: 7 })).toContain("'line 0'");
    expect(picture({ at: 7 })).toMatch(/↓ \d+ lines more/);
    expect(picture({ at: 7, scrolled: 9999 })).toContain("'line 59'");
    expect(picture({ at: 7, scrolled: 9999 })).not.toContain('↓');
  });

  test('nothing of what was recorded is obeyed', () => {
    for (const [columns, rows] of [
      [80, 24],
      [200, 60],
    ] as const) {
      const text = picture({ at: 8, notice: hostileTexts.join('') }, columns, rows)
        .replace(colours, '')
        .replaceAll('\n', '');
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
    }
  });
});

describe('SQL in inks', () => {
  const inks = (text: string) =>
    highlighted({ ...exampleStatements[0]!, text }, 'postgres').map(({ ink, text }) => `${ink}:${text}`);
  test('keywords, literals, numbers, comments', () => {
    expect(inks("select 'a''b', 12.5 -- x")).toEqual([
      'keyword:select',
      'plain: ',
      "literal:'a''b'",
      'plain:, ',
      'number:12.5',
      'plain: ',
      'comment:-- x',
    ]);
    expect(inks('select $$ $1 $$ /* /**/')).toEqual([
      'keyword:select',
      'plain: ',
      'literal:$$ $1 $$',
      'plain: ',
      'comment:/* /**/',
    ]);
  });
  test('lines are as wide as the screen, wide characters count as two', () => {
    const lines = wrapped([{ ink: 'plain', text: '漢字漢字漢字 abc\n\nd' }], 5).map((line) =>
      line.map(({ text }) => text).join(''),
    );
    expect(lines).toEqual(['漢字', '漢字', '漢字 ', 'abc', '', 'd']);
  });
});

describe('what counts as a write', () => {
  const statement = (text: string, dataBytes?: number) => ({
    ...exampleStatements[0]!,
    text,
    ...(dataBytes !== undefined && { dataBytes }),
  });
  test.each([
    ['select 1', false],
    ['  -- a comment\n/* and */ SELECT 1', false],
    ['begin', false],
    ['insert into t values (1)', true],
    ['with x as (select 1) select * from x', false],
    ['with x as (delete from t returning *) select * from x', true],
    ['explain analyze delete from t', true],
    ["select 'delete'", false],
    ['select * into u from t', true],
    ['select 1; drop table t', true],
    ['select 1; select 2;', false],
    ['copy t to stdout', false],
    ['copy t from stdin', true],
    ['vacuum', true],
    ['call f()', true],
    ['anything else', true],
  ])('%s', (text, expected) => {
    expect(isWrite(statement(text), 'postgres')).toBe(expected);
  });
  test('Redis by its words', () => {
    expect(isWrite(statement('GET a'), 'redis')).toBe(false);
    expect(isWrite(statement('"SET" a 1'), 'redis')).toBe(true);
  });
  test('what was refused or skipped changed nothing', () => {
    expect(isWrite({ ...statement('drop table t'), outcome: { status: 'refused' } }, 'postgres')).toBe(false);
  });
});

test('a track gives back what it took, block by block', () => {
  const long = new StatementTrack(exampleSession);
  for (let at = 0; at < 3000; at++)
    long.add({ ...exampleStatements[0]!, seq: at, stream: at % 3, text: `select ${at}` });
  for (const at of [0, 255, 256, 1024, 2047, 2816, 2999]) {
    expect(long.statement(at).text).toBe(`select ${at}`);
    expect(long.seq(at)).toBe(at);
    expect(long.stream(at)).toBe(at % 3);
  }
  expect(long.streams).toEqual([0, 1, 2]);
  expect(() => long.statement(3000)).toThrow(RangeError);
});
