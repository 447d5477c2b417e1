import type { Track } from './track.ts';

/** Speeds, slowest first. */
export const speeds = [0.5, 1, 2, 4, 8, 16, 32] as const;
/** Nobody watches an agent think: longer pauses are played as this long. */
export const idleMillisMax = 2000;

export type Prompt = 'time' | 'number' | 'search';

/** What the player is doing; everything on the screen follows from it and the track. */
export interface PlayerState {
  /** The current statement's place in the track. */
  at: number;
  isPlaying: boolean;
  speed: number;
  /** Played since the current statement began, capped pauses taken out. */
  waitedMillis: number;
  writesOnly: boolean;
  errorsOnly: boolean;
  /** Only this stream. */
  stream: number | undefined;
  /** Lines of the current statement that are above the screen. */
  scrolled: number;
  /** What is being typed, and for what. */
  prompt: { what: Prompt; text: string } | undefined;
  lastSearch: string;
  isHelpShown: boolean;
  /** Said until the next key. */
  notice: string;
}

export const startState: PlayerState = {
  at: 0,
  isPlaying: false,
  speed: 1,
  waitedMillis: 0,
  writesOnly: false,
  errorsOnly: false,
  stream: undefined,
  scrolled: 0,
  prompt: undefined,
  lastSearch: '',
  isHelpShown: false,
  notice: '',
};

/** Keys by name; anything else is the character that was typed. */
export type Key =
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'home'
  | 'end'
  | 'enter'
  | 'escape'
  | 'backspace'
  | 'interrupt'
  | { typed: string };

/** What only the world outside can do. */
export type Wish = { quit: true } | { search: string; from: number; step: 1 | -1 };

export interface Turn {
  state: PlayerState;
  wish?: Wish;
}

export type Filter = Pick<PlayerState, 'writesOnly' | 'errorsOnly' | 'stream'>;

export const isShown = (track: Track, { writesOnly, errorsOnly, stream }: Filter, at: number): boolean =>
  (!writesOnly || track.isWrite(at)) &&
  (!errorsOnly || track.isError(at)) &&
  (stream === undefined || track.stream(at) === stream);

/** The nearest shown statement from `at` on, itself included; undefined where there is none that way. */
export function nearest(track: Track, filter: Filter, at: number, step: 1 | -1): number | undefined {
  for (let here = at; here >= 0 && here < track.length; here += step) if (isShown(track, filter, here)) return here;
  return undefined;
}

/** Time passed while playing. */
export function ticked(state: PlayerState, millis: number, track: Track): PlayerState {
  if (!state.isPlaying || state.isHelpShown || state.prompt) return state;
  let { at } = state;
  let waited = state.waitedMillis + millis * state.speed;
  for (;;) {
    const next = nearest(track, state, at + 1, 1);
    if (next === undefined) {
      // At the end of what there is; a session that runs, or loads, goes on.
      const isOver = track.isWhole;
      return { ...state, at, waitedMillis: 0, isPlaying: !isOver, scrolled: at === state.at ? state.scrolled : 0 };
    }
    const pause = Math.min(track.millis(next) - track.millis(at), idleMillisMax);
    if (pause > waited) break;
    waited -= pause;
    at = next;
  }
  return { ...state, at, waitedMillis: waited, scrolled: at === state.at ? state.scrolled : 0 };
}

/** A key was pressed. */
export function keyed(state: PlayerState, key: Key, track: Track): Turn {
  if (key === 'interrupt') return { state, wish: { quit: true } };
  if (state.prompt) return inPrompt(state, state.prompt, key, track);
  const quiet = { ...state, notice: '' };
  if (quiet.isHelpShown) return { state: { ...quiet, isHelpShown: false } };
  return typeof key === 'string' ? named(quiet, key, track) : typed(quiet, key.typed, track);
}

function named(state: PlayerState, key: Exclude<Key, { typed: string }>, track: Track): Turn {
  switch (key) {
    case 'left':
      return { state: stepped(state, -1, 1, track) };
    case 'right':
      return { state: stepped(state, 1, 1, track) };
    case 'pageUp':
      return { state: stepped(state, -1, 10, track) };
    case 'pageDown':
      return { state: stepped(state, 1, 10, track) };
    case 'home':
      return { state: moved(state, nearest(track, state, 0, 1)) };
    case 'end':
      return { state: moved(state, nearest(track, state, track.length - 1, -1)) };
    case 'up':
      return { state: { ...state, scrolled: Math.max(0, state.scrolled - 1) } };
    case 'down':
      return { state: { ...state, scrolled: state.scrolled + 1 } };
    default:
      return { state };
  }
}

function typed(state: PlayerState, character: string, track: Track): Turn {
  switch (character) {
    case ' ':
      return { state: played(state, track) };
    case 'k':
      return { state: stepped(state, -1, 1, track) };
    case 'j':
      return { state: stepped(state, 1, 1, track) };
    case 'g':
      return named(state, 'home', track);
    case 'G':
      return named(state, 'end', track);
    case '+':
    case '=':
      return { state: { ...state, speed: speeds[Math.min(speeds.length - 1, speedAt(state) + 1)] ?? 1 } };
    case '-':
      return { state: { ...state, speed: speeds[Math.max(0, speedAt(state) - 1)] ?? 1 } };
    case 'w':
      return { state: filtered(state, { writesOnly: !state.writesOnly }, track) };
    case 'e':
      return { state: filtered(state, { errorsOnly: !state.errorsOnly }, track) };
    case 's':
      return { state: filtered(state, { stream: nextStream(state, track) }, track) };
    case 't':
      return { state: { ...state, prompt: { what: 'time', text: '' } } };
    case '#':
      return { state: { ...state, prompt: { what: 'number', text: '' } } };
    case '/':
      return { state: { ...state, prompt: { what: 'search', text: '' } } };
    case 'n':
    case 'N':
      return searched(state, state.lastSearch, character === 'n' ? 1 : -1);
    case '?':
      return { state: { ...state, isHelpShown: true } };
    case 'q':
      return { state, wish: { quit: true } };
    default:
      return { state };
  }
}

