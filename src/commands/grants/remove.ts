import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { removeGrant } from '../../client/api/grants.ts';

export default class GrantsRemove extends BaseCommand<typeof GrantsRemove> {
  static override summary = 'Take a grant back; live sessions that stand on it end.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --user alice --resource orders-db',
    '<%= config.bin %> <%= command.id %> GRANT',
  ];
  static override enableJsonFlag = true;
  static override args = { grant: Args.string({ description: 'id of the grant (see grants list)' }) };
  static override flags = {
    user: Flags.string({ description: 'instead of an id: the user', exclusive: ['group'] }),
    group: Flags.string({ description: 'instead of an id: the group' }),
    resource: Flags.string({ description: 'instead of an id: the resource' }),
  };

  async run(): Promise<{ removed: string }> {
    const { args, flags } = await this.parse(GrantsRemove);
    const { user, group, resource } = flags;
    const { findGrant } = await import('../../client/find-grant.ts');
    const { api } = await this.gateway(flags);
    const id = await findGrant(api, { id: args.grant, user, group, resource });
    await removeGrant(api, id);
    this.say(`Removed grant ${id}.`);
    return { removed: id };
  }
}
