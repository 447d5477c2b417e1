import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startAnyPostgres } from '../support/postgres.ts';
import { run } from '../support/run.ts';
import { startStack } from '../support/stack.ts';

const isRoot = process.getuid?.() === 0 && process.platform === 'linux';
if (!isRoot) process.stderr.write('NOT CHECKED: a full disk under a gateway; it takes root to mount a small one\n');

test.runIf(isRoot)(
  'a full disk: nothing more is forwarded, the client is told, and with room again it comes back without a restart',
  async () => {
    const disk = mkdtempSync(join(tmpdir(), 'hoop-full-disk-'));
    // Room for the first segment of the journal (64 MiB) and the databases, not for a second one.
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=90m', 'tmpfs', disk]);
    const server = await startAnyPostgres({ database: 'orders' });
    try {
      await using stack = await startStack({ postgres: server, dataDir: join(disk, 'gw') });
      await stack.addUser('alice');
      const alice = await stack.signIn('alice');
      const connected = await stack.connect(alice);
      const { session, port, user, password, database } = connected;
      const env = {
        PGHOST: '127.0.0.1',
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: database,
      };
      expect(await run('psql', ['-XAtqc', 'create table filled (t text); select 1'], { env })).toMatchObject({
        code: 0,
        stdout: '1\n',
      });

      const line = `${'x'.repeat(8191)}\n`;
      const copied = await run('psql', ['-X', '-c', 'copy filled from stdin'], { env, input: line.repeat(15_000) });
      expect(copied.code).not.toBe(0);
      expect(copied.stderr).toMatch(/record|closed the connection/);
      expect((await connected.until('reconnecting')) as { why: string }).toMatchObject({
        why: expect.stringContaining('record'),
      });
      expect(stack.logs.join('\n')).toMatch(/the record cannot be written/);

      const observer = new pg.Client({ host: '127.0.0.1', ...server });
      await observer.connect();
      const count = async () => (await observer.query('select count(*)::int as n from filled')).rows;
      await expect.poll(count).toEqual([{ n: 0 }]); // the COPY never got its end
      await observer.end();

      execFileSync('mount', ['-o', 'remount,size=600m', disk]);
      const seen = connected.states.length;
      await connected.until('ready', seen);
      expect((await run('psql', ['-XAtqc', 'select 2'], { env })).stdout).toBe('2\n');
      expect(connected.session).not.toBe(session);
      expect(await stack.session(alice, session)).toMatchObject({ state: 'interrupted' });
      const statements = await stack.statements(alice, session);
      expect(statements[0]).toMatchObject({
        text: 'create table filled (t text); select 1',
        outcome: { status: 'ok' },
      });
      const copy = statements.find(({ text }) => text === 'copy filled from stdin');
      expect(copy?.outcome?.status).toBe('unknown');
      expect(copy?.dataBytes).toBeGreaterThan(10_000_000);
    } finally {
      await server.stop();
      execFileSync('umount', ['-l', disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  },
  120_000,
);
