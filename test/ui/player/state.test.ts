import { describe, expect, test } from 'vitest';
import {
  found,
  idleMillisMax,
  keyed,
  millisOf,
  speeds,
  startState,
  ticked,
  type Key,
  type PlayerState,
  type Wish,
} from '../../../src/ui/player/state.ts';
import type { Track } from '../../../src/ui/player/track.ts';

/** Statements by time in ms; `w` writes, `e` failed, a digit is the stream. Numbers are 3, 5, 7 … */
function trackOf(items: [millis: number, marks: string][], isWhole = true): Track {
  const marks = (at: number) => items[at]?.[1] ?? '';
  const stream = (at: number) => Number(/\d/.exec(marks(at))?.[0] ?? 1);
  return {
    length: items.length,
    isWhole,
    seq: (at) => at * 2 + 3,
    millis: (at) => items[at]?.[0] ?? 0,
    stream,
    isWrite: (at) => marks(at).includes('w'),
    isError: (at) => marks(at).includes('e'),
    streams: [...new Set(items.map((_, at) => stream(at)))],
  };
}
const track = trackOf([
  [0, ''],
  [500, 'w'],
  [1000, ''],
  [61_000, 'e2'],
  [61_100, 'w2'],
  [3_600_000, 'we'],
]);

const names = [
  'left',
  'right',
  'up',
  'down',
  'pageUp',
  'pageDown',
  'home',
  'end',
  'enter',
  'escape',
  'backspace',
  'interrupt',
] as const;
const all: Key[] = [...names, ...Array.from(' kjgG+=-wesnNt#/?q0x:é', (typed): Key => ({ typed }))];
const keys = (text: string): Key[] => Array.from(text, (typed): Key => ({ typed }));

function pressed(state: PlayerState, pressedKeys: Key[], on: Track = track): { state: PlayerState; wishes: Wish[] } {
  const wishes: Wish[] = [];
  let now = state;
  for (const key of pressedKeys) {
    const turn = keyed(now, key, on);
    now = turn.state;
    if (turn.wish) wishes.push(turn.wish);
  }
  return { state: now, wishes };
}
const after = (pressedKeys: Key[], from: Partial<PlayerState> = {}) =>
  pressed({ ...startState, ...from }, pressedKeys).state;

