/**
 * Views of one buffer from one place on, each made once for its length: where many small things are made in the same memory, a new view
 * for each would cost as much as the thing.
 */
export class ViewsByLength {
  readonly #buffer: Buffer;
  readonly #from: number;
  readonly #views: (Buffer | undefined)[];

  constructor(buffer: Buffer, from: number) {
    this.#buffer = buffer;
    this.#from = from;
    this.#views = Array.from({ length: buffer.length - from + 1 }, () => undefined);
  }

  ofLength(length: number): Buffer {
    const known = this.#views[length];
    if (known) return known;
    const view = this.#buffer.subarray(this.#from, this.#from + length);
    this.#views[length] = view;
    return view;
  }
}
