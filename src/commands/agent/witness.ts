import { Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';

export default class AgentWitness extends BaseCommand<typeof AgentWitness> {
  static override summary = 'Print the agent’s own list of what it was shown of the record.';
  static override description =
    'For `hoop verify --witness`: its key, the last checkpoint of the log that it cosigned, and one line of JSON for each head: session, number and hash of its last entry, and whether that was the seal. It names nobody and quotes nothing. The agent may be running.';
  static override examples = ['<%= config.bin %> <%= command.id %> --config agent.yaml > witness.jsonl'];
  static override flags = {
    config: Flags.file({ description: 'agent configuration', default: 'agent.yaml' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(AgentWitness);
    const { readAgentConfig } = await import('../../agent/config.ts');
    const { witnessList } = await import('../../agent/witness-export.ts');
    const { stateDir } = await readAgentConfig(flags.config);
    process.stdout.write(await witnessList(stateDir));
  }
}
