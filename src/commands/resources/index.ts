import type * as z from 'zod';
import { BaseCommand } from '../../base-command.ts';
import { listResources } from '../../client/api/resources.ts';
import type { resourcesSchema } from '../../shared/api.ts';

export default class Resources extends BaseCommand<typeof Resources> {
  static override summary = 'List the resources that you may reach.';
  static override description =
    'Administrators and auditors see all resources, and which of them they may reach themselves.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];
  static override enableJsonFlag = true;

  async run(): Promise<z.infer<typeof resourcesSchema>> {
    const { flags } = await this.parse(Resources);
    const { api } = await this.gateway(flags);
    const body = await listResources(api);
    const { rememberResources } = await import('../../client/known-resources.ts');
    await rememberResources(
      api.url,
      body.resources.map(({ name }) => name),
    );
    const { pinAgentKeys } = await import('../../client/agent-keys.ts');
    for (const line of await pinAgentKeys(api.url, body.resources)) this.logToStderr(line);
    const { table, tone } = await import('../../ui/print.ts');
    if (body.resources.length === 0) this.say('No resources yet: an administrator grants them (hoop grants add).');
    else
      this.log(
        table(body.resources, [
          { title: 'RESOURCE', value: ({ name }) => name },
          { title: 'PROTOCOL', value: ({ protocol }) => protocol },
          {
            title: 'STATE',
            value: ({ online }) => (online ? 'online' : 'agent offline'),
            paint: (text, { online }) => (online ? tone.good(text) : tone.warn(text)),
          },
          { title: 'AGENT', value: ({ agent }) => agent },
          { title: 'YOU MAY CONNECT', value: ({ granted }) => (granted ? 'yes' : 'no') },
        ]),
      );
    return body;
  }
}
