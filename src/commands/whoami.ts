import { BaseCommand } from '../base-command.ts';
import { whoami } from '../client/api/account.ts';
import type { Whoami as WhoamiBody } from '../shared/api.ts';

export default class Whoami extends BaseCommand<typeof Whoami> {
  static override summary = 'Show who you are at the gateway.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];
  static override enableJsonFlag = true;

  async run(): Promise<WhoamiBody> {
    const { flags } = await this.parse(Whoami);
    const { api } = await this.gateway(flags);
    const who = await whoami(api);
    const { facts, timeAndAge } = await import('../ui/print.ts');
    this.log(
      facts([
        ['user', who.user],
        ['role', who.role],
        ['groups', who.groups.join(', ') || 'none'],
        ['gateway', `${who.gateway} (hoop ${who.gatewayVersion})`],
        ['by', who.via === 'token' ? 'HOOP_TOKEN' : 'sign-in'],
        ...(who.signedInAt === null ? [] : [['signed in', timeAndAge(who.signedInAt, Date.now())] as const]),
      ]),
    );
    return who;
  }
}
