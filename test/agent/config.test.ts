import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { parseAgentConfig, readAgentConfig } from '../../src/agent/config.ts';
import { readSecret } from '../../src/agent/secret.ts';
import { UserError } from '../../src/shared/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'hoop-agent-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const resource = '{ name: orders-db, protocol: postgres, address: "127.0.0.1:5432", credentials: { user: app } }';

describe('agent.yaml', () => {
  test('the least of it is enough; the rest has defaults, and paths are relative to the file', () => {
    const config = parseAgentConfig(`resources: [${resource}]`, '/etc/hoop/agent.yaml');
    expect(config).toMatchObject({
      stateDir: '/etc/hoop/hoop-agent',
      resources: [{ tls: { mode: 'prefer' }, results: 'digest' }],
    });
  });

  test.each([
    ['resources: []', 'resources: name at least one resource'],
    [
      'resources: [{ name: Orders, protocol: postgres, address: x, credentials: { user: a } }]',
      'resources.0.name: must be 1 to 63',
    ],
    [`resources: [${resource}, ${resource}]`, 'resources.1.name: orders-db is named twice'],
    [`resources: [${resource}]\nport: 1`, 'Unrecognized key: "port"'],
    [resource.replace('{', 'resources: [{ tls: { mode: allow },').concat(']'), 'resources.0.tls.mode:'],
    [resource.replace('{', 'resources: [{ results: all,').concat(']'), 'resources.0.results'],
    [resource.replace('{', 'resources: [{ redact: [passwords],').concat(']'), 'resources.0.redact.0'],
    [
      resource.replace('{', 'resources: [{ tls: {},').replace('postgres', 'oracle').concat(']'),
      'protocol: oracle is not known',
    ],
    ['resources: [{ name: orders-db }]', 'resources.0.protocol: is missing; resources.0.address: is missing'],
    ['resources:\n  - name: "a', 'agent.yaml:2: not valid YAML'],
  ])('a fault names its key or line: %s', (text, message) => {
    const parse = () => parseAgentConfig(text, 'agent.yaml');
    expect(parse).toThrow(message);
    expect(parse).toThrow(UserError);
  });

  test('a file that is not there is said to be so', async () => {
    await expect(readAgentConfig(join(folder, 'none.yaml'))).rejects.toMatchObject({
      code: 'HOOP_CONFIG',
      message: expect.stringContaining('none.yaml'),
    });
  });
});

describe('a secret', () => {
  test('comes by value, from the environment, from a file, from a command', async () => {
    writeFileSync(join(folder, 'password'), 'from a file\n');
    expect(await readSecret('plain')).toBe('plain');
    expect(await readSecret('${env:SECRET}!', { SECRET: 'from the environment' })).toBe('from the environment!');
    expect(await readSecret({ file: join(folder, 'password') })).toBe('from a file');
    expect(await readSecret({ command: 'printf "from a command"' })).toBe('from a command');
  });

  test('that cannot be had is an error which does not repeat what there was', async () => {
    await expect(readSecret('${env:NOT_SET}', {})).rejects.toThrow('NOT_SET is not set');
    await expect(readSecret({ file: join(folder, 'none') })).rejects.toMatchObject({
      code: 'HOOP_RESOURCE_UNREACHABLE',
    });
    const failure = await readSecret({ command: 'echo hunter2; echo hunter2 >&2; exit 1' }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(UserError);
    expect(inspect(failure, { depth: 5 })).not.toMatch(/hunter2(?!;)/);
  });
});
