import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { nameSchema } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import { parseConfig } from '../../shared/parse-config.ts';
import { configureAll, type Configured } from '../mcp/configure.ts';
import { confirmGateway, type Ask } from './confirm-gateway.ts';
import { cursorRule } from './cursor-rule.ts';
import { projectFileName, projectText, readProject, type FoundProject, type Project } from './project-file.ts';

export interface InitOptions {
  folder: string;
  /** Named on the command line; none: those of `.hoop.json`, else all that this user may reach. */
  resources: string[];
  /** Named on the command line or in the environment. */
  gateway: string | undefined;
  /** Only show. */
  isDry: boolean;
  root: string;
  ask: Ask;
  /** By its own address; undefined: the one of the last sign-in. */
  chooseGateway: (wanted: string | undefined) => Promise<string>;
  /** Those that this user may reach. */
  reachable: (gateway: string) => Promise<string[]>;
}

export interface InitFile {
  path: string;
  text: string;
  /** `kept`: it holds something else, which is somebody's own. */
  state: 'written' | 'same' | 'kept' | 'would be written';
}

export interface Initialised {
  gateway: string;
  resources: string[];
  files: InitFile[];
}

/** Makes a repository say where its resources are, to people and to Cursor. What is there already stays. Throws UserError. */
export async function initProject(options: InitOptions): Promise<Initialised> {
  const { folder, isDry, root } = options;
  const project = await decide(options);
  const settings = { agent: 'cursor', global: false, gateway: project.gateway, root, folder } as const;
  // First without writing: a file that is not JSON or an entry of somebody else stops it before anything is changed.
  const preview = await configureAll(project.resources, { ...settings, print: true });
  const entries = isDry ? preview : await configureAll(project.resources, { ...settings, print: false });
  const rule = join(folder, '.cursor', 'rules', 'hoop.mdc');
  const files = [
    await place(join(folder, projectFileName), projectText(project), isDry),
    ofEntries(entries, isDry),
    await place(rule, cursorRule(project.resources), isDry),
  ];
  return { gateway: project.gateway, resources: project.resources, files };
}

async function decide(options: InitOptions): Promise<Omit<Project, 'version'>> {
  const { folder, resources, chooseGateway } = options;
  const known = await readProject(folder);
  const gateway = await chooseGateway(options.gateway ?? known?.gateway);
  if (known) {
    const isOther = (await chooseGateway(known.gateway)) !== gateway;
    if (isOther || resources.some((name) => !known.resources.includes(name))) throw saysOtherwise(known);
    // What Cursor is to start would send HOOP_TOKEN there.
    if (options.gateway === undefined && !options.isDry) await confirmGateway(known, options.ask);
    return known;
  }
  const wanted = resources.length > 0 ? resources : await options.reachable(gateway);
  if (wanted.length === 0) {
    throw new UserError('HOOP_NOT_FOUND', `you may reach no resource at ${gateway} yet`, {
      next: 'name the repository’s resources: hoop init RESOURCE...',
    });
  }
  const names = wanted.map((name) => parseConfig(nameSchema, name, JSON.stringify(name)));
  return { gateway, resources: [...new Set(names)] };
}

const saysOtherwise = ({ path, resources, gateway }: FoundProject): UserError =>
  new UserError('HOOP_EXISTS', `${path} says otherwise: ${resources.join(', ')} at ${gateway}`, {
    next: 'change it by hand, then run hoop init without arguments',
  });

/** Written only where nothing is. */
async function place(path: string, text: string, isDry: boolean): Promise<InitFile> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before !== undefined) return { path, text: before, state: sameMeaning(before, text) ? 'same' : 'kept' };
  if (isDry) return { path, text, state: 'would be written' };
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: 'wx' });
  } catch (cause) {
    throw new UserError('HOOP_CONFIG', `${path} cannot be written: ${(cause as Error).message}`, {
      next: 'make its folder writable, or use --print and put it there yourself',
      cause,
    });
  }
  return { path, text, state: 'written' };
}

const sameMeaning = (one: string, other: string): boolean =>
  one.replaceAll(/\s+/g, '') === other.replaceAll(/\s+/g, '');

/** One file, as the last of its entries leaves it. */
function ofEntries(entries: Configured[], isDry: boolean): InitFile {
  const { file, text } = entries.at(-1)!;
  if (!isDry) return { path: file, text, state: entries.some(({ changed }) => changed) ? 'written' : 'same' };
  return { path: file, text, state: entries.some(({ isSame }) => !isSame) ? 'would be written' : 'same' };
}
