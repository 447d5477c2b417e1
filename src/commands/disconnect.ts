import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import { chosenCodingAgent, codingAgentFlags } from '../client/mcp/flags.ts';
import type { Unconfigured } from '../client/mcp/configure.ts';
import { UserError } from '../shared/errors.ts';

export default class Disconnect extends BaseCommand<typeof Disconnect> {
  static override summary = 'Remove what `hoop connect --cursor` wrote from the coding agent’s file.';
  static override description =
    'Exactly that entry: comments, other servers and their order stay. The file before is kept beside it.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> orders-db --cursor',
    '<%= config.bin %> <%= command.id %> orders-db --claude-code --global',
  ];
  static override enableJsonFlag = true;
  static override args = { resource: Args.string({ description: 'resource of the entry', required: true }) };
  static override flags = {
    ...codingAgentFlags,
    'mcp-server': Flags.string({
      description: 'the entry of this server of somebody else',
      helpValue: 'NAME',
      helpGroup: 'CODING AGENT',
    }),
  };

  async run(): Promise<Unconfigured> {
    const { args, flags } = await this.parse(Disconnect);
    const agent = chosenCodingAgent(flags);
    if (!agent) {
      throw new UserError('HOOP_USAGE', 'whose entry is to go is not said', {
        next: 'add --cursor, --claude-code or --vscode; a session of hoop connect ends with Ctrl-C',
      });
    }
    const { unconfigure } = await import('../client/mcp/configure.ts');
    const place = { isGlobal: flags.global, folder: process.cwd(), serverName: flags['mcp-server'] };
    const done = await unconfigure({ agent, resource: args.resource, ...place });
    const { unconfiguredText } = await import('../ui/configured.ts');
    if (!this.jsonEnabled()) this.log(unconfiguredText(done));
    return done;
  }
}
