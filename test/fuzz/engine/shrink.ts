import type { Input } from './target.ts';

/** Leaves out turns, then pieces of turns, as long as the input still fails: what remains becomes a fixture. */
export async function shrink(input: Input, fails: (candidate: Input) => Promise<boolean>): Promise<Input> {
  if (!(await fails(input))) return input;
  let smallest = input;
  const tryInstead = async (candidate: Input): Promise<boolean> => {
    if (!(await fails(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (let at = smallest.length - 1; at >= 0; at--) await tryInstead(smallest.toSpliced(at, 1));
  for (let at = smallest.length - 1; at >= 0; at--) {
    for (let size = smallest[at]!.bytes.length >> 1; size > 0; size >>= 1) {
      for (let from = 0; from + size <= smallest[at]!.bytes.length;) {
        const { side, bytes } = smallest[at]!;
        const shorter = Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + size)]);
        if (!(await tryInstead(smallest.with(at, { side, bytes: shorter })))) from += size;
      }
    }
  }
  return smallest;
}
