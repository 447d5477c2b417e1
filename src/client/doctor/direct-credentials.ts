import { readFile, readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A credential of a database that is used without the gateway, and so without a record. */
export interface DirectCredential {
  file: string;
  /** From 1. */
  line: number;
  /** What stands there, secrets masked. */
  shown: string;
  fix: string;
}

export interface SearchedPlaces {
  folder: string;
  home?: string;
  env?: NodeJS.ProcessEnv;
}

const fileBytesMax = 1024 * 1024;

const useHoop = 'remove it; hoop run RESOURCE -- COMMAND puts a recorded connection into the environment instead';
const useMcp = 'hoop connect RESOURCE --cursor lets the coding agent start a recorded server instead';
const moveAway = 'move it where the coding agent cannot read it, and close direct access to the database';

/** Looks where coding agents find them: this folder, and the user's own files. Unreadable files are passed over. */
export async function findDirectCredentials({
  folder,
  home = homedir(),
  env = process.env,
}: SearchedPlaces): Promise<DirectCredential[]> {
  const found: DirectCredential[] = [];
  for (const { path, read, fix } of await candidates(folder, home, env)) {
    const text = await textOf(path);
    if (text === undefined) continue;
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      const shown = read(line);
      if (shown !== undefined) found.push({ file: path, line: index + 1, shown, fix });
    }
  }
  return found;
}

interface Candidate {
  path: string;
  /** The line with its secrets masked, when it holds one. */
  read: (line: string) => string | undefined;
  fix: string;
}

async function candidates(folder: string, home: string, env: NodeJS.ProcessEnv): Promise<Candidate[]> {
  const own = await readdir(folder).catch((): string[] => []);
  const inFolder = (pattern: RegExp) => own.filter((name) => pattern.test(name)).map((name) => join(folder, name));
  const here = (...names: string[]) => names.map((name) => join(folder, name));
  const atHome = (...names: string[]) => names.map((name) => join(home, name));
  const as = (paths: string[], read: Candidate['read'], fix: string) => paths.map((path) => ({ path, read, fix }));
  return [
    ...as(inFolder(/^\.env(\..+|rc)?$/), assignment, useHoop),
    ...as(inFolder(/^(docker-)?compose([.-].+)?\.ya?ml$/), assignment, moveAway),
    ...as(here('.cursor/mcp.json', '.mcp.json', '.vscode/mcp.json', '.vscode/settings.json'), assignment, useMcp),
    ...as(atHome('.cursor/mcp.json', '.claude.json', '.config/Code/User/mcp.json'), assignment, useMcp),
    ...as([env['PGPASSFILE'] ?? join(home, '.pgpass')], passFile, moveAway),
    ...as([env['PGSERVICEFILE'] ?? join(home, '.pg_service.conf'), ...here('pg_service.conf')], assignment, moveAway),
    ...as(atHome('.my.cnf', '.mylogin.cnf'), assignment, moveAway),
    ...as(atHome('.bashrc', '.bash_profile', '.profile', '.zshrc', '.zshenv', '.zprofile'), assignment, useHoop),
    ...as(atHome('.config/fish/config.fish'), assignment, useHoop),
  ];
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    return size > fileBytesMax ? undefined : await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

const dsn =
  /\b((?:postgres(?:ql)?|mysql|mariadb|rediss?|mongodb(?:\+srv)?|sqlserver|clickhouse)(?:\+\w+)?:\/\/)([^\s:@/'"]*):([^\s@'"]+)@([^\s'"<>]*)/i;
const password =
  /\b(PGPASSWORD|MYSQL_PWD|REDISCLI_AUTH|(?:[A-Z0-9_]*_)?(?:DB|DATABASE|POSTGRES|PG|MYSQL|MARIADB|REDIS|MONGO|MONGODB)_(?:[A-Z0-9]+_)*(?:PASSWORD|PASS|PWD)|password|passwd)(['"]?\s*[:=]\s*|\s+)(['"]?)([^\s'"#,;]+)/i;

/** `NAME=value`, `name: value` and URLs, as .env, shell, YAML, JSON and INI files have them. */
function assignment(line: string): string | undefined {
  if (/^\s*(#|\/\/|;)/.test(line)) return undefined;
  const url = dsn.exec(line);
  if (url) {
    const [, scheme, user, secret, rest] = url as unknown as [string, string, string, string, string];
    if (isReference(secret) || isHoops(user, rest)) return undefined;
    return masked(`${scheme}${user}:…@${rest}`);
  }
  const named = password.exec(line);
  if (!named) return undefined;
  const [, name, sign, , secret] = named as unknown as [string, string, string, string, string];
  return isReference(secret) ? undefined : `${name}${sign.includes(':') ? ': ' : '='}…`;
}

/** host:port:database:user:password */
function passFile(line: string): string | undefined {
  if (line.startsWith('#')) return undefined;
  const parts = line.split(/(?<!\\):/);
  return parts.length === 5 && parts[4] ? masked(`${parts.slice(0, 4).join(':')}:…`) : undefined;
}

/** A variable or a template, filled in elsewhere. */
const isReference = (secret: string): boolean => /^(\$|<|\{\{|%\w+%)|^(password|changeme|xxx+|\*+)$/i.test(secret);

/** What `hoop connect` printed: a session's own credential on this machine, recorded like everything else. */
const isHoops = (user: string, rest: string): boolean => user === 'hoop' && /^(127\.0\.0\.1|localhost)\b/.test(rest);

/** Parameters of a URL can hold secrets too. */
const masked = (text: string): string => text.replace(/([?&](?:password|sslpassword|token|key)=)[^&\s]*/gi, '$1…');
