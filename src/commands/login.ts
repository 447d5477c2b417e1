import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import type { Whoami } from '../shared/api.ts';

export default class Login extends BaseCommand<typeof Login> {
  static override summary = 'Sign in at a gateway; you approve a code in a browser.';
  static override description =
    'The code can be approved in a browser on any machine; with --browser there is none, and the page must be opened on this one. Tokens are bound to a key of this machine and kept in the keychain or, without one, in a file that only you can read. For CI set HOOP_TOKEN instead.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --gateway https://hoop.example.com',
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --browser',
    '<%= config.bin %> <%= command.id %> --token-store file',
  ];
  static override enableJsonFlag = true;
  static override flags = {
    'token-store': Flags.option({
      description: 'where tokens are kept (default: as before; at first the keychain where it works)',
      options: ['keychain', 'file'] as const,
    })(),
    browser: Flags.boolean({ description: 'sign in with this machine’s browser, without a code (RFC 8252)' }),
    open: Flags.boolean({ description: 'open the page in this machine’s browser at once' }),
  };

  async run(): Promise<Whoami> {
    const { flags } = await this.parse(Login);
    const { login } = await import('../client/login.ts');
    const { who, place } = await login({
      gateway: flags.gateway,
      caFile: flags['ca-file'],
      tokenStore: flags['token-store'],
      open: flags.open,
      browser: flags.browser,
      say: (line) => this.say(line),
    });
    this.say(`Signed in as ${who.user} (${who.role}) at ${who.gateway}. Tokens are in ${place}.`);
    return who;
  }
}
