import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { corpusFiles } from '../fixtures/postgres/malformed/corpus.ts';
import { readLine } from '../fixtures/postgres/malformed/case.ts';
import { clientStates } from '../fixtures/postgres/malformed/client-states.ts';
import { loginStates } from '../fixtures/postgres/malformed/login-corpus.ts';
import { serverStates } from '../fixtures/postgres/malformed/server-states.ts';
import type { Turn as WireTurn } from '../support/wire.ts';
import { readInput, type Input, type Turn } from './engine/target.ts';

const acts = ['cancel', 'client-ended', 'resource-ended', 'abort', 'drain'];

const turnOf = (turn: WireTurn): Turn => {
  if ('client' in turn) return { side: 0, bytes: Buffer.concat(turn.client) };
  if ('server' in turn) return { side: 1, bytes: Buffer.concat(turn.server) };
  return { side: 2, bytes: Uint8Array.of(acts.indexOf(turn.act)) };
};

/** Every line of the malformed corpus, with the conversation that leads there. */
function malformed(folder: string, states: { name: string; before: WireTurn[] }[], side: number): Input[] {
  const files = corpusFiles();
  return states.flatMap(({ name, before }) =>
    linesOf(files, `${folder}/${name}.txt`).map((bytes) => [...before.map(turnOf), { side, bytes }]),
  );
}

const linesOf = (files: Map<string, string>, path: string): Uint8Array[] =>
  files
    .get(path)!
    .trimEnd()
    .split('\n')
    .map((line) => readLine(line).bytes);

const folderOf = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** Inputs that lie in a folder of fixtures, one a file. */
export function inputsIn(folder: string): { file: string; input: Input }[] {
  const path = folderOf(folder);
  const files = existsSync(path) ? readdirSync(path).toSorted() : [];
  return files.map((file) => ({ file, input: readInput(readFileSync(`${path}/${file}`, 'utf8')) }));
}

/** What fuzzing a target begins with: what was captured, what was made, and what was found before. */
export const seedsOf: Record<string, () => Input[]> = {
  'postgres-decoder': () => [
    ...inputsIn('postgres/captured').map(({ input }) => input),
    ...inputsIn('fuzz/postgres-decoder').map(({ input }) => input),
    ...malformed('client', clientStates, 0),
    ...malformed('server', serverStates, 1),
  ],
  'postgres-login': () => [
    ...inputsIn('fuzz/postgres-login').map(({ input }) => input),
    ...loginStates.flatMap(({ name, before }) =>
      linesOf(corpusFiles(), `login/${name}.txt`).map((bytes) =>
        [...before, bytes].map((one) => ({ side: 0, bytes: one })),
      ),
    ),
  ],
  'redis-decoder': () => [
    ...inputsIn('redis/captured').map(({ input }) => input),
    ...inputsIn('fuzz/redis-decoder').map(({ input }) => input),
  ],
};
