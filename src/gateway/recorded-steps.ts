import type { Step } from '../protocol/protocol.ts';

/** Enough for one fsync to carry much, and little beside a stream's window. */
const bytesMax = 512 * 1024;
/** However small the pieces are. */
const stepsMax = 32;

/**
 * What came of the pieces of one direction, in order: in the record, and not yet forwarded. While the disk is at work for the first of
 * them the next ones are recorded, so that they wait for one fsync together.
 */
export class RecordedSteps {
  /** Each with the bytes of the piece that it came of. Made when first something waits: most answers wait for nothing. */
  #steps: [Step, number][] | undefined;
  #bytesTotal = 0;
  /** So many of them, the first ones, are durable. */
  #durable = 0;

  get isEmpty(): boolean {
    return this.#steps === undefined || this.#steps.length === 0;
  }

  get hasRoom(): boolean {
    return this.#steps === undefined || (this.#bytesTotal < bytesMax && this.#steps.length < stepsMax);
  }

  add(step: Step, bytes: number): void {
    (this.#steps ??= []).push([step, bytes]);
    this.#bytesTotal += bytes;
  }

  /** One more is durable: they become so in the order in which they were recorded. */
  becameDurable(): void {
    this.#durable++;
  }

  /** The next that may be forwarded. */
  take(): Step | undefined {
    if (this.#durable === 0) return undefined;
    this.#durable--;
    const [step, bytes] = this.#steps!.shift()!;
    this.#bytesTotal -= bytes;
    return step;
  }
}
