import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { removeUser } from '../../client/api/users.ts';

export default class UsersRemove extends BaseCommand<typeof UsersRemove> {
  static override summary = 'Remove a user: sign-ins, tokens and live sessions end; recordings stay.';
  static override examples = ['<%= config.bin %> <%= command.id %> alice'];
  static override enableJsonFlag = true;
  static override args = { name: Args.string({ description: 'name of the user', required: true }) };

  async run(): Promise<{ removed: string }> {
    const { args, flags } = await this.parse(UsersRemove);
    const { api } = await this.gateway(flags);
    await removeUser(api, args.name);
    this.say(`Removed ${args.name}.`);
    return { removed: args.name };
  }
}
