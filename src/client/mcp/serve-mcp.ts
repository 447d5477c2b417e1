import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { version } from '../../shared/version.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import { RecordedSession } from './recorded-session.ts';
import { registerSqlTools } from './sql-tools.ts';

export interface ServeMcpOptions {
  resource: string;
  /** `--as`; else what the coding agent calls itself. */
  actor: string | undefined;
  caFile: string | undefined;
  gateway: () => Promise<OpenedGateway>;
  say: (line: string) => void;
}

/**
 * An MCP server on standard input and output, until the input ends: one process, one session, one actor instance. The session is opened
 * by the first call of a tool, when it is known who calls.
 */
export async function serveMcp({ resource, actor, caFile, gateway, say }: ServeMcpOptions): Promise<void> {
  const stop = new AbortController();
  const declared: Record<string, string> = {};
  const session = new RecordedSession({
    gateway,
    resource,
    declared,
    caFile,
    say,
    actor: () => actor ?? declared['mcp client']?.split(' ')[0],
    signal: stop.signal,
  });
  const handle = serveStdio(() => {
    const server = new McpServer(
      { name: `hoop-${resource}`, title: `${resource}, recorded by hoop`, version },
      { capabilities: { tools: {} }, instructions: instructions(resource) },
    );
    const known = () => {
      const client = server.server.getClientVersion();
      if (client) declared['mcp client'] = `${client.name} ${client.version}`.slice(0, 512);
    };
    registerSqlTools(server, session, resource, known);
    return server;
  });
  const over = () => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, over);
  process.stdin.once('end', over).once('close', over);
  await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
  await handle.close();
  await session.closed();
}

const instructions = (resource: string): string =>
  `Reads and changes ${resource} through hoop: every statement is recorded with who asked for it. ` +
  'query reads, in a transaction that is rolled back; execute and transaction change.';
