import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));
export const revisions = [
  ['today’s revision', Client, StdioClientTransport],
  ['the 2025 revisions', OldClient, OldTransport],
] as const;

export type Revision = readonly [string, unknown, unknown];

export interface Answer {
  content: { type: string; text: string }[];
  isError?: boolean;
  structuredContent?: Record<string, unknown>;
}

/** `hoop mcp orders-db` as a coding agent starts it, with a client of one of the SDK's generations. */
export async function startMcp([, AClient, ATransport]: Revision, env: Record<string, string>) {
  const client = new (AClient as typeof Client)({ name: 'cursor', version: '2.4.1' });
  const transport = new (ATransport as typeof StdioClientTransport)({
    command: process.execPath,
    args: [entry, 'mcp', 'orders-db'],
    env,
    stderr: 'ignore',
  });
  await client.connect(transport);
  const call = async (name: string, input: Record<string, unknown> = {}) =>
    (await client.callTool({ name, arguments: input })) as unknown as Answer;
  return { client, call };
}
