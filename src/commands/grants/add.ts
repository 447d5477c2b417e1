import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { createGrant } from '../../client/api/grants.ts';
import type { Grant } from '../../shared/api.ts';

export default class GrantsAdd extends BaseCommand<typeof GrantsAdd> {
  static override summary = 'Let a user or a group reach a resource. Without a grant nobody does.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --user alice --resource orders-db',
    "<%= config.bin %> <%= command.id %> --group backend --resource '*'",
    '<%= config.bin %> <%= command.id %> --user alice --resource orders-db --actor cursor --max-ttl 8h',
  ];
  static override enableJsonFlag = true;
  static override flags = {
    user: Flags.string({ description: 'who: a user', exactlyOne: ['user', 'group'] }),
    group: Flags.string({ description: 'who: all users of a group', exactlyOne: ['user', 'group'] }),
    resource: Flags.string({ description: 'what: a resource, or * for all', required: true }),
    actor: Flags.string({
      description: 'only by the coding agent of this (declared) name; may be repeated',
      multiple: true,
    }),
    'require-actor': Flags.boolean({ description: 'only by a coding agent that says who it is' }),
    'max-ttl': Flags.string({ description: 'sessions live so long after their approval: 30m, 8h', helpValue: 'TIME' }),
  };

  async run(): Promise<Grant> {
    const { flags } = await this.parse(GrantsAdd);
    const { user, group, resource, actor: actors } = flags;
    const { parseSpan, ttlSecondsOf } = await import('../../client/parse-time.ts');
    const most = flags['max-ttl'];
    const { unofferedResource } = await import('../../client/unoffered-resource.ts');
    const { api } = await this.gateway(flags);
    const warning = await unofferedResource(api, resource);
    const grant = await createGrant(api, {
      resource,
      ...(user === undefined ? {} : { user }),
      ...(group === undefined ? {} : { group }),
      ...(actors === undefined ? {} : { actors }),
      ...(flags['require-actor'] && { requireActor: true }),
      ...(most === undefined ? {} : { maxTtlSeconds: ttlSecondsOf(parseSpan(most, '--max-ttl')) }),
    });
    const who = grant.user ?? `group ${grant.group}`;
    if (warning !== undefined) this.say(`Warning: ${warning}`);
    this.say(`${who} may reach ${grant.resource === '*' ? 'every resource' : grant.resource}. The grant:`);
    this.log(grant.id);
    return grant;
  }
}
