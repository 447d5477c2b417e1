import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { createAgent, newJoinToken } from '../../client/api/agents.ts';
import type { AgentCreated } from '../../shared/api.ts';

export default class AgentsCreate extends BaseCommand<typeof AgentsCreate> {
  static override summary = 'Create an agent; prints its join token, which works once and for 15 minutes.';
  static override description =
    'The agent makes its own key on first start, and the token pins it. --again makes a new token for an agent that exists: its next start with it brings a new key, and the old one is void.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> db-agent',
    '<%= config.bin %> <%= command.id %> db-agent --again',
  ];
  static override enableJsonFlag = true;
  static override args = { name: Args.string({ description: 'name of the agent', required: true }) };
  static override flags = { again: Flags.boolean({ description: 'a new join token for an agent that exists' }) };

  async run(): Promise<AgentCreated> {
    const { args, flags } = await this.parse(AgentsCreate);
    const { api, url } = await this.gateway(flags);
    const created = flags.again ? await newJoinToken(api, args.name) : await createAgent(api, args.name);
    const { timeAndAge } = await import('../../ui/print.ts');
    this.say(
      `Agent ${created.agent.name}. Beside the resource, before ${timeAndAge(created.joinToken.expiresAt, Date.now())}:`,
    );
    this.say(`  hoop agent start --gateway ${url} --join TOKEN --config agent.yaml`);
    this.say('TOKEN is this; it works once:');
    this.log(created.joinToken.token);
    return created;
  }
}
