import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';

export default class Mcp extends BaseCommand<typeof Mcp> {
  static override summary = 'Serve a resource to a coding agent, as an MCP server on standard input and output.';
  static override description = `Started by the coding agent itself (Cursor, Claude Code, VS Code), which needs no network for it.
Each process is a session of its own. Everything that a tool sends to the resource is recorded, with the id of the call.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %> orders-db',
    '<%= config.bin %> <%= command.id %> orders-db --as cursor',
  ];
  static override args = { resource: Args.string({ description: 'resource to serve', required: true }) };
  static override flags = {
    as: Flags.string({
      description: 'name of the coding agent, recorded as declared (default: what it calls itself)',
      helpValue: 'NAME',
      env: 'HOOP_ACTOR',
    }),
    ttl: Flags.string({ description: 'end the session after so long: 90s, 30m, 8h', helpValue: 'TIME' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Mcp);
    const { parseSpan } = await import('../client/parse-time.ts');
    const { serveMcp } = await import('../client/mcp/serve-mcp.ts');
    await serveMcp({
      resource: args.resource,
      actor: flags.as,
      ttlMillis: flags.ttl === undefined ? undefined : parseSpan(flags.ttl, '--ttl'),
      caFile: flags['ca-file'],
      gateway: () => this.gateway(flags),
      say: (line) => this.say(line),
    });
  }
}
