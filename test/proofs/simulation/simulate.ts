import { GatewayLife, type Sabotage } from './gateway-life.ts';
import { Ledger } from './ledger.ts';
import { SimulatedDisk, type DiskNature } from './simulated-disk.ts';
import { World } from './world.ts';

export interface Simulated {
  violation: string | undefined;
  /** The same for the same seed. */
  trace: string;
  forwarded: number;
  powerCuts: number;
  resumed: number;
  checked: number;
}

const sound: DiskNature = { latencyMillis: 4, failure: 0, short: 0, stall: 0 };

/** What the disk of a seed is like. */
function natureOf(world: World): DiskNature {
  const kind = world.below(5);
  const latencyMillis = [0.1, 1, 4, 30][world.below(4)]!;
  if (kind === 0) return { latencyMillis, failure: 0.03, short: 0.02, stall: 0 };
  if (kind === 1) return { latencyMillis, failure: 0, short: 0.1, stall: 0.01 };
  if (kind === 2) return { latencyMillis, failure: 0.002, short: 0.01, stall: 0.002 };
  return { ...sound, latencyMillis };
}

/** A few lives of a gateway, each ended by a power cut or in good order; after each, the record is compared with what happened. */
export async function simulate(
  seed: number,
  { sabotage = {}, lies = false }: { sabotage?: Sabotage; lies?: boolean } = {},
): Promise<Simulated> {
  const world = new World(seed);
  const ledger = new Ledger(world);
  const nature = { ...natureOf(world), ...(lies && { lies }) };
  const disk = new SimulatedDisk(world, nature);
  let powerCuts = 0;
  for (let lives = 1 + world.below(2); lives > 0 && world.violations.length === 0; lives--) {
    disk.nature = nature;
    if (await oneLife(true)) powerCuts++;
    if (world.chance(0.5)) disk.losePower();
    else disk.loseProcess();
  }
  disk.losePower();
  disk.nature = { ...sound, ...(lies && { lies }) };
  await oneLife(false);
  return {
    violation: world.violations[0],
    trace: `${world.millis} ${ledger.forwardedCount} ${[...ledger.sessions.keys()].join(' ')} ${world.random()}`,
    forwarded: ledger.forwardedCount,
    powerCuts,
    resumed: ledger.resumed,
    checked: ledger.checked,
  };

  /** True when the power went. */
  async function oneLife(mayBeCut: boolean): Promise<boolean> {
    let over = false;
    let cut = false;
    disk.cutAfter = mayBeCut && world.chance(0.7) ? 1 + world.below(400) : Infinity;
    disk.onCut = () => {
      world.endLife();
      over = cut = true;
    };
    const life = new GatewayLife({ world, disk, ledger, sabotage });
    const run = async () => {
      const recorder = await life.start();
      const asItIs = disk.nature;
      disk.nature = { ...sound, ...(lies && { lies }) }; // whoever compares must be able to read
      await ledger.compare(recorder);
      disk.nature = asItIs;
      if (mayBeCut) await life.serve(1 + world.below(4));
      await life.served();
      await life.stop();
    };
    run().then(
      () => (over = true),
      (error: Error & { code?: string }) => {
        if (error.code !== 'HOOP_RECORDER' && !/simulation/.test(error.message)) world.violated(String(error.stack));
        over = true;
      },
    );
    if (mayBeCut && world.chance(0.3)) world.after(world.random() * 400, () => disk.onCut());
    if (world.chance(0.2)) world.after(world.random() * 200, () => world.setWallClock());
    await world.run(() => over);
    if (!over && !mayBeCut) world.violated('a gateway on a sound disk does not get on');
    world.endLife();
    return cut;
  }
}
