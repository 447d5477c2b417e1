import { countCarried } from './heap.ts';

/** What libuv asks for at a time where nobody says otherwise. */
const bufferBytes = 64 * 1024;

/** Into which every socket reads that has little to read: what came is copied out before anything else happens. */
const shared = Buffer.allocUnsafeSlow(bufferBytes);

/**
 * The `onread` of a socket that is dialled (Node has it for no others): small pieces cost neither a buffer of 64 KiB each nor the way
 * through Node's stream. While much comes the socket has a buffer of its own, which is handed on as it is.
 */
export class ReadBuffer {
  /** Gets what was read, its own from there on; false stops the socket until it is resumed. */
  take: ((bytes: Uint8Array) => boolean) | undefined;
  #next = shared;

  readonly onread = {
    buffer: () => this.#next,
    callback: (count: number, buffer: Uint8Array): boolean => {
      const isMuch = count * 2 >= buffer.length;
      const isHandedOn = isMuch && buffer !== shared;
      if (isMuch) countCarried(bufferBytes);
      this.#next = isMuch ? Buffer.allocUnsafeSlow(bufferBytes) : shared;
      return this.take!(isHandedOn ? buffer.subarray(0, count) : Buffer.from(buffer.subarray(0, count)));
    },
  };
}
