import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { createToken } from '../../client/api/tokens.ts';
import type { TokenCreated } from '../../shared/api.ts';

export default class TokensCreate extends BaseCommand<typeof TokensCreate> {
  static override summary = 'Create a token for CI; prints it once. Set it as HOOP_TOKEN.';
  static override description =
    'It acts as the user, within that user’s grants, and cannot administer. hoop exchanges it at once for a short-lived token that is bound to a key of its own process.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --user ci --ttl 30d --name "nightly tests"',
    'export HOOP_TOKEN=$(<%= config.bin %> <%= command.id %> --user ci --ttl 2h)',
  ];
  static override enableJsonFlag = true;
  static override flags = {
    user: Flags.string({ description: 'as whom the token acts', required: true }),
    ttl: Flags.string({ description: 'how long it works: 30min, 12h, 30d, up to 366d', default: '24h' }),
    name: Flags.string({ description: 'what it is for' }),
  };

  async run(): Promise<TokenCreated> {
    const { flags } = await this.parse(TokensCreate);
    const { parseSpan } = await import('../../client/parse-time.ts');
    const ttlSeconds = Math.floor(parseSpan(flags.ttl, '--ttl') / 1000);
    const { api } = await this.gateway(flags);
    const named = flags.name === undefined ? {} : { name: flags.name };
    const created = await createToken(api, { user: flags.user, ttlSeconds, ...named });
    const { timeAndAge } = await import('../../ui/print.ts');
    const { id, user, expiresAt } = created.token;
    this.say(`Token ${id} acts as ${user} until ${timeAndAge(expiresAt, Date.now())}. It is not shown again:`);
    this.log(created.secret);
    return created;
  }
}
