import type { Step } from '../protocol/protocol.ts';
import { limits } from '../shared/limits.ts';

/**
 * What came of the pieces of one direction, in order: in the record, and not yet forwarded. While the disk is at work for the first of
 * them the next ones are recorded, so that they wait for one fsync together.
 */
export class RecordedSteps {
  /** Each with the bytes of the piece that it came of. Made when first something waits: most answers wait for nothing. */
  #steps: [Step, number][] | undefined;
  #bytesTotal = 0;

  get isEmpty(): boolean {
    return this.#steps === undefined || this.#steps.length === 0;
  }

  get hasRoom(): boolean {
    return (
      this.#steps === undefined ||
      (this.#bytesTotal < limits.aheadBytesMax && this.#steps.length < limits.aheadPiecesMax)
    );
  }

  add(step: Step, bytes: number): void {
    (this.#steps ??= []).push([step, bytes]);
    this.#bytesTotal += bytes;
  }

  /** The first: they become durable in the order in which they were recorded. */
  take(): Step {
    const [step, bytes] = this.#steps!.shift()!;
    this.#bytesTotal -= bytes;
    return step;
  }
}