describe('keys', () => {
  test.each<[string, Key[], Partial<PlayerState>, Partial<PlayerState>]>([
    ['steps on', ['right'], {}, { at: 1 }],
    ['steps on by j, back by k', keys('jjk'), {}, { at: 1 }],
    ['steps back', ['left'], { at: 3 }, { at: 2 }],
    ['stays at the first', ['left'], {}, { at: 0, notice: 'this is the first one' }],
    ['stays at the last', ['right'], { at: 5 }, { at: 5, notice: 'this is the last one' }],
    ['ten on ends at the last', ['pageDown'], {}, { at: 5, notice: '' }],
    ['ten back ends at the first', ['pageUp'], { at: 4 }, { at: 0 }],
    ['first and last', ['end'], {}, { at: 5 }],
    ['g is first', keys('Gg'), {}, { at: 0 }],
    ['a step ends playing', ['right'], { isPlaying: true }, { isPlaying: false }],
    ['plays', keys(' '), {}, { isPlaying: true }],
    ['pauses', keys('  '), {}, { isPlaying: false }],
    ['plays from the beginning at the end', keys(' '), { at: 5 }, { isPlaying: true, at: 0 }],
    ['faster', keys('++'), {}, { speed: 4 }],
    ['no faster than 32', keys('++++++++++'), {}, { speed: 32 }],
    ['no slower than a half', keys('---'), {}, { speed: 0.5 }],
    ['writes only goes to the next of them', keys('w'), {}, { writesOnly: true, at: 1 }],
    ['steps among writes', [...keys('w'), 'right'], {}, { at: 4 }],
    ['errors only', keys('e'), {}, { errorsOnly: true, at: 3 }],
    ['both', keys('we'), {}, { at: 5 }],
    ['off again', keys('ww'), {}, { writesOnly: false, at: 1 }],
    ['the first stream, the second, all', keys('s'), {}, { stream: 1, at: 0 }],
    ['the second stream', keys('ss'), {}, { stream: 2, at: 3 }],
    ['all streams again', keys('sss'), {}, { stream: undefined, at: 3 }],
    ['goes back where nothing later is like that', keys('s'), { at: 4, stream: 1 }, { stream: 2, at: 4 }],
    ['scrolls', ['down', 'down', 'up'], {}, { scrolled: 1 }],
    ['not above the top', ['up'], {}, { scrolled: 0 }],
    ['a step scrolls back', ['down', 'right'], {}, { scrolled: 0 }],
    ['help, and any key goes back', keys('?'), {}, { isHelpShown: true }],
    ['a key under help does nothing else', keys('?j'), {}, { isHelpShown: false, at: 0 }],
    ['a time', [...keys('t1:01'), 'enter'], {}, { at: 3, prompt: undefined }],
    ['a time past the end', [...keys('t9:00:00'), 'enter'], {}, { at: 5 }],
    [
      'no time',
      [...keys('tsoon'), 'enter'],
      { at: 2 },
      { at: 2, notice: 'a time is like 90, 1:30, 1:30.5 or 1:02:03' },
    ],
    ['a number', [...keys('#9'), 'enter'], {}, { at: 3, notice: '' }],
    [
      'a number that is framing',
      [...keys('#8'), 'enter'],
      {},
      { at: 3, notice: '#8 is not shown by itself; this is the next' },
    ],
    ['a number past the end', [...keys('#99'), 'enter'], { at: 1 }, { at: 1, notice: 'there is no #99 or later' }],
    ['no number', [...keys('#x'), 'enter'], {}, { notice: 'a number is like 42: what stands behind # in a replay' }],
    ['typing is corrected', [...keys('#98'), 'backspace', 'enter'], {}, { at: 3 }],
    [
      'what is typed is no command',
      keys('/jq ?'),
      {},
      { at: 0, prompt: { what: 'search', text: 'jq ?' }, isHelpShown: false },
    ],
    ['escape leaves a prompt', [...keys('/ab'), 'escape'], {}, { prompt: undefined, lastSearch: '' }],
    ['n without a search', keys('n'), {}, { notice: 'nothing to search for: / begins' }],
  ])('%s', (_what, pressedKeys, from, to) => {
    expect(after(pressedKeys, from)).toMatchObject(to);
  });

  test('a filter that hides everything is not set', () => {
    const reads = trackOf([[0, '']]);
    expect(pressed(startState, keys('w'), reads).state).toMatchObject({
      writesOnly: false,
      notice: 'no statement is like that',
    });
  });

  test('searching, on and back, is for the world outside', () => {
    const { state, wishes } = pressed({ ...startState, at: 2 }, [...keys('/DroP'), 'enter', ...keys('nN')]);
    expect(wishes).toEqual([
      { search: 'DroP', from: 3, step: 1 },
      { search: 'DroP', from: 3, step: 1 },
      { search: 'DroP', from: 1, step: -1 },
    ]);
    expect(found(state, 4)).toMatchObject({ at: 4, notice: '' });
    expect(found(state, undefined)).toMatchObject({ at: 2, notice: 'nothing more with “DroP” that way' });
  });

  test.each([
    [keys('q')],
    [['interrupt'] as Key[]],
    [[...keys('?'), 'interrupt'] as Key[]],
    [[...keys('/q'), 'interrupt'] as Key[]],
  ])('leaves: %j', (pressedKeys) => {
    expect(pressed(startState, pressedKeys).wishes).toEqual([{ quit: true }]);
  });

  test('every pair of keys from everywhere leaves a state in which a statement is shown', () => {
    for (const on of [
      track,
      trackOf([]),
      trackOf([[0, 'w']]),
      trackOf(
        [
          [0, ''],
          [1, 'e2'],
        ],
        false,
      ),
    ])
      for (const mode of ['', ' ', 'w', 'e', 's', 'ss', '?', 't', '#', '/', '/x'])
        for (const first of all)
          for (const second of all) {
            const { state } = pressed(startState, [...keys(mode), first, second], on);
            const ticking = ticked(state, 500, on);
            for (const { at, scrolled, speed } of [state, ticking]) {
              expect(at >= 0 && at <= Math.max(0, on.length - 1)).toBe(true);
              expect(scrolled >= 0 && speeds.includes(speed as 1)).toBe(true);
            }
          }
  });
});

describe('time', () => {
  const playing: PlayerState = { ...startState, isPlaying: true };
  const at = (state: PlayerState, ...millis: number[]) =>
    millis.reduce((now, one) => ticked(now, one, track), state).at;

  test('statements come when they came', () => {
    expect(at(playing, 499)).toBe(0);
    expect(at(playing, 250, 250)).toBe(1);
    expect(at(playing, 1000)).toBe(2);
  });
  test('speeds', () => {
    expect(at({ ...playing, speed: 32 }, 16)).toBe(1);
    expect(at({ ...playing, speed: 0.5 }, 999)).toBe(0);
    expect(at({ ...playing, speed: 0.5 }, 1000)).toBe(1);
  });
  test('a pause of a minute takes two seconds', () => {
    const before = { ...playing, at: 2 };
    expect(at(before, idleMillisMax - 1)).toBe(2);
    expect(at(before, idleMillisMax)).toBe(3);
    expect(at(before, idleMillisMax, 99)).toBe(3);
    expect(at(before, idleMillisMax, 100)).toBe(4);
  });
  test('pauses are of what is shown', () => {
    expect(at({ ...playing, writesOnly: true, at: 1 }, idleMillisMax)).toBe(4);
  });
  test('the end pauses; of a session that still loads it waits', () => {
    expect(ticked({ ...playing, at: 5 }, 1, track).isPlaying).toBe(false);
    expect(ticked({ ...playing, at: 5 }, 1, { ...track, isWhole: false }).isPlaying).toBe(true);
  });
  test.each([{ isPlaying: false }, { isHelpShown: true }, { prompt: { what: 'time', text: '' } as const }])(
    'stands: %j',
    (still) => {
      const state = { ...playing, ...still };
      expect(ticked(state, 10_000, track)).toBe(state);
    },
  );

  test.each([
    ['90', 90_000],
    ['+1:30', 90_000],
    ['1:30.5', 90_500],
    ['1:02:03', 3_723_000],
    ['', undefined],
    ['1:', undefined],
    ['-1', undefined],
    ['1:2:3:4', undefined],
  ])('%j', (text, millis) => {
    expect(millisOf(text)).toBe(millis);
  });
});
