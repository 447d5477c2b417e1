import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Session, Statement } from '../../src/shared/api.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { password, startTestGateway, type TestGateway } from '../support/identity-gateway.ts';

const session = (id: string, more: Partial<Session> = {}): Session => ({
  id,
  user: 'alice',
  actor: 'cursor',
  actorInstance: 'i-1',
  resource: 'orders-db',
  protocol: 'postgres',
  agent: 'db-agent',
  startedAt: '2026-11-22T10:00:00.000Z',
  endedAt: '2026-11-22T10:00:51.000Z',
  state: 'sealed',
  reason: 'client_closed',
  statements: 4,
  errors: 1,
  streams: 1,
  continues: null,
  ...more,
});

const statement = (seq: number, more: Partial<Statement> = {}): Statement => ({
  session: '7k3m9aaaaaaaaaaa',
  seq,
  stream: 1,
  at: '2026-11-22T10:00:00.120Z',
  verb: 'query',
  text: 'select 1',
  parameters: [],
  outcome: { status: 'ok', tag: 'SELECT 1', durationMicros: 1240 },
  ...more,
});

let gateway: TestGateway;
const cli = new Cli();
const json = (result: CliResult) => JSON.parse(result.stdout);

beforeAll(async () => {
  gateway = await startTestGateway();
  await gateway.addUser('alice');
  gateway.sessions.push(
    session('7k3m9aaaaaaaaaaa'),
    session('8xxxxaaaaaaaaaaa', { state: 'live', endedAt: null, reason: null, actor: null }),
    session('9yyyyaaaaaaaaaaa', { user: 'bob' }),
  );
  gateway.statements.set('7k3m9aaaaaaaaaaa', [
    statement(3, {
      verb: 'execute',
      text: 'select *\n  from orders\n where id = $1 and note = $2',
      parameters: [
        { type: 23, format: 0, base64: 'NDI=', shown: '42' },
        { type: 25, format: 0, base64: null, shown: 'NULL' },
      ],
      outcome: { status: 'ok', tag: 'SELECT 3', rows: 3, durationMicros: 1240 },
    }),
    statement(5, {
      at: '2026-11-22T10:00:02.500Z',
      text: 'select \u001B]0;owned\u0007 from\u202E nowhere\rselect 1',
      outcome: { status: 'error', errorCode: '42P01', errorMessage: 'relation "nowhere" does not \u001B[2Jexist' },
    }),
    statement(6, { outcome: { status: 'skipped' } }),
    statement(7, {
      verb: 'refusal',
      text: null,
      outcome: { status: 'refused', errorCode: 'copy-both', errorMessage: 'no' },
    }),
    statement(8, { text: 'copy t from stdin', dataBytes: 1_234_567, outcome: { status: 'unknown' } }),
  ]);
  await cli.login('alice', password, ['--gateway', gateway.url]);
});
afterAll(async () => {
  cli.remove();
  await gateway.close();
});

describe('hoop sessions', () => {
  it('lists one’s own', async () => {
    const result = await cli.run(['sessions']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const lines = result.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^SESSION +USER +ACTOR +RESOURCE +STARTED +DURATION +STATEMENTS +ERRORS +STATE$/);
    expect(lines[1]).toMatch(/^7k3m9aaaaa +alice +cursor +orders-db .* 51\.0 s +4 +1 +sealed \(client_closed\)$/);
    expect(lines[2]).toMatch(/^8xxxxaaaaa +alice +- .* live$/);
  });

  it('--json is the API’s body', async () => {
    expect(json(await cli.run(['sessions', '--json', '--since', '2d'])).sessions[0]).toEqual(gateway.sessions[0]);
  });

  it('a bad limit is a usage error', async () => {
    expect(await cli.run(['sessions', '--limit', '0'])).toMatchObject({ code: 2 });
  });
});

describe('hoop replay', () => {
  it('shows who, what, with what, and what came of it', async () => {
    const { code, stdout } = await cli.run(['replay', '7k3m9']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/user +alice\nactor +cursor \(as declared\), instance i-1\nresource +orders-db/);
    expect(stdout).toContain(
      '#3  +0:00.120  stream 1\n    select *\n      from orders\n     where id = $1 and note = $2\n',
    );
    expect(stdout).toContain('    $1 = 42\n    $2 = NULL\n    OK SELECT 3 · 1.2 ms\n');
    expect(stdout).toContain('#5  +0:02.500');
    expect(stdout).toContain('    ERROR 42P01 relation "nowhere" does not \\e[2Jexist\n');
    expect(stdout).toContain('SKIPPED');
    expect(stdout).toContain('REFUSED by hoop, not forwarded: copy-both no');
    expect(stdout).toContain('COPY data: 1.2 MB\n    UNKNOWN');
  });

  it('obeys nothing of what was recorded', async () => {
    const { stdout } = await cli.run(['replay', '7k3m9'], { env: { FORCE_COLOR: '0' } });
    expect(stdout).toContain('select \\e]0;owned\\x07 from\\u{202E} nowhere\\rselect 1');
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\u202E/u);
  });

  it('--json is one statement a line, exactly as recorded', async () => {
    const { code, stdout } = await cli.run(['replay', '7k3m9', '--json']);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(gateway.statements.get('7k3m9aaaaaaaaaaa'));
  });

  it('what is not there, or not one’s own, exits with 7 and an error of one line', async () => {
    for (const id of ['nothing', '9yyyy', '../users', 'a/b?c']) {
      const result = await cli.run(['replay', id, '--json']);
      expect({ id, code: result.code }).toEqual({ id, code: 7 });
      expect(JSON.parse(result.stdout.trimEnd().split('\n')[0] ?? '').error.code).toBe('HOOP_NOT_FOUND');
    }
  });

  it('a recording that breaks off is an error, not a short recording', async () => {
    gateway.sessions.push(session('broken'));
    gateway.statements.set('broken', [
      statement(1),
      {
        ...statement(2),
        toJSON: () => {
          throw new Error('damaged');
        },
      } as never,
    ]);
    const result = await cli.run(['replay', 'broken', '--json']);
    expect(result.code).toBe(5);
    expect(result.stdout).toContain('HOOP_GATEWAY_UNREACHABLE');
    expect(result.stdout).toContain('cut off');
  });
});

describe('colour', () => {
  it('is there when it is asked for, and NO_COLOR wins', async () => {
    const coloured = await cli.run(['replay', '7k3m9'], { env: { FORCE_COLOR: '1' } });
    expect(coloured.stdout).toContain('\u001B[');
    const plain = await cli.run(['replay', '7k3m9'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } });
    expect(plain).toMatchObject({ code: 0, stdout: expect.stringContaining('session') as string });
    expect(plain.stdout).not.toContain('\u001B[');
  });
});

describe('hoop resources', () => {
  it('says that there are none, and what to do', async () => {
    const result = await cli.run(['resources']);
    expect(result).toMatchObject({ code: 0, stdout: '' });
    expect(result.stderr).toContain('hoop grants add');
    expect(await cli.run(['resources', 'show', 'orders-db'])).toMatchObject({ code: 7 });
    expect(JSON.parse(readFileSync(join(cli.configDir, 'settings.json'), 'utf8')).gateways[gateway.url].user).toBe(
      'alice',
    );
  });
});
