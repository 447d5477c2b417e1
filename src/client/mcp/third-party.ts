import { UserError } from '../../shared/errors.ts';

/** An MCP server of somebody else, started by `hoop run`: it gets the DSN in its environment, so that no file holds a password. */
export interface ThirdPartyServer {
  name: string;
  /** What starts it. */
  command: string[];
  /** The variable in which it looks for the DSN, where that is not DATABASE_URL. */
  variable?: string;
}

/** Those whose command line is known. */
const known: Record<string, Omit<ThirdPartyServer, 'name'>> = {
  /** https://github.com/bytebase/dbhub, docs/config/command-line.mdx */
  dbhub: { command: ['npx', '-y', '@bytebase/dbhub', '--transport', 'stdio'], variable: 'DSN' },
};

/** By its name alone, or any one with what stands behind `--`. Throws UserError. */
export function thirdPartyServer(name: string, command: string[] | undefined): ThirdPartyServer {
  if (!/^[\w.-]{1,63}$/.test(name)) {
    throw new UserError('HOOP_USAGE', `${JSON.stringify(name)} is no name for a server`, {
      next: 'use letters, digits, dots, - and _',
    });
  }
  if (command?.length) return { name, command };
  const server = Object.hasOwn(known, name) ? known[name] : undefined;
  if (server) return { name, ...server };
  throw new UserError('HOOP_USAGE', `how the server ${name} is started is not known`, {
    next: `say it behind --, for example: hoop connect RESOURCE --cursor --mcp-server ${name} -- npx -y PACKAGE`,
  });
}

/** The entry's name in the coding agent's file: one server may be there for several resources. */
export const thirdPartyEntryName = (resource: string, server: string): string => `${resource}-${server}`;
