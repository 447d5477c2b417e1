import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeMachine } from './machine.ts';

/**
 * Keeps what a benchmark found beside the commit and the machine that it holds for. Each call writes all that was found so far, so that
 * what ends early leaves that.
 */
export class Results {
  readonly #benchmark: string;
  readonly #at = new Date().toISOString();
  readonly #machine = describeMachine();

  constructor(benchmark: string) {
    this.#benchmark = benchmark;
  }

  keep(found: Record<string, unknown>): void {
    mkdirSync(new URL('.', this.#file), { recursive: true });
    const all = { benchmark: this.#benchmark, at: this.#at, machine: this.#machine, ...found };
    writeFileSync(this.#file, `${JSON.stringify(all, undefined, 2)}\n`);
  }

  /** Says where they are. */
  show(): void {
    const { processors, kernel, node } = this.#machine;
    console.log(`\n${processors}, ${kernel}, node ${node}; kept in ${fileURLToPath(this.#file)}`);
  }

  get #file(): URL {
    const name = `${this.#benchmark}-${this.#at.slice(0, 16).replace(':', '')}-${this.#machine.commit}.json`;
    return new URL(`./results/${name}`, import.meta.url);
  }
}

/** The same for what was found at once. */
export function keepResults(benchmark: string, found: Record<string, unknown>): void {
  const results = new Results(benchmark);
  results.keep(found);
  results.show();
}
