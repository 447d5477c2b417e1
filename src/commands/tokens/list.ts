import * as Flags from '@oclif/core/flags';
import type * as z from 'zod';
import { BaseCommand } from '../../base-command.ts';
import { listTokens } from '../../client/api/tokens.ts';
import type { tokensSchema } from '../../shared/api.ts';

export default class TokensList extends BaseCommand<typeof TokensList> {
  static override summary = 'List tokens: yours, or as administrator all.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --user ci --json',
  ];
  static override enableJsonFlag = true;
  static override flags = { user: Flags.string({ description: 'only tokens that act as this user' }) };

  async run(): Promise<z.infer<typeof tokensSchema>> {
    const { flags } = await this.parse(TokensList);
    const { api } = await this.gateway(flags);
    const body = await listTokens(api, { user: flags.user });
    const { table, localTime, relativeTime } = await import('../../ui/print.ts');
    const now = Date.now();
    this.log(
      table(body.tokens, [
        { title: 'TOKEN', value: ({ id }) => id },
        { title: 'USER', value: ({ user }) => user },
        { title: 'NAME', value: ({ name }) => name ?? '-' },
        { title: 'CREATED', value: ({ createdAt }) => localTime(createdAt) },
        {
          title: 'EXPIRES',
          value: ({ expiresAt }) => (Date.parse(expiresAt) <= now ? 'expired' : relativeTime(expiresAt, now)),
        },
        {
          title: 'LAST USED',
          value: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : relativeTime(lastUsedAt, now)),
        },
      ]),
    );
    return body;
  }
}
