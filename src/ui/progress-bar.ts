import { cutToWidth } from './display-width.ts';
import { count } from './print.ts';

const cells = 24;
const redrawMillis = 100;

/** One line at the bottom of a terminal, for long work; nothing where the stream is none. */
export class ProgressBar {
  readonly #stream: NodeJS.WriteStream;
  readonly #total: number;
  readonly #what: string;
  #drawnAt = 0;
  #isDrawn = false;

  constructor(stream: NodeJS.WriteStream, total: number, what: string) {
    this.#stream = stream;
    this.#total = total;
    this.#what = what;
  }

  update(done: number, note = ''): void {
    const now = performance.now();
    if (!this.#stream.isTTY || now - this.#drawnAt < redrawMillis) return;
    this.#drawnAt = now;
    this.#isDrawn = true;
    this.#stream.write(`\r\u001B[K${cutToWidth(this.#line(done, note), (this.#stream.columns || 80) - 1)}`);
  }

  /** Makes room for other lines. */
  clear(): void {
    if (this.#isDrawn) this.#stream.write('\r\u001B[K');
    this.#isDrawn = false;
  }

  #line(done: number, note: string): string {
    const full = Math.round((cells * Math.min(done, this.#total)) / Math.max(1, this.#total));
    const bar = `[${'#'.repeat(full)}${'-'.repeat(cells - full)}]`;
    return `${bar} ${done.toLocaleString('en-US')} of ${count(this.#total, this.#what)}${note}`;
  }
}
