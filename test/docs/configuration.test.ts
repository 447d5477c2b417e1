import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { agentConfigSchema, ownStateDir } from '../../src/agent/config.ts';
import { environmentVariable, gatewayConfigSchema } from '../../src/gateway/config.ts';
import { oidcSchema } from '../../src/gateway/identity/sign-in-options.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const [, gatewayPart = '', agentPart = '', developerPart = '', oidcPart = ''] =
  read('docs/configuration.md').split(/^## /m);
const { commands } = JSON.parse(read('oclif.manifest.json')) as {
  commands: Record<string, { flags: Record<string, object> }>;
};
const rowsOf = (part: string): string[][] =>
  part
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1));
const names = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

describe('the gateway', () => {
  const rows = rowsOf(gatewayPart).flatMap(([keys, flags, variables, fallback]) =>
    names(keys).map((key, at) => ({
      key,
      flag: names(flags)[at],
      variable: names(variables)[at],
      fallback: fallback!.trim(),
    })),
  );

  test('every key is there, with its flag and its variable', () => {
    expect(rows.map(({ key }) => key)).toEqual(Object.keys(gatewayConfigSchema.shape));
    expect(rows.map(({ variable }) => variable)).toEqual(rows.map(({ key }) => environmentVariable(key)));
    const flags = Object.keys(commands['gateway:start']!.flags).filter(
      (name) => !['config', 'gateway', 'ca-file', 'json'].includes(name),
    );
    // How people sign in has no flags: it belongs to a gateway, not to one start of it.
    const documented = rows.flatMap(({ flag }) => flag ?? []);
    expect(documented.toSorted()).toEqual(flags.map((name) => `--${name}`).toSorted());
  });

  test('every default is what is used', () => {
    const defaults = gatewayConfigSchema.parse({}) as Record<string, string | number | boolean | undefined>;
    for (const { key, fallback } of rows) {
      const written = names(fallback)[0] ?? (/^\d+$/.test(fallback) ? fallback : undefined);
      expect([key, written]).toEqual([key, defaults[key]?.toString()]);
    }
  });

  test('every value of a choice is named', () => {
    const [, , , , means] = rowsOf(gatewayPart).find(([keys]) => names(keys)[0] === 'logLevel')!;
    expect(names(means)).toEqual(gatewayConfigSchema.shape.logLevel.unwrap().options);
  });
});

test('every key of the company’s provider is there', () => {
  expect(rowsOf(oidcPart).flatMap(([keys]) => names(keys))).toEqual(Object.keys(oidcSchema.shape));
});

describe('the agent', () => {
  /** `resources[].tls.ca`, `.cert` is two keys. */
  const documented = rowsOf(agentPart).flatMap(([keys]) => {
    const [first = '', ...more] = names(keys);
    return [first, ...more.map((name) => first.replace(/\.\w+$/, '') + name)];
  });

  test('every key is there, and no other', () => {
    expect(documented.toSorted()).toEqual(leaves(agentConfigSchema).toSorted());
  });

  test('the modes of TLS and the defaults are those of the schema', () => {
    const resource = { name: 'a', protocol: 'postgres', address: 'h:1', credentials: { user: 'u' } };
    const { resources } = agentConfigSchema.parse({ resources: [resource] });
    const meaning = (key: string) => rowsOf(agentPart).find(([keys]) => names(keys)[0] === key)![1]!;
    expect(meaning('stateDir')).toContain(`default \`${ownStateDir}\``);
    expect(meaning('resources[].tls.mode')).toContain(`\`${resources[0]!.tls.mode}\` (default)`);
    expect(meaning('resources[].results')).toContain(`\`${resources[0]!.results}\` (default`);
    for (const mode of names(meaning('resources[].tls.mode'))) {
      expect(() => agentConfigSchema.parse({ resources: [{ ...resource, tls: { mode } }] })).not.toThrow();
    }
  });
});

test('every variable that hoop reads is documented, and every documented one is read', () => {
  const sources = readdirSync(new URL('../../src/', import.meta.url), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => read(`src/${path}`));
  const inSources = sources.flatMap((text) => [...text.matchAll(/\['(HOOP_[A-Z_]+)'\]|env: '(HOOP_[A-Z_]+)'/g)]);
  const used = new Set(inSources.map(([, byName, byFlag]) => byName ?? byFlag!));
  const documented = names(developerPart + agentPart).filter((name) => /^(HOOP_[A-Z_]+)$/.test(name));
  expect([...used].filter((name) => !documented.includes(name))).toEqual([]);
  expect(documented.filter((name) => !sources.some((text) => text.includes(name)))).toEqual([]);
});

/** The dotted keys of a schema, `[]` for the items of a list that have keys; a choice of shapes is one key. */
function leaves(schema: unknown, path = ''): string[] {
  const { type, shape, element, innerType } = (schema as { def: Record<string, unknown> }).def as {
    type: string;
    shape?: Record<string, unknown>;
    element?: unknown;
    innerType?: unknown;
  };
  if (type === 'object') {
    return Object.entries(shape!).flatMap(([key, value]) => leaves(value, path === '' ? key : `${path}.${key}`));
  }
  if (type === 'array') {
    const below = leaves(element, `${path}[]`);
    return below.length === 1 && below[0] === `${path}[]` ? [path] : below;
  }
  return innerType === undefined ? [path] : leaves(innerType, path);
}