const speedAt = ({ speed }: PlayerState): number => speeds.findIndex((one) => one === speed);

/** At the end, play begins again. */
function played(state: PlayerState, track: Track): PlayerState {
  if (state.isPlaying) return { ...state, isPlaying: false };
  const isOver = track.isWhole && nearest(track, state, state.at + 1, 1) === undefined;
  const first = isOver ? (nearest(track, state, 0, 1) ?? 0) : state.at;
  return { ...state, at: first, isPlaying: true, waitedMillis: 0, scrolled: 0 };
}

function stepped(state: PlayerState, step: 1 | -1, times: number, track: Track): PlayerState {
  let at = state.at;
  for (let left = times; left > 0; left--) at = nearest(track, state, at + step, step) ?? at;
  const end = at === state.at ? (step === 1 ? 'this is the last one' : 'this is the first one') : '';
  return { ...moved(state, at), isPlaying: false, notice: end };
}

const moved = (state: PlayerState, at: number | undefined): PlayerState =>
  at === undefined ? state : { ...state, at, waitedMillis: 0, scrolled: 0 };

function nextStream({ stream }: PlayerState, track: Track): number | undefined {
  const at = stream === undefined ? -1 : track.streams.indexOf(stream);
  return track.streams[at + 1];
}

/** A filter that hides the current statement goes to the next one that it shows, or the last before; one that hides all is not set. */
function filtered(state: PlayerState, change: Partial<Filter>, track: Track): PlayerState {
  const wanted = { ...state, ...change };
  const at = nearest(track, wanted, state.at, 1) ?? nearest(track, wanted, state.at, -1);
  if (at === undefined) return { ...state, notice: 'no statement is like that' };
  return at === state.at ? wanted : moved(wanted, at);
}

function inPrompt(
  state: PlayerState,
  { what, text }: NonNullable<PlayerState['prompt']>,
  key: Key,
  track: Track,
): Turn {
  if (typeof key === 'object') return { state: { ...state, prompt: { what, text: (text + key.typed).slice(0, 200) } } };
  if (key === 'escape') return { state: { ...state, prompt: undefined } };
  if (key === 'backspace') return { state: { ...state, prompt: { what, text: [...text].slice(0, -1).join('') } } };
  if (key !== 'enter') return { state };
  const closed = { ...state, prompt: undefined, notice: '' };
  if (what === 'search') return searched(closed, text === '' ? state.lastSearch : text, 1);
  return { state: what === 'time' ? soughtTime(closed, text, track) : soughtNumber(closed, text, track) };
}

function searched(state: PlayerState, search: string, step: 1 | -1): Turn {
  if (search === '') return { state: { ...state, notice: 'nothing to search for: / begins' } };
  const from = state.at + step;
  return {
    state: { ...state, lastSearch: search, isPlaying: false, notice: 'searching …' },
    wish: { search, from, step },
  };
}

/** What the search found. */
export function found(state: PlayerState, at: number | undefined): PlayerState {
  if (at === undefined) return { ...state, notice: `nothing more with “${state.lastSearch}” that way` };
  return { ...moved(state, at), notice: '' };
}

function soughtTime(state: PlayerState, text: string, track: Track): PlayerState {
  const millis = millisOf(text);
  if (millis === undefined) return { ...state, notice: 'a time is like 90, 1:30, 1:30.5 or 1:02:03' };
  return moved(
    state,
    nearest(track, state, firstFrom(track, millis), 1) ?? nearest(track, state, track.length - 1, -1),
  );
}

/** `90`, `1:30`, `1:30.5`, `1:02:03`, each with a + before it. */
export function millisOf(text: string): number | undefined {
  if (!/^\+?\d+(:\d{1,2}){0,2}(\.\d+)?$/.test(text.trim())) return undefined;
  return Math.round(
    text
      .trim()
      .replace('+', '')
      .split(':')
      .reduce((sum, part) => sum * 60 + Number(part), 0) * 1000,
  );
}

/** The first statement at or after a time: by halves, since times never go back. */
function firstFrom(track: Track, millis: number): number {
  let [low, high] = [0, track.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (track.millis(middle) < millis) low = middle + 1;
    else high = middle;
  }
  return low;
}

function soughtNumber(state: PlayerState, text: string, track: Track): PlayerState {
  if (!/^#?\d+$/.test(text.trim()))
    return { ...state, notice: 'a number is like 42: what stands behind # in a replay' };
  const wanted = Number(text.trim().replace('#', ''));
  let best: number | undefined;
  for (let at = 0; at < track.length; at++) {
    if (!isShown(track, state, at) || track.seq(at) < wanted) continue;
    if (best === undefined || track.seq(at) < track.seq(best)) best = at;
    if (track.seq(at) === wanted) break;
  }
  if (best === undefined) return { ...state, notice: `there is no #${wanted} or later` };
  const isIt = track.seq(best) === wanted;
  return { ...moved(state, best), notice: isIt ? '' : `#${wanted} is not shown by itself; this is the next` };
}
