import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { started } from '../../shared/started.ts';
import { version } from '../../shared/version.ts';
import { getResource } from '../api/resources.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import { tellTale } from '../tell-tale.ts';
import { RecordedSession } from './recorded-session.ts';
import { registerRedisTools } from './redis-tools.ts';
import { registerSqlTools } from './sql-tools.ts';

export interface ServeMcpOptions {
  resource: string;
  /** `--as`; else what the coding agent calls itself. */
  actor: string | undefined;
  ttlMillis: number | undefined;
  caFile: string | undefined;
  gateway: () => Promise<OpenedGateway>;
  say: (line: string) => void;
}

/** So long after its start it has told the coding agent what it can do. */
const startMillis = 5000;

/**
 * An MCP server on standard input and output, until the input ends: one process, one session, one actor instance. The session is opened
 * by the first call of a tool, when it is known who calls.
 */
export async function serveMcp({ resource, actor, ttlMillis, caFile, gateway, say }: ServeMcpOptions): Promise<void> {
  const stop = new AbortController();
  const declared: Record<string, string> = {};
  const session = new RecordedSession({
    gateway,
    resource,
    declared,
    ttlMillis,
    caFile,
    say,
    actor: () => actor ?? declared['mcp client']?.split(' ')[0] ?? tellTale(process.env)?.actor,
    signal: stop.signal,
  });
  const handle = serveStdio(async () => {
    const isRedis = (await protocolOf(resource, gateway)) === 'redis';
    const server = new McpServer(
      { name: `hoop-${resource}`, title: `${resource}, recorded by hoop`, version },
      { capabilities: { tools: {} }, instructions: `${instructions(resource)}${isRedis ? '' : sqlInstructions}` },
    );
    const known = () => {
      const client = server.server.getClientVersion();
      if (client) declared['mcp client'] = `${client.name} ${client.version}`.slice(0, 512);
    };
    (isRedis ? registerRedisTools : registerSqlTools)(server, session, resource, known);
    return server;
  });
  setTimeout(started, startMillis).unref();
  const over = () => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, over);
  process.stdin.once('end', over).once('close', over);
  await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
  await handle.close();
  await session.closed();
  started();
}

/** Where nobody is signed in yet it is not known, and SQL is what most resources speak. */
const protocolOf = async (resource: string, gateway: () => Promise<OpenedGateway>): Promise<string | undefined> => {
  const asked = gateway().then(({ api }) => getResource(api, resource));
  return asked.then(
    ({ protocol }) => protocol,
    () => undefined,
  );
};

const instructions = (resource: string): string =>
  `Reads and changes ${resource} through hoop: everything is recorded with who asked for it.`;
const sqlInstructions = ' query reads, in a transaction that is rolled back; execute and transaction change.';
