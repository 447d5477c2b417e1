import * as Flags from '@oclif/core/flags';
import type * as z from 'zod';
import { BaseCommand } from '../../base-command.ts';
import type { sessionsSchema } from '../../shared/api.ts';

export default class Sessions extends BaseCommand<typeof Sessions> {
  static override summary = 'List recorded sessions, newest first: yours, or as auditor or administrator all.';
  static override description = 'Read one with: hoop replay SESSION. Unique beginnings of an id are enough.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --resource orders-db --since 2d',
    '<%= config.bin %> <%= command.id %> --user alice --actor cursor --state interrupted --json',
  ];
  static override enableJsonFlag = true;
  static override flags = {
    user: Flags.string({ description: 'only of this user' }),
    actor: Flags.string({ description: 'only of this coding agent (as declared)' }),
    resource: Flags.string({ description: 'only on this resource' }),
    state: Flags.option({
      description: 'only in this state',
      options: ['live', 'sealed', 'interrupted', 'truncated', 'altered'] as const,
    })(),
    since: Flags.string({ description: 'started since: 2h, 3d, 2026-11-22, 2026-11-22T10:00' }),
    until: Flags.string({ description: 'started before: the same' }),
    limit: Flags.integer({ description: 'how many', min: 1, max: 1000, default: 50 }),
  };

  async run(): Promise<z.infer<typeof sessionsSchema>> {
    const { flags } = await this.parse(Sessions);
    const { parseWhen } = await import('../../client/parse-time.ts');
    const { user, actor, resource, state, since, until, limit } = flags;
    const query = {
      ...(user === undefined ? {} : { user }),
      ...(actor === undefined ? {} : { actor }),
      ...(resource === undefined ? {} : { resource }),
      ...(state === undefined ? {} : { state }),
      ...(since === undefined ? {} : { since: parseWhen(since, '--since', Date.now()) }),
      ...(until === undefined ? {} : { until: parseWhen(until, '--until', Date.now()) }),
      limit,
    };
    const { api } = await this.gateway(flags);
    const body = await api.sessions(query);
    if (this.jsonEnabled()) return body;
    const { sessionTable } = await import('../../ui/session-table.ts');
    if (body.sessions.length === 0) this.say('No sessions.');
    else this.log(sessionTable(body.sessions, Date.now()));
    if (body.sessions.length === limit) this.say(`The newest ${limit}; more with --limit or --until.`);
    return body;
  }
}
