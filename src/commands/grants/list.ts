import * as Flags from '@oclif/core/flags';
import type * as z from 'zod';
import { BaseCommand } from '../../base-command.ts';
import { listGrants } from '../../client/api/grants.ts';
import type { grantsSchema } from '../../shared/api.ts';

export default class GrantsList extends BaseCommand<typeof GrantsList> {
  static override summary = 'List who may reach what.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --resource orders-db --json',
  ];
  static override enableJsonFlag = true;
  static override flags = {
    user: Flags.string({ description: 'only grants that name this user' }),
    resource: Flags.string({ description: 'only grants of this resource' }),
  };

  async run(): Promise<z.infer<typeof grantsSchema>> {
    const { flags } = await this.parse(GrantsList);
    const { api } = await this.gateway(flags);
    const body = await listGrants(api, { user: flags.user, resource: flags.resource });
    const { grantRules } = await import('../../ui/grant-rules.ts');
    const { table, localTime } = await import('../../ui/print.ts');
    this.log(
      table(body.grants, [
        { title: 'GRANT', value: ({ id }) => id },
        { title: 'WHO', value: ({ user, group }) => user ?? `group ${group}` },
        { title: 'RESOURCE', value: ({ resource }) => resource },
        { title: 'ONLY', value: (grant) => grantRules(grant) },
        { title: 'CREATED', value: ({ createdAt }) => localTime(createdAt) },
        { title: 'BY', value: ({ createdBy }) => createdBy },
      ]),
    );
    return body;
  }
}
