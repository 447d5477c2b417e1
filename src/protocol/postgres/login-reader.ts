import type { Duplex } from '../../shared/duplex.ts';
import { ProtocolError } from '../../shared/errors.ts';
import { headerBytes } from './messages.ts';

export interface LoginMessage {
  type: number;
  body: Uint8Array;
  /** Header and body. */
  whole: Uint8Array;
}

/** Reads a login's messages from a stream, bounded; what comes behind the login stays in `leftover`. */
export class LoginReader {
  readonly #duplex: Duplex;
  #buffer: Uint8Array = new Uint8Array(0);
  #total = 0;
  readonly #totalMax: number;

  constructor(duplex: Duplex, totalMax: number) {
    this.#duplex = duplex;
    this.#totalMax = totalMax;
  }

  get leftover(): Uint8Array {
    return this.#buffer;
  }

  /** Exactly so many bytes, or null when the other side ended before the first of them. Throws ProtocolError inside. */
  async bytes(count: number): Promise<Uint8Array | null> {
    while (this.#buffer.length < count) {
      const chunk = await this.#duplex.read();
      if (chunk === null) {
        if (this.#buffer.length === 0) return null;
        throw new ProtocolError('truncated', 'the connection ended inside the login');
      }
      this.#total += chunk.length;
      if (this.#total > this.#totalMax)
        throw new ProtocolError('login-too-long', `more than ${this.#totalMax} bytes of login`);
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    }
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  /** At least one byte, without taking it; null at the end. */
  async peek(): Promise<number | null> {
    const first = await this.bytes(1);
    if (!first) return null;
    this.#buffer = Buffer.concat([first, this.#buffer]);
    return first[0]!;
  }

  /** One typed message; null at the end. Another type than the expected one is an error before its body is waited for. */
  async message(bytesMax: number, expected?: number): Promise<LoginMessage | null> {
    const header = await this.bytes(headerBytes);
    if (!header) return null;
    if (expected !== undefined && header[0] !== expected)
      throw new ProtocolError('unknown-message', 'another message than the login needs now');
    const length = Buffer.from(header.buffer, header.byteOffset, header.length).readUInt32BE(1);
    if (length < 4 || length > bytesMax) throw new ProtocolError('bad-length', `a login message of length ${length}`);
    const body = length === 4 ? new Uint8Array(0) : await this.bytes(length - 4);
    if (!body) throw new ProtocolError('truncated', 'the connection ended inside the login');
    return { type: header[0]!, body, whole: Buffer.concat([header, body]) };
  }
}
