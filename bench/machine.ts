/** What the operating system knows of costs: processor time by process, of everybody, and the disk. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
  writeFileSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  processors: string;
  node: string;
  kernel: string;
  commit: string;
}

export function describeMachine(): Machine {
  const [first] = cpus();
  return {
    processors: `${cpus().length} × ${first?.model.trim()}`,
    node: process.version,
    kernel: execFileSync('uname', ['-sr']).toString().trim(),
    commit: execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=10']).toString().trim(),
  };
}

/** Microseconds that all threads of a process have run so far. */
export function processorMicros(pid: number): number {
  let nanos = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return nanos / 1000;
}

/** Ticks (1/100 s) that the machine was busy so far. */
export function busyTicks(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return user! + nice! + system! + irq! + softirq! + steal!;
}

/** Ticks that this process and all its descendants have used, ended ones included. */
export function ownTicks(): number {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(statOf)
    .filter((stat) => stat !== undefined);
  const own = new Set([process.pid]);
  // A child may have a smaller number than its parent: until no more are found.
  for (let before = 0; before < own.size;) {
    before = own.size;
    for (const { pid, parent } of processes) if (own.has(parent)) own.add(pid);
  }
  return processes.filter(({ pid }) => own.has(pid)).reduce((sum, { ticks }) => sum + ticks, 0);
}

function statOf(name: string): { pid: number; parent: number; ticks: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return {
      pid: Number(name),
      parent: Number(fields[1]),
      ticks: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0),
    };
  } catch {
    return undefined; // it has ended meanwhile
  }
}

/** Resident memory of a process in MiB: now, and the most it ever was. */
export function residentMib(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

/** From here on the most that it ever was is what it is now: a sign-in takes 32 MiB for its password, and is over. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Median milliseconds of one fdatasync after a small append to a preallocated file, where temporary files lie. */
export function fdatasyncMillis(): number {
  const file = join(tmpdir(), `hoop-bench-sync-${process.pid}`);
  const descriptor = openSync(file, 'w');
  try {
    ftruncateSync(descriptor, 1 << 20);
    writeSync(descriptor, Buffer.alloc(1 << 20));
    fdatasyncSync(descriptor);
    const times = Array.from({ length: 101 }, (_, index) => {
      const started = performance.now();
      writeSync(descriptor, Buffer.alloc(280), 0, 280, index * 280);
      fdatasyncSync(descriptor);
      return performance.now() - started;
    });
    return median(times);
  } finally {
    closeSync(descriptor);
    rmSync(file);
  }
}

/** Waits until the machine has been idle for more than 88 % of half a second; gives up after a minute and says so. */
export async function untilIdle(): Promise<void> {
  const perSample = (cpus().length * 50 * 12) / 100;
  for (let attempt = 0; attempt < 120; attempt++) {
    const before = busyTicks();
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (busyTicks() - before <= perSample) return;
  }
  console.log('the machine did not become idle within a minute: what follows is disturbed');
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}
