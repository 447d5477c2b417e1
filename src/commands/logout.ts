import { BaseCommand } from '../base-command.ts';

export default class Logout extends BaseCommand<typeof Logout> {
  static override summary = 'Sign out: revoke the sign-in at the gateway and forget its tokens.';
  static override description = 'Sessions that run on this sign-in end.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --gateway https://hoop.example.com',
  ];
  static override enableJsonFlag = true;

  async run(): Promise<{ gateway: string; signedOut: boolean }> {
    const { flags } = await this.parse(Logout);
    const { logout } = await import('../client/logout.ts');
    const { gateway, signedIn } = await logout({ gateway: flags.gateway, caFile: flags['ca-file'] });
    this.say(signedIn ? `Signed out at ${gateway}.` : `There was no sign-in at ${gateway}.`);
    return { gateway, signedOut: signedIn };
  }
}
