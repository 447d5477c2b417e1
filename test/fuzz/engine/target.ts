import type { Random } from './random.ts';

/** Bytes of one side of a conversation, or (as a target likes) an act that takes no bytes. */
export interface Turn {
  side: number;
  bytes: Uint8Array;
}

/** What is tried: a conversation. */
export type Input = readonly Turn[];

/** What is fuzzed. One file each in `targets/`; `targets/index.ts` lists them. */
export interface Target {
  name: string;
  /** Sides are numbered from 0. */
  sides: number;
  /** Whole messages of each side, to build with. */
  dictionary: readonly (readonly Uint8Array[])[];
  /** Cuts a turn's bytes into messages; what is none comes last, as it is. */
  messages(side: number, bytes: Uint8Array): Uint8Array[];
  /** The message with its length field put right, where the protocol has one. */
  reframe(side: number, message: Uint8Array): Uint8Array;
  /**
   * Runs one input and checks every property of it; throws `Finding` where one does not hold. `random` depends on the input alone.
   * Returns what was special about the run as numbers below 2^16: inputs that show a new one are kept.
   */
  execute(input: Input, random: Random): readonly number[] | Promise<readonly number[]>;
}

/** A property that an input breaks. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** FNV-1a over all of it. */
export function hashOf(input: Input): number {
  let hash = 0x811c9dc5;
  for (const { side, bytes } of input) {
    hash = Math.imul(hash ^ (side + 1), 0x01000193);
    // A loop over indexes: it runs for every byte of every execution.
    for (let index = 0; index < bytes.length; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  }
  return hash;
}

/** As text, one turn a line: `side hex`. A file of it is a fixture. */
export const written = (input: Input): string =>
  input.map(({ side, bytes }) => `${side} ${Buffer.from(bytes).toString('hex')}\n`).join('');

export const readInput = (text: string): Input =>
  text
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => {
      const [side, hex] = line.split(' ');
      return { side: Number(side), bytes: Buffer.from(hex ?? '', 'hex') };
    });
