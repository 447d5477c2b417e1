import { Session, type Profiler } from 'node:inspector';

/** One script: which of its characters ran, and where its functions and branches begin. */
interface Script {
  ran: Uint8Array;
  starts: Set<number>;
}

/**
 * Which branches ran, as V8 counts them: block coverage, taken through the inspector. Reading it takes milliseconds, so it is read for
 * many executions at once.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #scripts = new Map<string, Script>();
  readonly #isOurs: (url: string) => boolean;

  constructor(isOurs: (url: string) => boolean) {
    this.#isOurs = isOurs;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    this.#taken(); // what loading ran is no news
  }

  /** Functions and branches that ran. */
  get edges(): number {
    let count = 0;
    for (const { ran, starts } of this.#scripts.values()) for (const start of starts) count += ran[start] ?? 0;
    return count;
  }

  /** Did anything run since the last look that never ran in what was kept? `keep` makes it known. */
  look(keep: boolean): boolean {
    let isNew = false;
    for (const { url, functions } of this.#taken()) {
      if (!this.#isOurs(url)) continue;
      const script = this.#scriptOf(url, functions);
      // Outer ranges come before those inside them: the innermost says whether a character ran.
      const now = new Uint8Array(script.ran.length);
      for (const { ranges } of functions)
        for (const { startOffset, endOffset, count } of ranges) {
          script.starts.add(startOffset);
          now.fill(count > 0 ? 1 : 0, startOffset, endOffset);
        }
      for (let at = 0; at < now.length; at++) {
        if (now[at] === 0 || script.ran[at] === 1) continue;
        isNew = true;
        if (keep) script.ran[at] = 1;
      }
    }
    return isNew;
  }

  #scriptOf(url: string, functions: Profiler.FunctionCoverage[]): Script {
    const size = Math.max(...functions.flatMap(({ ranges }) => ranges.map(({ endOffset }) => endOffset)));
    const known = this.#scripts.get(url);
    if (known && known.ran.length >= size) return known;
    const ran = new Uint8Array(size);
    if (known) ran.set(known.ran);
    const script = { ran, starts: known?.starts ?? new Set<number>() };
    this.#scripts.set(url, script);
    return script;
  }

  /** Counts since the last call; they begin anew. With a session of one's own thread the answer is there when `post` returns. */
  #taken(): Profiler.ScriptCoverage[] {
    let taken: Profiler.ScriptCoverage[] | undefined;
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      taken = answer.result;
    });
    if (!taken) throw new Error('V8 gave no coverage');
    return taken;
  }
}
