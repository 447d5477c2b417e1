/** A small random generator with a seed (Tommy Ettinger's mulberry32, public domain): numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The run's seed: always the same in `npm test`, so that a failure there is of the change; `npm run prove` draws a new one. */
export const proofSeed = (): number => Number(process.env.HOOP_PROVE_SEED ?? 1);
