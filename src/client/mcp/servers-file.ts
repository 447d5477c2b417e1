import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  applyEdits,
  findNodeAtLocation,
  modify,
  parse,
  parseTree,
  printParseErrorCode,
  type Node,
  type ParseError,
} from 'jsonc-parser';
import { UserError } from '../../shared/errors.ts';

/** One server as a coding agent starts it. */
export interface ServerEntry {
  command: string;
  args: string[];
}

export interface FileChange {
  path: string;
  /** What the file is to hold. */
  text: string;
  /** Is that what it holds already? */
  isSame: boolean;
}

/** The file with the entry in it, everything else (comments, other keys, order) as it was. Throws UserError. */
export async function withEntry(
  path: string,
  [key, name]: [key: string, name: string],
  entry: ServerEntry,
  text?: string,
): Promise<FileChange> {
  const before = text ?? (await read(path));
  const known = entryOf(before, path, key, name);
  if (known !== undefined && !isOurs(known)) {
    throw new UserError('HOOP_EXISTS', `${path} has a server "${name}" already, and it is not hoop’s`, {
      next: 'rename that one, or remove it',
    });
  }
  return edited(path, before, [key, name], entry);
}

/** The file without the entry; undefined when it has none. Throws UserError for one that is not hoop's. */
export async function withoutEntry(path: string, key: string, name: string): Promise<FileChange | undefined> {
  const before = await read(path);
  const known = entryOf(before, path, key, name);
  if (known === undefined) return undefined;
  if (!isOurs(known)) {
    throw new UserError('HOOP_USAGE', `the server "${name}" in ${path} is not hoop’s`, {
      next: 'remove it by hand, if that is what you want',
    });
  }
  return edited(path, before, [key, name], undefined);
}

/** Replaces the file at once; the old one stays beside it as `<name>.hoop-backup`. */
export async function writeChange({ path, text }: FileChange): Promise<{ backup: string | undefined }> {
  const target = await realpath(path).catch(() => path); // a link stays a link
  const known = await stat(target).catch(() => undefined);
  const backup = known ? `${target}.hoop-backup` : undefined;
  const temporary = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(target), { recursive: true });
    if (backup) await copyFile(target, backup);
    await writeFile(temporary, text, { flag: 'wx', mode: known?.mode ?? 0o644 });
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new UserError('HOOP_CONFIG', `${path} cannot be written: ${(cause as Error).message}`, {
      next: 'make it writable, or use --print and put the entry there yourself',
      cause,
    });
  }
  return { backup };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new UserError('HOOP_CONFIG', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function entryOf(text: string, path: string, key: string, name: string): unknown {
  if (text.trim() === '') return undefined;
  const errors: ParseError[] = [];
  const whole: unknown = parse(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first || typeof whole !== 'object' || whole === null || Array.isArray(whole)) {
    const why = first ? `${printParseErrorCode(first.error)} at line ${lineOf(text, first.offset)}` : 'no object';
    throw new UserError('HOOP_CONFIG', `${path} is not JSON: ${why}`, {
      next: 'correct it first; nothing was changed',
    });
  }
  const servers = (whole as Record<string, unknown>)[key];
  return typeof servers === 'object' && servers !== null ? (servers as Record<string, unknown>)[name] : undefined;
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

/** Ours is what starts `hoop mcp` or `hoop run`, however hoop is found. */
function isOurs(entry: unknown): boolean {
  const { command, args } = entry as Partial<ServerEntry>;
  if (typeof command !== 'string' || !Array.isArray(args)) return false;
  const words = [command, ...args.map(String)];
  return (
    words.slice(0, 2).some((word) => /(^|[/\\])hoop(\.cmd)?$|[/\\]bin[/\\]run\.js$/.test(word)) &&
    words.some((word) => word === 'mcp' || word === 'run')
  );
}

/** By hand where something is put in, because a formatter would touch its neighbours too. */
function edited(
  path: string,
  before: string,
  [key, name]: [string, string],
  entry: ServerEntry | undefined,
): FileChange {
  const base = before.trim() === '' ? '{}\n' : before;
  const tree = parseTree(base, [], { allowTrailingComma: true })!;
  const [list, known] = [findNodeAtLocation(tree, [key]), findNodeAtLocation(tree, [key, name])];
  const layout = layoutOf(base);
  let text: string;
  if (entry === undefined) text = applyEdits(base, modify(base, [key, name], undefined, {}));
  else if (known) text = replaced(base, known, json(entry, 2, layout));
  else if (list?.type === 'object') text = inserted(base, list, [name, entry], 2, layout);
  else text = inserted(base, tree, [key, { [name]: entry }], 1, layout);
  return { path, text, isSame: text === before };
}

interface Layout {
  indent: string;
  eol: string;
}

const layoutOf = (text: string): Layout => ({
  indent: /^([ \t]+)\S/m.exec(text)?.[1] ?? '  ',
  eol: text.includes('\r\n') ? '\r\n' : '\n',
});

/** As JSON.stringify lays it out, `depth` levels deep. */
function json(value: unknown, depth: number, { indent, eol }: Layout): string {
  return JSON.stringify(value, null, indent).replaceAll('\n', eol + indent.repeat(depth));
}

/** As the first property of the object: what stands behind stays as it is. */
function inserted(text: string, into: Node, [name, value]: [string, unknown], depth: number, layout: Layout): string {
  const { indent, eol } = layout;
  const after = into.children?.length ? ',' : eol + indent.repeat(depth - 1);
  const property = `${eol}${indent.repeat(depth)}${JSON.stringify(name)}: ${json(value, depth, layout)}${after}`;
  return text.slice(0, into.offset + 1) + property + text.slice(into.offset + 1);
}

const replaced = (text: string, { offset, length }: Node, by: string): string =>
  text.slice(0, offset) + by + text.slice(offset + length);
