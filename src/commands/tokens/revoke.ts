import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { revokeToken } from '../../client/api/tokens.ts';

export default class TokensRevoke extends BaseCommand<typeof TokensRevoke> {
  static override summary = 'Revoke a token: what was exchanged for it and its live sessions end.';
  static override examples = ['<%= config.bin %> <%= command.id %> TOKEN'];
  static override enableJsonFlag = true;
  static override args = { token: Args.string({ description: 'id of the token (see tokens list)', required: true }) };

  async run(): Promise<{ revoked: string }> {
    const { args, flags } = await this.parse(TokensRevoke);
    const { api } = await this.gateway(flags);
    await revokeToken(api, args.token);
    this.say(`Revoked token ${args.token}.`);
    return { revoked: args.token };
  }
}
