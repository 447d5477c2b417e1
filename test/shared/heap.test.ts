import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { compile } from '../support/compiled.ts';

/** Leaves enough alive, again and again, for V8 to want a larger young space; says in MiB how large it is then. */
const burst = `
  const { getHeapSpaceStatistics } = await import('node:v8');
  let alive = [];
  for (let made = 0; made < 3_000_000; made++) {
    const one = { made, list: [made] };
    if (made % 10 === 0) alive.push(one);
    if (made % 1_000_000 === 0) alive = [];
  }
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  process.stdout.write(String(young.physical_space_size / 1024 / 1024));`;

it('keeps the young space as it is when a burst would let it grow', () => {
  const compiled = compile(['src/shared']);
  const after = (first: string) =>
    Number(execFileSync(process.execPath, ['--input-type=module', '-e', `${first}${burst}`], { encoding: 'utf8' }));
  const keep = `(await import('${compiled.url}src/shared/young-space.js')).keepYoungSpaceSmall();`;
  const [small, usual] = [after(keep), after('')];
  compiled.remove();
  expect(small).toBeLessThanOrEqual(4);
  expect(usual).toBeGreaterThan(2 * small);
});
