// `npm run prove -- <name> [vitest arguments]`: a proof at its full size. `npm test` runs the same file at a small one.
import { spawnSync } from 'node:child_process';
import { root } from './set-up.mjs';

/** Name → the file, and what makes it run at full size. Variables that are set already win. */
const proofs = {
  differential: { file: 'test/proofs/differential.test.ts', environment: { HOOP_PROVE_SCRIPTS: '50000' } },
  killed: { file: 'test/proofs/killed.test.ts', environment: { HOOP_PROVE_KILLS: '2000' } },
  simulation: { file: 'test/proofs/simulation.test.ts', environment: { HOOP_PROVE_SEEDS: '10000' } },
  'power-loss': { file: 'test/proofs/power-loss.test.ts', environment: { HOOP_PROVE_STATES: '5000' } },
  'failing-disk': {
    file: 'test/proofs/failing-disk.test.ts',
    environment: { HOOP_PROVE_FILESYSTEMS: 'ext4,xfs,btrfs' },
  },
  'bit-rot': { file: 'test/proofs/bit-rot.test.ts', environment: { HOOP_PROVE_STATES: '2000' } },
  rollover: { file: 'test/proofs/rollover.test.ts', environment: { HOOP_PROVE_STATES: '100000' } },
  tamper: {
    file: 'test/recording/tamper.test.ts',
    environment: { HOOP_PROVE_STRIDE: '1', HOOP_PROVE_MUTANTS: '1000000' },
  },
  coverage: { file: 'test/proofs/coverage.test.ts', environment: {} },
  fuzz: { file: 'test/fuzz/fuzz.test.ts', environment: { HOOP_PROVE_EXECUTIONS: '20000000' } },
  'redis-monitor': { file: 'test/proofs/redis-monitor.test.ts', environment: { HOOP_PROVE_RUNS: '100' } },
  drivers: { file: 'test/drivers/drivers.test.ts', environment: { HOOP_PROVE_DRIVER_ROUNDS: '10' } },
};

const [name, ...rest] = process.argv.slice(2);
const proof = Object.hasOwn(proofs, name ?? '') ? proofs[name] : undefined;
if (!proof) {
  process.stderr.write(`usage: npm run prove -- ${Object.keys(proofs).join(' | ')}\n`);
  process.exit(2);
}
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', proof.file, ...rest], {
  cwd: root,
  stdio: 'inherit',
  env: { HOOP_PROVE_SEED: String(Date.now() % 1_000_000_000), ...proof.environment, ...process.env },
});
process.exit(status ?? 1);
