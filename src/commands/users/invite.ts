import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { inviteUser } from '../../client/api/users.ts';

export default class UsersInvite extends BaseCommand<typeof UsersInvite> {
  static override summary = 'Make a new one-time link where a user sets a password.';
  static override description =
    'An older link of the same user stops working. Using the link ends the user’s sign-ins.';
  static override examples = ['<%= config.bin %> <%= command.id %> alice'];
  static override enableJsonFlag = true;
  static override args = { name: Args.string({ description: 'name of the user', required: true }) };

  async run(): Promise<{ url: string; expiresAt: string }> {
    const { args, flags } = await this.parse(UsersInvite);
    const { api } = await this.gateway(flags);
    const invitation = await inviteUser(api, args.name);
    const { timeAndAge } = await import('../../ui/print.ts');
    this.say(`Give ${args.name} this link; it works once, until ${timeAndAge(invitation.expiresAt, Date.now())}:`);
    this.log(invitation.url);
    return invitation;
  }
}
