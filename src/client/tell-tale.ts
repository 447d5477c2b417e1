/** Variables that coding agents set for the programs that they start, and the names under which the agents are known. */
const tellTales = {
  CURSOR_AGENT: 'cursor',
  CLAUDECODE: 'claude-code',
  GEMINI_CLI: 'gemini-cli',
  CODEX_SANDBOX: 'codex',
  OPENCODE: 'opencode',
} as const;

export interface TellTale {
  actor: string;
  /** How it is known: recorded as declared. */
  declared: Record<string, string>;
}

/** The coding agent that started this process, as the environment says; undefined where nothing says so. */
export function tellTale(environment: NodeJS.ProcessEnv): TellTale | undefined {
  for (const [variable, actor] of Object.entries(tellTales))
    if (environment[variable]) return { actor, declared: { 'tell-tale': variable } };
  return undefined;
}
