import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { removeAgent } from '../../client/api/agents.ts';

export default class AgentsRemove extends BaseCommand<typeof AgentsRemove> {
  static override summary = 'Remove an agent: its link ends, its key is void, its resources are gone.';
  static override examples = ['<%= config.bin %> <%= command.id %> db-agent'];
  static override enableJsonFlag = true;
  static override args = { name: Args.string({ description: 'name of the agent', required: true }) };

  async run(): Promise<{ removed: string }> {
    const { args, flags } = await this.parse(AgentsRemove);
    const { api } = await this.gateway(flags);
    await removeAgent(api, args.name);
    this.say(`Removed agent ${args.name}.`);
    return { removed: args.name };
  }
}
