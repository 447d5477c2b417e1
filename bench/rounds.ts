import { cpus } from 'node:os';
import {
  busyTicks,
  fdatasyncMillis,
  forgetPeak,
  median,
  ownTicks,
  processorMicros,
  residentMib,
  untilIdle,
} from './machine.ts';
import type { Target } from './targets.ts';

/** What one target did in one round. */
export interface Sample {
  /** The more the better: statements, transactions or bytes each second; or the less the better: milliseconds. */
  value: number;
  /** Statements each second once all clients are connected, where the cost of one is wanted. */
  perSecond?: number;
}

export interface Cell {
  name: string;
  unit: 'tps' | 'MB/s' | 'ms';
  /** Runs one round against a target; `seconds` is how long a round of load lasts. */
  play: (target: Target, seconds: number) => Promise<Sample>;
}

export interface Row {
  target: string;
  /** Medians of all rounds. */
  value: number;
  /** Against `direct` in the same round: median, least, most. For milliseconds: the difference. */
  ratio: [number, number, number];
  /** Microseconds of processor time for each statement, by process. */
  micros: Record<string, number>;
  /** Resident memory while it ran, at most, by process. */
  mib: Record<string, number>;
}

export interface CellResult {
  cell: string;
  unit: string;
  fdatasyncMillis: number;
  disturbedRounds: number;
  rows: Row[];
}

const seconds = Number(process.env['HOOP_BENCH_SECONDS'] ?? 3);
const rounds = Number(process.env['HOOP_BENCH_ROUNDS'] ?? 5);
/** Part of the machine that others may use during a round; one that they disturb more is played again, at most so often. */
const foreignMax = 0.06;
const repeatsMax = process.env['HOOP_BENCH_WAIT'] === '0' ? 0 : 3;

interface Played extends Sample {
  micros: Record<string, number>;
  mib: Record<string, number>;
}

/**
 * Plays a cell against all targets in interleaved rounds: each warmed first, the order reversed in odd rounds, ratios within a round
 * only. The first target is what the others are compared with.
 */
export async function playCell(cell: Cell, targets: readonly Target[]): Promise<CellResult> {
  for (const target of targets) await cell.play(target, Math.min(2, seconds));
  const played = new Map<string, Played[]>(targets.map(({ name }) => [name, []]));
  let disturbedRounds = 0;
  for (let round = 0; round < rounds; round++) {
    for (let repeat = 0; ; repeat++) {
      const { samples, foreign } = await playRound(cell, round % 2 ? targets.toReversed() : targets);
      const isDisturbed = foreign > foreignMax;
      if (isDisturbed && repeat < repeatsMax) continue;
      if (isDisturbed) disturbedRounds++;
      for (const [name, sample] of samples) played.get(name)!.push(sample);
      break;
    }
  }
  const base = played.get(targets[0]!.name)!;
  return {
    cell: cell.name,
    unit: cell.unit,
    fdatasyncMillis: fdatasyncMillis(),
    disturbedRounds,
    rows: targets.map(({ name }) => rowOf(name, played.get(name)!, base, cell.unit)),
  };
}

async function playRound(cell: Cell, targets: readonly Target[]) {
  if (repeatsMax > 0) await untilIdle();
  const before = { busy: busyTicks(), own: ownTicks(), at: performance.now() };
  const samples: [string, Played][] = [];
  for (const target of targets) samples.push([target.name, await playOnce(cell, target)]);
  const all = ((performance.now() - before.at) / 10) * cpus().length;
  const foreign = busyTicks() - before.busy - (ownTicks() - before.own);
  return { samples, foreign: foreign / all };
}

async function playOnce(cell: Cell, target: Target): Promise<Played> {
  const processes = Object.entries(target.processes);
  for (const [, pid] of processes) forgetPeak(pid);
  const costs = costsUnderLoad(target);
  const sample = await cell.play(target, seconds);
  const perSecond = sample.perSecond ?? Number.NaN;
  const micros = (await costs).map(([role, rate]): [string, number] => [role, rate / perSecond]);
  const mib = processes.map(([role, pid]): [string, number] => [role, residentMib(pid).peak]);
  return { ...sample, micros: Object.fromEntries(micros), mib: Object.fromEntries(mib) };
}

/** Connecting is another matter, and has its own cell: what processes cost is looked at when it is over. */
const connectedSeconds = 1.5;

/** Microseconds of processor time for each second of load, by process. */
async function costsUnderLoad({ processes }: Target): Promise<[string, number][]> {
  const pids = Object.entries(processes);
  await pause(Math.min(connectedSeconds, seconds / 2));
  const before = { at: performance.now(), micros: pids.map(([, pid]) => processorMicros(pid)) };
  await pause(Math.max(seconds - connectedSeconds, seconds / 2) - 0.1);
  const passed = (performance.now() - before.at) / 1000;
  return pids.map(([role, pid], index) => [role, (processorMicros(pid) - before.micros[index]!) / passed]);
}

const pause = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time * 1000));

function rowOf(target: string, played: readonly Played[], base: readonly Played[], unit: string): Row {
  const compared = played
    .map(({ value }, round) => (unit === 'ms' ? value - base[round]!.value : value / base[round]!.value))
    .toSorted((a, b) => a - b);
  const roles = Object.keys(played[0]?.micros ?? {});
  return {
    target,
    value: median(played.map(({ value }) => value)),
    ratio: [median(compared), compared[0]!, compared.at(-1)!],
    micros: Object.fromEntries(roles.map((role) => [role, median(played.map(({ micros }) => micros[role]!))])),
    mib: Object.fromEntries(roles.map((role) => [role, Math.max(...played.map(({ mib }) => mib[role]!))])),
  };
}

export function showCell(result: CellResult): void {
  const isTime = result.unit === 'ms';
  console.log(
    `\n${result.cell} (${result.unit}; one fdatasync here ${result.fdatasyncMillis.toFixed(2)} ms` +
      `${result.disturbedRounds ? `; ${result.disturbedRounds} rounds disturbed by others` : ''})`,
  );
  for (const { target, value, ratio, micros, mib } of result.rows) {
    const costs = Object.entries(micros).filter(([, cost]) => !Number.isNaN(cost));
    const shown = isTime ? value.toFixed(3) : value.toFixed(value < 100 ? 1 : 0);
    const [middle, least, most] = ratio.map((part) => part.toFixed(isTime ? 3 : 2));
    console.log(
      `  ${target.padEnd(16)} ${shown.padStart(9)}  ${isTime ? '+' : '×'} ${middle} [${least}–${most}]` +
        (costs.length ? `  µs each: ${costs.map(([role, cost]) => `${role} ${cost.toFixed(1)}`).join(', ')}` : '') +
        (result.unit === 'MB/s' ? `  MiB at most: ${shownMib(mib)}` : ''),
    );
  }
}

const shownMib = (mib: Record<string, number>): string =>
  Object.entries(mib)
    .map(([role, most]) => `${role} ${most.toFixed(0)}`)
    .join(', ') || 'not looked at';
