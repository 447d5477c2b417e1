import { Coverage } from './coverage.ts';
import { mutate } from './mutator.ts';
import { Random } from './random.ts';
import { shrink } from './shrink.ts';
import { Finding, hashOf, written, type Input, type Target } from './target.ts';

export interface FuzzOptions {
  target: Target;
  seeds: Input[];
  seed: number;
  executions: number;
  /** Which scripts' coverage counts, by URL. */
  isOurs: (url: string) => boolean;
  /** Called before each execution: a watcher may note what is being run. */
  onInput: (input: Input) => void;
  onProgress: (progress: Progress) => void;
}

export interface Progress {
  executions: number;
  corpus: number;
  edges: number;
  features: number;
}

/** Coverage is read after so many executions: often while there is much to find, seldom later. */
const batchMin = 64;
const batchMax = 2048;
/** An execution that takes longer is tried again, because the machine may have been busy; the fastest of three tries counts. */
const slowMillis = 250;

/** Tries mutations of what was new before, until it has executed so many, or an input breaks a property: then throws `Finding`. */
export async function fuzz(options: FuzzOptions): Promise<Progress> {
  return new Fuzzer(options).run();
}

class Fuzzer {
  readonly #options: FuzzOptions;
  readonly #coverage: Coverage;
  readonly #random: Random;
  readonly #corpus: Input[] = [];
  readonly #features = new Uint8Array(65_536);
  #featureCount = 0;
  #executions = 0;
  /** Executed since coverage was read, and not kept for their features. */
  #batch: Input[] = [];
  #batchSize = batchMin;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#coverage = new Coverage(options.isOurs);
    this.#random = new Random(options.seed);
  }

  async run(): Promise<Progress> {
    const { seeds, executions, target, onProgress } = this.#options;
    for (const input of seeds) await this.#try(input);
    await this.#readCoverage();
    if (this.#corpus.length === 0) this.#corpus.push(seeds[0] ?? []);
    let nextReport = 0;
    while (this.#executions < executions) {
      // The newest half is picked as often as all: what it found is least explored.
      const newest = this.#random.oneIn(2) ? this.#corpus.length >> 1 : 0;
      const parent = this.#corpus[newest + this.#random.int(this.#corpus.length - newest)]!;
      await this.#try(mutate(target, parent, this.#random.pick(this.#corpus), this.#random));
      if (this.#executions < nextReport) continue;
      nextReport = this.#executions + 20_000;
      onProgress(this.#progress());
    }
    return this.#progress();
  }

  #progress(): Progress {
    const { edges } = this.#coverage;
    return { executions: this.#executions, corpus: this.#corpus.length, edges, features: this.#featureCount };
  }

  async #try(input: Input): Promise<void> {
    const features = await this.#execute(input);
    let isNew = false;
    for (const feature of features) {
      if (this.#features[feature] === 1) continue;
      this.#features[feature] = 1;
      this.#featureCount++;
      isNew = true;
    }
    if (isNew) this.#corpus.push(input);
    else this.#batch.push(input);
    if (this.#batch.length >= this.#batchSize) await this.#readCoverage();
  }

  /** Finds the inputs of the batch that ran something new: halves of it are executed again until one is left. */
  async #readCoverage(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    if (!this.#coverage.look(false)) {
      this.#batchSize = Math.min(batchMax, this.#batchSize * 2);
      return;
    }
    this.#batchSize = batchMin;
    await this.#keepNew(batch);
    // What only inputs that were kept for their features ran is known now, too.
    for (const input of this.#corpus.slice(-batchMin)) await this.#execute(input);
    this.#coverage.look(true);
  }

  async #keepNew(inputs: Input[]): Promise<void> {
    if (inputs.length === 0) return;
    this.#coverage.look(false);
    for (const input of inputs) await this.#execute(input);
    if (inputs.length === 1) {
      if (this.#coverage.look(true)) this.#corpus.push(inputs[0]!);
      return;
    }
    if (!this.#coverage.look(false)) return;
    const middle = inputs.length >> 1;
    await this.#keepNew(inputs.slice(0, middle));
    await this.#keepNew(inputs.slice(middle));
  }

  async #execute(input: Input): Promise<readonly number[]> {
    const { onInput, target } = this.#options;
    this.#executions++;
    onInput(input);
    const start = performance.now();
    try {
      const features = await target.execute(input, new Random(hashOf(input)));
      if (performance.now() - start > slowMillis) await this.#checkSlow(input);
      return features;
    } catch (error) {
      throw await this.#finding(input, error);
    }
  }

  async #checkSlow(input: Input): Promise<void> {
    const times: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const start = performance.now();
      await this.#options.target.execute(input, new Random(hashOf(input)));
      times.push(performance.now() - start);
    }
    if (Math.min(...times) > slowMillis) throw new Finding(`takes ${Math.round(Math.min(...times))} ms`);
  }

  /** What went wrong, with the smallest input that still does it. */
  async #finding(input: Input, error: unknown): Promise<Finding> {
    const { target, seed } = this.#options;
    const isOurs = error instanceof Finding;
    const fails = async (candidate: Input): Promise<boolean> => {
      try {
        await target.execute(candidate, new Random(hashOf(candidate)));
        return false;
      } catch (other) {
        return other instanceof Finding === isOurs;
      }
    };
    const smallest = await shrink(input, fails);
    const what = isOurs ? error.message : error instanceof Error ? error.stack : String(error);
    return new Finding(`${target.name}, seed ${seed}, execution ${this.#executions}: ${what}\n${written(smallest)}`);
  }
}
