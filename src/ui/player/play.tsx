import { render, useInput, type Key as InkKey } from 'ink';
import type { ReactNode } from 'react';
import type { Session, Statement } from '../../shared/api.ts';
import { density, type DensityCell } from './density.ts';
import { Screen, type ScreenProps } from './screen.tsx';
import { matches } from './search.ts';
import { found, keyed, startState, ticked, type Key, type PlayerState, type Wish } from './state.ts';
import { StatementTrack } from './track.ts';

export interface PlayOptions {
  session: Session;
  statements: AsyncIterable<Statement>;
  /** The verdict, in a word; asked for once the first statement stands. */
  verify: () => Promise<ScreenProps['verified']>;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
}

const tickMillis = 50;
/** While statements come in, the picture is drawn anew this often at most. */
const loadingMillis = 200;
/** Statements searched before keys are looked at again. */
const searchStep = 2048;
const alternateScreen = { enter: '\u001B[?1049h\u001B[H', leave: '\u001B[?1049l' } as const;

/** Plays a session until somebody leaves. Rejects with what reading it ended in. */
export async function play(options: PlayOptions): Promise<void> {
  options.stdout.write(alternateScreen.enter);
  const player = new Player(options);
  try {
    await player.run();
  } finally {
    options.stdout.write(alternateScreen.leave);
  }
}

class Player {
  readonly #options: PlayOptions;
  readonly #track: StatementTrack;
  #state: PlayerState = startState;
  #verified: ScreenProps['verified'] = { word: 'checking …', isGood: undefined };
  #bar: { of: string; cells: DensityCell[] } = { of: '', cells: [] };
  #view: ReturnType<typeof render> | undefined;
  /** Of the search that runs; another key ends it. */
  #searching = 0;
  #isOver = false;
  #leave = (): void => undefined;

  constructor(options: PlayOptions) {
    this.#options = options;
    this.#track = new StatementTrack(options.session);
  }

  async run(): Promise<void> {
    const { stdin, stdout } = this.#options;
    const left = new Promise<void>((resolve) => (this.#leave = resolve));
    this.#view = render(this.#picture(), { stdin, stdout, exitOnCtrlC: false, patchConsole: false, maxFps: 30 });
    const draw = () => this.#draw();
    stdout.on('resize', draw);
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      this.#become(ticked(this.#state, now - last, this.#track));
      last = now;
    }, tickMillis);
    const read = this.#read();
    try {
      await Promise.race([left, read.then(() => left)]);
    } finally {
      this.#isOver = true;
      clearInterval(timer);
      stdout.off('resize', draw);
      this.#view.unmount();
    }
  }

  async #read(): Promise<void> {
    let drawn = 0;
    let verdict: Promise<void> | undefined;
    for await (const statement of this.#options.statements) {
      if (this.#isOver) return;
      this.#track.add(statement);
      if (performance.now() - drawn < loadingMillis) continue;
      drawn = performance.now();
      this.#draw();
      verdict ??= this.#reportVerdict();
    }
    this.#track.isWhole = true;
    this.#draw();
    await (verdict ?? this.#reportVerdict());
  }

  async #reportVerdict(): Promise<void> {
    this.#verified = await this.#options.verify();
    if (!this.#isOver) this.#draw();
  }

  #keys = (keys: Key[]): void => {
    for (const key of keys) {
      this.#searching++;
      const { state, wish } = keyed(this.#state, key, this.#track);
      this.#become(state);
      if (wish) this.#grant(wish);
    }
  };

  #grant(wish: Wish): void {
    if ('quit' in wish) return this.#leave();
    this.#search(wish).catch(() => undefined); // a block that cannot be read again is not found in
  }

  async #search({ search, from, step }: Exclude<Wish, { quit: true }>): Promise<void> {
    const mine = this.#searching;
    const filter = this.#state;
    for (let at = from, looked = 0; at >= 0 && at < this.#track.length; at += step, looked++) {
      if (looked % searchStep === searchStep - 1) await new Promise((resolve) => setImmediate(resolve));
      if (mine !== this.#searching || this.#isOver) return;
      if (matches(this.#track, filter, at, search)) return this.#become(found(this.#state, at));
    }
    this.#become(found(this.#state, undefined));
  }

  #become(state: PlayerState): void {
    const isNew = state !== this.#state;
    const isSeen = isNew && { ...state, waitedMillis: 0 };
    const before = { ...this.#state, waitedMillis: 0 };
    this.#state = state;
    if (isSeen && JSON.stringify(isSeen) !== JSON.stringify(before)) this.#draw();
  }

  #draw(): void {
    if (!this.#isOver) this.#view?.rerender(this.#picture());
  }

  #picture(): ReactNode {
    const { session, stdout } = this.#options;
    const columns = Math.max(20, stdout.columns || 80);
    const rows = Math.max(8, stdout.rows || 24);
    const { writesOnly, errorsOnly, stream } = this.#state;
    const of = [columns, this.#track.length, writesOnly, errorsOnly, stream].join();
    if (this.#bar.of !== of) this.#bar = { of, cells: density(this.#track, this.#state, columns) };
    const props = { session, verified: this.#verified, track: this.#track, state: this.#state, columns, rows };
    return <Keyboard onKeys={this.#keys} screen={{ ...props, bar: this.#bar.cells }} />;
  }
}

interface KeyboardProps {
  onKeys: (keys: Key[]) => void;
  screen: ScreenProps;
}

function Keyboard({ onKeys, screen }: KeyboardProps): ReactNode {
  useInput((input, key) => onKeys(keysOf(input, key)));
  return <Screen {...screen} />;
}

/** What ink says of a key; what was pasted is so many keys. */
export function keysOf(input: string, key: Partial<InkKey>): Key[] {
  if (key.ctrl) return input === 'c' || input === 'd' ? ['interrupt'] : [];
  if (key.leftArrow) return ['left'];
  if (key.rightArrow) return ['right'];
  if (key.upArrow) return ['up'];
  if (key.downArrow) return ['down'];
  if (key.pageUp) return ['pageUp'];
  if (key.pageDown) return ['pageDown'];
  if (key.home) return ['home'];
  if (key.end) return ['end'];
  if (key.return) return ['enter'];
  if (key.escape) return ['escape'];
  if (key.backspace || key.delete) return ['backspace'];
  if (key.tab || key.meta) return [];
  return Array.from(input, (character): Key =>
    character === '\r' || character === '\n' ? 'enter' : { typed: character },
  );
}
