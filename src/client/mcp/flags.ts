import * as Flags from '@oclif/core/flags';
import { UserError } from '../../shared/errors.ts';
import type { CodingAgentName } from './coding-agents.ts';

const helpGroup = 'CODING AGENT';

/** Which coding agent's file is meant, and where. */
export const codingAgentFlags = {
  cursor: Flags.boolean({ description: 'Cursor’s mcp.json', helpGroup }),
  'claude-code': Flags.boolean({ description: 'Claude Code’s .mcp.json', helpGroup }),
  vscode: Flags.boolean({ description: 'VS Code’s mcp.json', helpGroup }),
  global: Flags.boolean({ description: 'the file for all projects instead of this folder’s', helpGroup }),
};

export interface CodingAgentChoice {
  cursor: boolean;
  'claude-code': boolean;
  vscode: boolean;
  global: boolean;
}

/** The one that was named; undefined when none was. Throws UserError for two. */
export function chosenCodingAgent(flags: CodingAgentChoice): CodingAgentName | undefined {
  const chosen = (['cursor', 'claude-code', 'vscode'] as const).filter((name) => flags[name]);
  if (chosen.length <= 1) return chosen[0];
  throw new UserError('HOOP_USAGE', `one coding agent at a time: ${chosen.map((name) => `--${name}`).join(' and ')}`, {
    next: 'run it once for each',
  });
}
