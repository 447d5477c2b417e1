import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Plugin } from '@oclif/core/config';
import { expect, test } from 'vitest';
import { errorCodes, exitCodes } from '../src/shared/error-codes.ts';
import { version } from '../src/shared/version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const json = (path: string) => JSON.parse(read(path)) as Record<string, unknown>;
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));

const sources = filesIn('src').filter((path) => /\.tsx?$/.test(path));
const tests = filesIn('test').filter((path) => /\.tsx?$/.test(path));
const sourcesWith = (pattern: RegExp) => sources.filter((path) => pattern.test(read(path)));

test('no package that a user installs has an install script', () => {
  const packages = json('package-lock.json')['packages'] as Record<
    string,
    { dev?: boolean; hasInstallScript?: boolean }
  >;
  const scripted = Object.entries(packages).filter(([, { dev, hasInstallScript }]) => !dev && hasInstallScript);
  expect(scripted.map(([name]) => name)).toEqual([]);
  expect(Object.keys(packages).length).toBeGreaterThan(100);
});

test('only store/durable.ts makes anything durable', () => {
  // `wire.sync()` is PostgreSQL's Sync message.
  const syncs = /\bf(data)?sync(Sync)?\s*[,}(]|(?<!\bwire)\.(data)?sync\(/;
  expect(sourcesWith(syncs)).toEqual(['src/store/durable.ts']);
});

test('only the tunnel knows WebSockets', () => {
  const importers = sourcesWith(/from 'ws'|import\('ws'\)/);
  expect(importers.length).toBeGreaterThan(0);
  expect(importers.filter((path) => !path.startsWith('src/tunnel/'))).toEqual([]);
});

test('no file is longer than a person reads', () => {
  const lines = (path: string) => read(path).split('\n').length - 1;
  expect(sources.filter((path) => lines(path) > 400)).toEqual([]);
  expect(tests.filter((path) => lines(path) > 600)).toEqual([]);
});

test('files are named by what they do', () => {
  const named = [...sources, ...tests].map((path) => basename(path).replace(/(\.test|\.d)?\.tsx?$/, ''));
  const empty = new Set(['util', 'utils', 'helper', 'helpers', 'manager', 'handler', 'handlers', 'data', 'info']);
  expect(named.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
  expect(named.filter((name) => name.split('-').some((word) => empty.has(word)))).toEqual([]);
});

test('nothing is left for later in the sources', () => {
  const marker = new RegExp(String.raw`\b(TO${''}DO|FIX${''}ME|XX${''}X)\b`);
  expect([...sources, ...tests].filter((path) => marker.test(read(path)))).toEqual([]);
});

test('exports have names; only commands, which oclif loads, are default', () => {
  const isLoadedByOthers = (path: string) => path.startsWith('src/commands/');
  expect(sourcesWith(/^export default/m).filter((path) => !isLoadedByOthers(path))).toEqual([]);
});

test('nothing mocks a module of its own, or is skipped', () => {
  const forbidden = new RegExp(String.raw`\bvi\.${'mock'}\(|\b(test|it|describe)\.(${'skip'}|only|todo)\b`);
  expect(tests.filter((path) => forbidden.test(read(path)))).toEqual([]);
});

test('the version is the same everywhere', () => {
  expect(json('package.json')['version']).toBe(version);
  expect(json('package-lock.json')['version']).toBe(version);
  expect(json('oclif.manifest.json')['version']).toBe(version);
});

test('the manifest describes the commands as they are', async () => {
  const plugin = new Plugin({ root, ignoreManifest: true, errorOnManifestCreate: true });
  await plugin.load();
  const { commands } = json('oclif.manifest.json') as { commands: Record<string, unknown> };
  const built = JSON.parse(JSON.stringify(plugin.manifest.commands)) as Record<string, unknown>;
  expect(Object.keys(built).toSorted()).toEqual(
    filesIn('src/commands')
      .map((path) =>
        path
          .replace(/^src\/commands\//, '')
          .replace(/(\/index)?\.tsx?$/, '')
          .replaceAll('/', ':'),
      )
      .toSorted(),
  );
  expect(commands).toEqual(built);
});

test('the README lists every error and every exit code, as they are', () => {
  const rows = [...read('README.md').matchAll(/^\| `(HOOP_\w+)` \| (\d+) \| (.*) \|$/gm)];
  const listed = Object.fromEntries(rows.map(([, code, exit, means]) => [code, { exit: Number(exit), means }]));
  expect(listed).toEqual(errorCodes);
  const exits = [...read('README.md').matchAll(/^\| (\d) \| /gm)].map(([, exit]) => Number(exit));
  expect(exits).toEqual(Object.values(exitCodes));
});

test('links between the documents lead somewhere', () => {
  const documents = [...readdirSync(root), ...filesIn('docs')].filter((path) => path.endsWith('.md'));
  const dead = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map(([, target]) => join(path, '..', target!))
      .filter((target) => {
        try {
          readdirSync(join(root, target));
          return false;
        } catch (error) {
          return (error as NodeJS.ErrnoException).code !== 'ENOTDIR';
        }
      })
      .map((target) => `${path} → ${target}`),
  );
  expect(dead).toEqual([]);
});
