import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import type { CodingAgentName } from '../client/mcp/coding-agents.ts';
import type { ConfigureFlags } from '../client/mcp/configure.ts';
import { thirdPartyServer } from '../client/mcp/third-party.ts';
import { chosenCodingAgent, codingAgentFlags } from '../client/mcp/flags.ts';

export default class Connect extends BaseCommand<typeof Connect> {
  static override summary = 'Open a local port to a resource; every statement through it is recorded.';
  static override description = `Opens a session at the gateway and a port on 127.0.0.1, prints the DSN on stdout, and stays until Ctrl-C.
Without a name it takes the resources that the repository's .hoop.json names (see \`hoop init\`).
After sleep, a lost network or a restart of the gateway it comes back with a successor session on the same port and credential.
With --cursor, --claude-code or --vscode it opens nothing: it writes an entry that lets that coding agent start \`hoop mcp\`, and exits.
With \`-- COMMAND\` it runs the command with PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and DATABASE_URL set, and returns its exit code.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> orders-db',
    '<%= config.bin %> <%= command.id %> orders-db --as cursor --port 5433',
    '<%= config.bin %> <%= command.id %> orders-db billing-db',
    '<%= config.bin %> <%= command.id %> orders-db -- psql -c "select count(*) from orders"',
    '<%= config.bin %> <%= command.id %> orders-db --socket ~/.hoop-sockets',
    '<%= config.bin %> <%= command.id %> orders-db --cursor',
    '<%= config.bin %> <%= command.id %> orders-db --cursor --mcp-server dbhub',
  ];
  static override strict = false;
  static override enableJsonFlag = true;
  static override args = {
    resource: Args.string({ description: 'resource to connect; several may be named (none: those of .hoop.json)' }),
  };
  static override flags = {
    port: Flags.integer({
      description: 'local port (default: the one used before, or a free one; 0: a free one)',
      min: 0,
      max: 65_535,
    }),
    socket: Flags.string({
      description: 'listen on a unix socket in this folder too, which only you may enter, and print a DSN for it',
      helpValue: 'FOLDER',
    }),
    as: Flags.string({
      description: 'name of the coding agent, recorded as declared',
      helpValue: 'NAME',
      env: 'HOOP_ACTOR',
    }),
    ttl: Flags.string({ description: 'end the session after so long: 90s, 30m, 8h', helpValue: 'TIME' }),
    'keep-credential': Flags.boolean({
      description: 'the same local password (and port) as the last time, for graphical programs that remember one',
    }),
    ...codingAgentFlags,
    print: Flags.boolean({ description: 'with --cursor and its like: only show the entry', helpGroup: 'CODING AGENT' }),
    'mcp-server': Flags.string({
      description:
        'with --cursor and its like: a server of somebody else, by `hoop run` (dbhub, or any with -- COMMAND)',
      helpValue: 'NAME',
      helpGroup: 'CODING AGENT',
    }),
  };

  async run(): Promise<void> {
    const separator = this.argv.indexOf('--');
    const own = separator < 0 ? this.argv : this.argv.slice(0, separator);
    const command = separator < 0 ? undefined : this.argv.slice(separator + 1); // parse() replaces this.argv
    const { argv, flags } = await this.parse(Connect, own);
    const { resources, gateway } = await this.chosen(argv as string[], flags.gateway);
    const agent = chosenCodingAgent(flags);
    const server = flags['mcp-server'];
    if (agent) {
      const thirdParty = server === undefined ? undefined : thirdPartyServer(server, command);
      return this.configure(agent, resources, { ...flags, gateway, server: thirdParty });
    }
    const { parseSpan } = await import('../client/parse-time.ts');
    const { runConnect } = await import('../client/run-connect.ts');
    const { openConnectView } = await import('../ui/connect-view.ts');
    process.exitCode = await runConnect({
      resources,
      command,
      port: flags.port,
      socketFolder: flags.socket,
      actor: flags.as,
      ttlMillis: flags.ttl === undefined ? undefined : parseSpan(flags.ttl, '--ttl'),
      keepCredential: flags['keep-credential'],
      caFile: flags['ca-file'],
      gateway: () => this.gateway({ ...flags, gateway }),
      json: this.jsonEnabled(),
      say: (line) => this.say(line),
      print: (line) => this.print(line),
      openView: openConnectView,
    });
  }

  private async chosen(named: string[], gateway: string | undefined) {
    const { chosenResources } = await import('../client/project/chosen-resources.ts');
    const { askAtTerminal } = await import('../client/ask-line.ts');
    return chosenResources(named, gateway, { folder: process.cwd(), ask: askAtTerminal() });
  }

  private async configure(agent: CodingAgentName, resources: string[], flags: ConfigureFlags): Promise<void> {
    const { configureAll } = await import('../client/mcp/configure.ts');
    const { configuredText } = await import('../ui/configured.ts');
    const place = { agent, root: this.config.root, folder: process.cwd() };
    for (const configured of await configureAll(resources, { ...flags, ...place })) {
      if (this.jsonEnabled()) this.print(JSON.stringify(configured));
      else this.log(configuredText(configured, flags.print));
    }
  }

  /** Also under --json, where `log` is silent: one object a line, as each resource becomes ready. */
  private print(line: string): void {
    process.stdout.write(`${line}\n`);
  }

  /** The lines are the output. */
  override logJson(json: unknown): void {
    if (json !== undefined) super.logJson(json);
  }
}
