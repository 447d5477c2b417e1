import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { codingAgents, type CodingAgentName } from './coding-agents.ts';
import { withEntry, withoutEntry, writeChange, type ServerEntry } from './servers-file.ts';

export interface ConfigureOptions {
  agent: CodingAgentName;
  resource: string;
  /** The user's own file, for all projects, instead of this folder's. */
  isGlobal: boolean;
  /** Only show. */
  isDry: boolean;
  /** Words before `mcp`: a gateway that is not the default. */
  flags: string[];
  folder: string;
  /** bin/run.js of this hoop. */
  program: string;
}

export interface Configured {
  agent: string;
  file: string;
  entry: ServerEntry;
  link: string | null;
  /** The file as it is now, or would be. */
  text: string;
  changed: boolean;
  backup: string | null;
}

/** Makes the coding agent start `hoop mcp <resource>`. Nothing secret stands in the file. Throws UserError. */
export async function configure(options: ConfigureOptions): Promise<Configured> {
  const agent = codingAgents[options.agent];
  const file = options.isGlobal ? agent.globalFile() : agent.projectFile(options.folder);
  const entry = await entryFor(options);
  const withType = 'extra' in agent ? { ...agent.extra, ...entry } : entry;
  const change = await withEntry(file, agent.serversKey, options.resource, withType);
  const isWritten = !options.isDry && !change.isSame;
  const { backup } = isWritten ? await writeChange(change) : { backup: undefined };
  return {
    agent: agent.name,
    file,
    entry,
    link: 'link' in agent ? agent.link(options.resource, entry) : null,
    text: change.text,
    changed: isWritten,
    backup: backup ?? null,
  };
}

export interface Unconfigured {
  agent: string;
  file: string;
  removed: boolean;
  backup: string | null;
}

export interface ConfigureFlags {
  global: boolean;
  print: boolean;
  gateway?: string | undefined;
}

/** Several resources in one file, one after the other. */
export async function configureAll(
  resources: string[],
  { agent, global, print, gateway, root }: ConfigureFlags & { agent: CodingAgentName; root: string },
): Promise<Configured[]> {
  const done: Configured[] = [];
  for (const resource of resources) {
    const flags = gateway === undefined ? [] : ['--gateway', gateway];
    const place = { isGlobal: global, isDry: print, folder: process.cwd(), program: join(root, 'bin', 'run.js') };
    done.push(await configure({ agent, resource, flags, ...place }));
  }
  return done;
}

/** Removes exactly what `configure` wrote. Throws UserError. */
export async function unconfigure({
  agent: name,
  resource,
  isGlobal,
  folder,
}: Pick<ConfigureOptions, 'agent' | 'resource' | 'isGlobal' | 'folder'>): Promise<Unconfigured> {
  const agent = codingAgents[name];
  const file = isGlobal ? agent.globalFile() : agent.projectFile(folder);
  const change = await withoutEntry(file, agent.serversKey, resource);
  const { backup } = change ? await writeChange(change) : { backup: undefined };
  return { agent: agent.name, file, removed: change !== undefined, backup: backup ?? null };
}

/** By name where the shell finds it; else by the place of this one, with the Node that runs it. */
async function entryFor({ resource, flags, program }: ConfigureOptions): Promise<ServerEntry> {
  const args = ['mcp', resource, ...flags];
  if (await isOnPath('hoop')) return { command: 'hoop', args };
  return { command: process.execPath, args: [program, ...args] };
}

async function isOnPath(name: string): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const names = process.platform === 'win32' ? [`${name}.cmd`, `${name}.exe`] : [name];
  for (const path of folders.flatMap((folder) => names.map((file) => join(folder, file)))) {
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
