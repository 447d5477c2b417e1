import { beforeAll, describe, expect, it } from 'vitest';
import { postgres } from '../../src/protocol/postgres/index.ts';
import { proofSeed } from './random.ts';
import { simulate, type Simulated } from './simulation/simulate.ts';

const seeds = Number(process.env.HOOP_PROVE_SEEDS ?? 500);
const first = proofSeed();

describe('recorder, journal and relay in a simulated world', () => {
  beforeAll(async () => {
    await postgres.load?.();
  });

  it(
    `holds invariants 1 to 4 whatever time, disk and network do (${seeds} seeds from ${first}; HOOP_PROVE_SEED repeats one)`,
    async () => {
      const sums = { forwarded: 0, powerCuts: 0, resumed: 0, checked: 0 };
      for (let seed = first; seed < first + seeds; seed++) {
        const course = await simulate(seed);
        expect(course.violation, `HOOP_PROVE_SEED=${seed} HOOP_PROVE_SEEDS=1`).toBeUndefined();
        for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += course[name];
      }
      console.log(`simulation: ${JSON.stringify(sums)}`);
      if (seeds < 100) return;
      // It was no quiet world.
      expect(sums.forwarded).toBeGreaterThan(seeds * 5);
      expect(sums.powerCuts).toBeGreaterThan(seeds / 4);
      expect(sums.resumed).toBeGreaterThan(seeds / 50);
    },
    60 * 60_000,
  );

  it('is the same again for the same seed', async () => {
    for (const seed of [first, first + 1, first + 2]) {
      expect(await simulate(seed)).toEqual(await simulate(seed));
    }
  });

  const found = async (how: Parameters<typeof simulate>[1]): Promise<string[]> => {
    const courses: Simulated[] = [];
    for (let seed = 1; seed <= 10; seed++) courses.push(await simulate(seed, how));
    return courses.flatMap(({ violation }) => violation ?? []);
  };

  it('would notice a disk that says it has written and has not', async () => {
    expect((await found({ lies: true })).join('\n')).toMatch(/is forwarded and is not durable/);
  });

  it('would notice a relay that does not wait for the disk', async () => {
    const impatient = { durable: () => Promise.resolve() };
    expect((await found({ sabotage: impatient })).join('\n')).toMatch(/is forwarded and is not durable/);
  });
});
