import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import { UserError } from '../../shared/errors.ts';
import type { StreamOpen } from '../../shared/handshake.ts';

/** What the record says of a call, as the coding agent declares it. */
export function declaredOf(tool: string, { mcpReq }: ServerContext): StreamOpen['evidence'] {
  const { progressToken: _, ...meta } = mcpReq._meta ?? {};
  return {
    pid: process.ppid,
    tool,
    call: String(mcpReq.id).slice(0, 200),
    ...(Object.keys(meta).length > 0 && { meta: JSON.stringify(meta).slice(0, 2048) }),
  };
}

export function success(result: unknown): CallToolResult {
  return {
    content: [{ type: 'text', text: JSON.stringify(result) }],
    structuredContent: result as Record<string, unknown>,
  };
}

/** As a model can use it: what happened, and what to do about it. */
export function failure(error: unknown): CallToolResult {
  return { content: [{ type: 'text', text: describe(error) }], isError: true };
}

interface ServerError {
  message: string;
  code?: string;
  detail?: string;
  hint?: string;
  position?: string;
  where?: string;
}

function describe(error: unknown): string {
  if (error instanceof UserError) return lines([error.message, error.next && `Next: ${error.next}`]);
  const { message, code, detail, hint, position, where } = error as ServerError;
  return lines([
    code === undefined ? message : `ERROR ${code}: ${message}`,
    detail && `Detail: ${detail}`,
    hint && `Hint: ${hint}`,
    position && `At character ${position} of the statement.`,
    where && `In ${where}.`,
  ]);
}

const lines = (all: (string | undefined)[]): string => all.filter(Boolean).join('\n');
