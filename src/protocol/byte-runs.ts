/** Up to here several runs leave as one buffer: a copy costs less than what each buffer costs on its way. */
const joinedBytesMax = 16 * 1024;

/**
 * Gathers pieces of memory, in order, and hands them over with few buffers: pieces that lie one behind the other in the same memory are
 * one without a copy, and a few small ones are put together.
 */
export class ByteRuns {
  /** Runs before the one that still grows. */
  #done: Uint8Array[] | undefined;
  /** The one that grows: from the memory of these bytes, perhaps past their end. */
  #bytes: Uint8Array | undefined;
  #start = 0;
  #end = 0;

  add(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (bytes === this.#bytes && start === this.#end) this.#end = end;
    else this.#addOther(bytes, start, end);
  }

  get isEmpty(): boolean {
    return this.#bytes === undefined;
  }

  /** All that was added; then it is empty. */
  take(): Uint8Array[] {
    if (this.#bytes === undefined) return [];
    const last = this.#run();
    this.#bytes = undefined;
    const runs = this.#done;
    if (runs === undefined) return [last];
    this.#done = undefined;
    runs.push(last);
    return joined(runs);
  }

  #addOther(bytes: Uint8Array, start: number, end: number): void {
    if (this.#bytes !== undefined) {
      const place = bytes.byteOffset + start - this.#bytes.byteOffset;
      if (place === this.#end && bytes.buffer === this.#bytes.buffer) {
        this.#end = place + end - start;
        return;
      }
      this.#done ??= [];
      this.#done.push(this.#run());
    }
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  #run(): Uint8Array {
    const bytes = this.#bytes!;
    if (this.#start === 0 && this.#end === bytes.length) return bytes;
    return new Uint8Array(bytes.buffer, bytes.byteOffset + this.#start, this.#end - this.#start);
  }
}

function joined(runs: Uint8Array[]): Uint8Array[] {
  let total = 0;
  for (const run of runs) total += run.length;
  if (total > joinedBytesMax) return runs;
  const whole = Buffer.allocUnsafe(total);
  let at = 0;
  for (const run of runs) {
    whole.set(run, at);
    at += run.length;
  }
  return [whole];
}
