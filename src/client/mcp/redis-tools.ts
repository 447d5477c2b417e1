import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { RecordedSession } from './recorded-session.ts';
import { runCommand } from './redis-command.ts';
import { declaredOf, failure, success } from './tool-call.ts';

/** The tool of a Redis resource. Each call has a connection of its own: WATCH, MULTI and SELECT do not reach the next. */
export function registerRedisTools(
  server: McpServer,
  session: RecordedSession,
  resource: string,
  beforeCall: () => void,
): void {
  server.registerTool(
    'command',
    {
      title: `Command to ${resource}`,
      description:
        'Runs one Redis command, given as its words. It is recorded. Each call has a connection of its own; for several at once use EVAL.',
      inputSchema: z.object({
        command: z.array(z.string()).min(1).describe('the command’s words: ["GET", "key"]'),
      }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    },
    async ({ command }, context) => {
      try {
        beforeCall();
        const { connect, info } = await session.ready();
        const socket = connect(declaredOf('command', context));
        const { signal } = context.mcpReq;
        return success({ reply: await runCommand(socket, info.environment, command, signal) });
      } catch (error) {
        return failure(error);
      }
    },
  );
}
