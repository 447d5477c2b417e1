import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadCompiled } from '../src/load-compiled.ts';

let place: string;
let folder: string;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'hoop-compiled-'));
  folder = join(place, 'cache');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(place, { recursive: true });
});

const importModule = (specifier: string) => Promise.resolve(`module ${specifier}`);
const add = 'exports.sum=(left,right)=>left+right;exports.late=()=>importModule("ink");';

function bundle(code: string): string {
  const file = join(place, 'add.cjs');
  writeFileSync(file, `//${createHash('sha256').update(code).digest('hex')}\n${code}`);
  return file;
}

interface Add {
  sum(left: number, right: number): number;
  late(): Promise<string>;
}

function load(file: string) {
  const { exports, keep } = loadCompiled(file, { folder, importModule });
  return { ...(exports as Add), keep };
}

/** Starts once, and keeps what was compiled. */
function keptForm(code = add): { file: string; path: string } {
  const file = bundle(code);
  const first = load(file);
  expect(first.sum(1, 2)).toBe(3);
  first.keep!();
  return { file, path: join(folder, readdirSync(folder)[0]!) };
}

test('a second start reads what the first one kept', async () => {
  const { file } = keptForm();
  const second = load(file);
  expect(second.keep).toBeUndefined();
  expect(second.sum(2, 3)).toBe(5);
  await expect(second.late()).resolves.toBe('module ink');
});

test('only its user can read or write what is kept', () => {
  const { path } = keptForm();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('what was kept of another build of the same length is not run', () => {
  keptForm();
  const file = bundle(add.replace('left+right', 'left*right'));
  const next = load(file);
  expect(next.sum(3, 4)).toBe(12);
  next.keep!();
  expect(load(file)).toMatchObject({ keep: undefined });
});

test('what was kept and then changed is not run', () => {
  const { file, path } = keptForm();
  const kept = readFileSync(path);
  for (const at of [0, 40, 100, kept.length - 1]) {
    const changed = Buffer.from(kept);
    changed[at] = changed[at]! ^ 1;
    writeFileSync(path, changed);
    const next = load(file);
    expect(next.sum(1, 1)).toBe(2);
    expect(next.keep, `byte ${at}`).toBeDefined();
  }
  for (const length of [0, 31, 32, 100]) {
    writeFileSync(path, kept.subarray(0, length));
    expect(load(file).keep, `${length} bytes`).toBeDefined();
  }
});

const spoiled: [what: string, spoil: (path: string) => void][] = [
  ['the file, which others may write', (path) => chmodSync(path, 0o602)],
  ['the folder, which others may write', () => chmodSync(folder, 0o770)],
];
if (process.geteuid?.() === 0)
  spoiled.push(
    ['the file of another user', (path) => chownSync(path, 1234, 0)],
    ['the folder of another user', () => chownSync(folder, 1234, 0)],
  );

test.each(spoiled)('nothing is read from %s', (_, spoil) => {
  const { file, path } = keptForm();
  spoil(path);
  expect(load(file).keep).toBeDefined();
});

test('nothing is written where others may write, and that is no error', () => {
  const { file, path } = keptForm();
  rmSync(path);
  chmodSync(folder, 0o777);
  load(file).keep!();
  expect(readdirSync(folder)).toEqual([]);
});

test.runIf(process.geteuid?.() === 0)('root makes no folder in the home of somebody else', () => {
  chownSync(place, 1234, 0);
  load(bundle(add)).keep!();
  expect(readdirSync(place)).toEqual(['add.cjs']);
});

test('a folder that cannot be made is no error', () => {
  writeFileSync(folder, '');
  const { sum, keep } = load(bundle(add));
  keep!();
  expect(sum(1, 2)).toBe(3);
});

test('NODE_DISABLE_COMPILE_CACHE switches it off', () => {
  const { file } = keptForm();
  vi.stubEnv('NODE_DISABLE_COMPILE_CACHE', '1');
  const { sum, keep } = load(file);
  expect(keep).toBeUndefined();
  expect(sum(1, 2)).toBe(3);
});
