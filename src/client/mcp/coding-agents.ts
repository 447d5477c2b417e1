import { homedir } from 'node:os';
import { join } from 'node:path';

/** A coding agent that starts MCP servers which a file of its own names. */
export interface CodingAgent {
  name: string;
  /** The key under which its file lists servers. */
  serversKey: string;
  /** The file of one project. */
  projectFile: (folder: string) => string;
  /** The file for all projects of this user. */
  globalFile: () => string;
  /** What stands in an entry beside command and args. */
  extra?: Record<string, string>;
  /** A link that installs the entry when it is clicked. */
  link?: (name: string, entry: object) => string;
}

/** Where VS Code keeps what is the user's own. */
function codeFolder(): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Code', 'User');
  if (process.platform === 'win32') return join(process.env['APPDATA'] ?? homedir(), 'Code', 'User');
  return join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'Code', 'User');
}

export const codingAgents = {
  /** https://docs.cursor.com/context/mcp */
  cursor: {
    name: 'Cursor',
    serversKey: 'mcpServers',
    projectFile: (folder) => join(folder, '.cursor', 'mcp.json'),
    globalFile: () => join(homedir(), '.cursor', 'mcp.json'),
    link: (name, entry) => {
      const config = Buffer.from(JSON.stringify(entry)).toString('base64');
      return `cursor://anysphere.cursor-deeplink/mcp/install?name=${encodeURIComponent(name)}&config=${encodeURIComponent(config)}`;
    },
  },
  /** https://docs.claude.com/en/docs/claude-code/mcp */
  'claude-code': {
    name: 'Claude Code',
    serversKey: 'mcpServers',
    projectFile: (folder) => join(folder, '.mcp.json'),
    globalFile: () => join(homedir(), '.claude.json'),
    extra: { type: 'stdio' },
  },
  /** https://code.visualstudio.com/docs/copilot/customization/mcp-servers */
  vscode: {
    name: 'VS Code',
    serversKey: 'servers',
    projectFile: (folder) => join(folder, '.vscode', 'mcp.json'),
    globalFile: () => join(codeFolder(), 'mcp.json'),
    extra: { type: 'stdio' },
  },
} satisfies Record<string, CodingAgent>;

export type CodingAgentName = keyof typeof codingAgents;
