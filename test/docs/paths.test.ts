import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const filesIn = (folder: string, ends: RegExp) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => ends.test(path))
    .map((path) => join(folder, path));

const documents = [...readdirSync(root).filter((path) => path.endsWith('.md')), ...filesIn('docs', /\.md$/)];
const sources = ['src', 'bench', 'scripts'].flatMap((folder) => filesIn(folder, /\.(tsx?|mjs)$/));
/** A changelog and a decision tell what was true when they were written. */
const current = documents.filter((path) => path !== 'CHANGELOG.md' && !path.startsWith('docs/decisions/'));

interface Command {
  flags: Record<string, object>;
  examples?: string[];
}
const { commands } = JSON.parse(read('oclif.manifest.json')) as { commands: Record<string, Command> };

test('every path that a document names is there', () => {
  const named = /^(?!https?:)[\w.-]+(\/[\w.-]+)+\/?$/;
  const ours = /^(src|test|docs|bin|bench|scripts|\.ci)\/|\.(tsx?|mjs)$/;
  const dead = current.flatMap((path) =>
    [...read(path).matchAll(/`([^`\n]+)`/g)]
      .map(([, name]) => name!)
      .filter((name) => named.test(name) && ours.test(name))
      .filter((name) => ![name, join('src', name)].some((at) => existsSync(join(root, at))))
      .map((name) => `${path}: ${name}`),
  );
  expect(dead).toEqual([]);
});

test('every decision that is cited is there', () => {
  const written = new Set(readdirSync(join(root, 'docs/decisions')).map((name) => name.slice(0, 4)));
  const dead = [...documents, ...sources].flatMap((path) =>
    [...read(path).matchAll(/decisions?(?: |\/)(\d{4})\b/gi)]
      .filter(([, number]) => !written.has(number!))
      .map(([cited]) => `${path}: ${cited}`),
  );
  expect(dead).toEqual([]);
});

test('no decision has the number of another', () => {
  const numbers = readdirSync(join(root, 'docs/decisions')).map((name) => name.slice(0, 4));
  expect(numbers.filter((number, at) => numbers.indexOf(number) !== at)).toEqual([]);
});

describe('every hoop command that somebody is told to type', () => {
  const inDocuments = current.flatMap((path) => {
    const text = read(path);
    const blocks = [...text.matchAll(/^```\w*\n(.*?)^```/gms)].flatMap(([, block]) => block!.split('\n'));
    const inline = [...text.matchAll(/`(hoop [^`\n]+)`/g)].map(([, command]) => command!);
    return [...blocks, ...inline].flatMap(commandsOf).map((command) => ({ path, command }));
  });
  const inSources = sources.flatMap((path) =>
    [...read(path).matchAll(/(?:(?:run|one|token): |\\`|'`)(hoop [a-z][^`'")\\\n]*)/g)].map(([, command]) => ({
      path,
      command: command!,
    })),
  );

  test('is one, in the documents', () => {
    expect(inDocuments.length).toBeGreaterThan(20);
    expect(inDocuments.map(({ path, command }) => fault(command, path)).filter(Boolean)).toEqual([]);
  });

  test('is one, in the examples of --help', () => {
    const examples = Object.entries(commands).flatMap(([id, { examples: own = [] }]) =>
      own
        .map((example) => example.replaceAll('<%= config.bin %>', 'hoop'))
        .map((example) => example.replaceAll('<%= command.id %>', id.replaceAll(':', ' ')))
        .flatMap((example) => [...example.matchAll(/hoop [a-z][^()\n|]*/g)].map(([command]) => ({ id, command }))),
    );
    expect(new Set(examples.map(({ id }) => id))).toEqual(new Set(Object.keys(commands)));
    expect(examples.map(({ id, command }) => fault(command, id)).filter(Boolean)).toEqual([]);
  });

  test('is one, in messages and comments', () => {
    expect(inSources.length).toBeGreaterThan(20);
    expect(inSources.map(({ path, command }) => fault(command, path)).filter(Boolean)).toEqual([]);
  });
});

/** `$ hoop a ; hoop b | jq  # why` is two commands. */
function commandsOf(line: string): string[] {
  return line
    .replace(/^\$ /, '')
    .split(/\s[;|]\s|\s#/)
    .map((part) => part.trim())
    .filter((part) => /^hoop [a-z]/.test(part));
}

/** Undefined when the command and its flags exist. */
function fault(command: string, path: string): string | undefined {
  const words = command
    .replaceAll(/\$\{[^}]*\}/g, 'X')
    .split(/\s+/)
    .slice(1);
  const sought = [words.slice(0, 2).join(':'), words[0]!].map((id) => id.replace(/[.,:;…]+$/, ''));
  const id = sought.find((name) => commands[name] !== undefined);
  if (id === undefined) return isTopic(sought[1]!) && words.length === 1 ? undefined : `${path}: ${command}`;
  const own = words.indexOf('--') < 0 ? words : words.slice(0, words.indexOf('--'));
  const flags = own.filter((word) => word.startsWith('--')).map((word) => word.slice(2).replace(/[=.,:;…].*$/, ''));
  const unknown = flags.filter((name) => name !== 'help' && commands[id]!.flags[name] === undefined);
  return unknown.length === 0 ? undefined : `${path}: ${command}: no flag ${unknown.join(', ')}`;
}

function isTopic(name: string): boolean {
  return Object.keys(commands).some((id) => id.startsWith(`${name}:`));
}
