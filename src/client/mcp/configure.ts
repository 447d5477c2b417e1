import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { codingAgents, type CodingAgentName } from './coding-agents.ts';
import { withEntry, withoutEntry, writeChange, type ServerEntry } from './servers-file.ts';
import { thirdPartyEntryName, type ThirdPartyServer } from './third-party.ts';

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
  /** Instead of hoop's own server. */
  server?: ThirdPartyServer | undefined;
  /** What the file is taken to hold, where more than one entry is shown before any is written. */
  before?: string | undefined;
}

export interface Configured {
  agent: string;
  file: string;
  entry: ServerEntry;
  link: string | null;
  /** The file as it is now, or would be. */
  text: string;
  /** It was there already. */
  isSame: boolean;
  changed: boolean;
  backup: string | null;
}

/** Makes the coding agent start `hoop mcp <resource>`. Nothing secret stands in the file. Throws UserError. */
export async function configure(options: ConfigureOptions): Promise<Configured> {
  const agent = codingAgents[options.agent];
  const file = options.isGlobal ? agent.globalFile() : agent.projectFile(options.folder);
  const entry = await entryFor(options);
  const withType = 'extra' in agent ? { ...agent.extra, ...entry } : entry;
  const name = options.server ? thirdPartyEntryName(options.resource, options.server.name) : options.resource;
  const change = await withEntry(file, [agent.serversKey, name], withType, options.before);
  const isWritten = !options.isDry && !change.isSame;
  const { backup } = isWritten ? await writeChange(change) : { backup: undefined };
  return {
    agent: agent.name,
    file,
    entry,
    link: 'link' in agent ? agent.link(name, entry) : null,
    text: change.text,
    isSame: change.isSame,
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
  server?: ThirdPartyServer | undefined;
}

interface ConfigurePlace {
  agent: CodingAgentName;
  root: string;
  folder: string;
}

/** Several resources in one file, one after the other. */
export async function configureAll(
  resources: string[],
  { agent, global, print, gateway, server, root, folder }: ConfigureFlags & ConfigurePlace,
): Promise<Configured[]> {
  const done: Configured[] = [];
  const flags = gateway === undefined ? [] : ['--gateway', gateway];
  const place = { isGlobal: global, isDry: print, folder, program: join(root, 'bin', 'run.js') };
  for (const resource of resources) {
    const before = print ? done.at(-1)?.text : undefined;
    done.push(await configure({ agent, resource, flags, server, before, ...place }));
  }
  return done;
}

export interface UnconfigureOptions extends Pick<ConfigureOptions, 'agent' | 'resource' | 'isGlobal' | 'folder'> {
  /** Of `--mcp-server`. */
  serverName?: string | undefined;
}

/** Removes exactly what `configure` wrote. Throws UserError. */
export async function unconfigure({
  agent: name,
  resource,
  isGlobal,
  folder,
  serverName,
}: UnconfigureOptions): Promise<Unconfigured> {
  const agent = codingAgents[name];
  const file = isGlobal ? agent.globalFile() : agent.projectFile(folder);
  const entry = serverName === undefined ? resource : thirdPartyEntryName(resource, serverName);
  const change = await withoutEntry(file, agent.serversKey, entry);
  const { backup } = change ? await writeChange(change) : { backup: undefined };
  return { agent: agent.name, file, removed: change !== undefined, backup: backup ?? null };
}

/** By name where the shell finds it; else by the place of this one, with the Node that runs it. */
async function entryFor({ resource, flags, program, server }: ConfigureOptions): Promise<ServerEntry> {
  const args = server ? runWords(server, resource, flags) : ['mcp', resource, ...flags];
  if (await isOnPath('hoop')) return { command: 'hoop', args };
  return { command: process.execPath, args: [program, ...args] };
}

function runWords({ command, variable }: ThirdPartyServer, resource: string, flags: string[]): string[] {
  return ['run', resource, ...flags, ...(variable === undefined ? [] : ['--dsn-variable', variable]), '--', ...command];
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
