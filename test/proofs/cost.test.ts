import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/demo/postgres.ts';
import { Deployment } from '../support/deployment.ts';
import { at } from '../support/load.ts';
import { startAnyPostgres } from '../support/postgres.ts';
import { untilOutput } from '../support/until-output.ts';

const strace = '/usr/bin/strace';
const statements = 300;
const kept = 3000;

/** What may be asked of the kernel for one statement of one client, whatever the machine: its time is another matter. */
describe.runIf(existsSync(strace))('what one statement costs', () => {
  let server: PostgresServer;
  let hoop: Deployment;
  let client: pg.Client;
  let connected: number;
  beforeAll(async () => {
    server = await startAnyPostgres();
    hoop = await Deployment.start({ postgres: server });
    const { role, ready } = await hoop.connect();
    connected = role.pid;
    client = new pg.Client(at(ready.environment));
    await client.connect();
    await load(1000); // compiled, and the memory that it keeps is there
  }, 120_000);
  afterAll(async () => {
    await client?.end();
    await hoop?.remove();
    await server?.stop();
  });

  async function load(count: number): Promise<void> {
    for (let number = 0; number < count; number++) await client.query('select $1::int', [number]);
  }

  /** How often, for each statement, a process did one of these calls to what has such a name (a path, or a kind like `socket`). */
  async function counted(pid: number): Promise<((calls: string, to: RegExp) => number) & { millis: number }> {
    const seen = ['fdatasync', 'fsync', 'write', 'pwrite64', 'pwritev', 'pwritev2', 'writev', 'sendmsg', 'sendto'];
    const tracer = spawn(strace, ['-f', '-y', '-e', `trace=${seen.join(',')}`, '-s', '0', '-p', String(pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let trace = '';
    tracer.stderr.on('data', (bytes: Buffer) => (trace += bytes.toString()));
    await untilOutput(tracer, /attached/, 'stderr');
    const started = performance.now();
    await load(statements);
    const millis = performance.now() - started;
    tracer.kill('SIGINT');
    await once(tracer, 'close');
    const calls = [...trace.matchAll(/(?:^|\] )(\w+)\(\d+<([^>]*)>/gm)];
    expect(calls.length).toBeGreaterThan(statements);
    const each = (names: string, to: RegExp) =>
      calls.filter(([, name, target]) => names.split(' ').includes(name!) && to.test(target!)).length / statements;
    return Object.assign(each, { millis });
  }

  it('the gateway: one fsync and one write to its journal, one message each way', async () => {
    const each = await counted(hoop.gateway.pid);
    // An outcome travels with the next statement's write, or has its own: at most one in 20 ms.
    const most = 1.05 + each.millis / 20 / statements;
    expect(each('fdatasync fsync', /\.journal$/)).toBeGreaterThan(0.95);
    expect(each('fdatasync fsync', /\.journal$/)).toBeLessThan(most);
    expect(each('pwrite64 pwritev pwritev2', /\.journal$/)).toBeLessThan(most);
    const sent = each('write writev sendmsg sendto', /^socket/);
    expect(sent).toBeGreaterThan(1.9);
    expect(sent).toBeLessThan(2.4);
  });

  it('the agent and the client: one message each way, and no disk', async () => {
    for (const pid of [hoop.agent.pid, connected]) {
      const each = await counted(pid);
      expect(each('fdatasync fsync', /^\//)).toBeLessThan(0.2);
      expect(each('write writev sendmsg sendto', /^socket/)).toBeLessThan(2.4);
    }
  });

  it('memory: none that stays', async () => {
    const resident = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const processes = [hoop.gateway.pid, hoop.agent.pid, connected];
    const before = processes.map(resident);
    await load(kept);
    for (const [index, pid] of processes.entries())
      expect((resident(pid) - before[index]!) / kept, `KiB for each statement, process ${index}`).toBeLessThan(12);
  }, 120_000);
});
