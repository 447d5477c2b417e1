import type * as z from 'zod';
import { BaseCommand } from '../../base-command.ts';
import { listAgents } from '../../client/api/agents.ts';
import type { agentsSchema } from '../../shared/api.ts';

export default class AgentsList extends BaseCommand<typeof AgentsList> {
  static override summary = 'List the agents, whether they are linked now, and what they serve.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];
  static override enableJsonFlag = true;

  async run(): Promise<z.infer<typeof agentsSchema>> {
    const { flags } = await this.parse(AgentsList);
    const { api } = await this.gateway(flags);
    const body = await listAgents(api);
    const { table, relativeTime, tone } = await import('../../ui/print.ts');
    this.log(
      table(body.agents, [
        { title: 'AGENT', value: ({ name }) => name },
        {
          title: 'STATE',
          value: ({ online, key }) => (online ? 'online' : key === null ? 'not joined' : 'offline'),
          paint: (text, { online }) => (online ? tone.good(text) : tone.warn(text)),
        },
        {
          title: 'LAST SEEN',
          value: ({ lastSeenAt }) => (lastSeenAt === null ? '-' : relativeTime(lastSeenAt, Date.now())),
        },
        { title: 'VERSION', value: ({ version }) => version ?? '-' },
        { title: 'KEY', value: ({ key }) => key ?? '-' },
        { title: 'RESOURCES', value: ({ resources }) => resources.join(', ') || '-' },
      ]),
    );
    return body;
  }
}
