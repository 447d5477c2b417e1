import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { getResource } from '../../client/api/resources.ts';
import type { Resource } from '../../shared/api.ts';

export default class ResourcesShow extends BaseCommand<typeof ResourcesShow> {
  static override summary = 'Show where a resource is and how it is recorded.';
  static override examples = ['<%= config.bin %> <%= command.id %> orders-db'];
  static override enableJsonFlag = true;
  static override args = { resource: Args.string({ description: 'name of the resource', required: true }) };

  async run(): Promise<Resource> {
    const { args, flags } = await this.parse(ResourcesShow);
    const { api } = await this.gateway(flags);
    const resource = await getResource(api, args.resource);
    const { facts } = await import('../../ui/print.ts');
    const results = resource.results === 'rows' ? 'a digest, and the first rows' : 'a digest';
    this.log(
      facts([
        ['resource', resource.name],
        ['protocol', resource.protocol],
        ['address', `${resource.address}, as the agent dials it`],
        ['database', resource.database ?? '-'],
        ['tls', resource.tls],
        ['agent', `${resource.agent} (${resource.online ? 'online' : 'offline'})`],
        ['recorded', `always: every statement before it is forwarded; of results, ${results}`],
        ['sandbox', resource.sandbox ? 'yes: recorded sessions may be run again here' : 'no'],
        ['you may connect', resource.granted ? `yes: hoop connect ${resource.name}` : 'no: there is no grant for you'],
      ]),
    );
    return resource;
  }
}
