import { Readable } from 'node:stream';
import * as Flags from '@oclif/core/flags';
import type * as z from 'zod';
import { BaseCommand } from '../../base-command.ts';
import { pagerFlag } from '../../client/pager-flag.ts';
import type { sessionsSchema } from '../../shared/api.ts';
import { started } from '../../shared/started.ts';
import { terminalSafeJson } from '../../ui/escape-control.ts';

export default class Sessions extends BaseCommand<typeof Sessions> {
  static override summary = 'List recorded sessions, newest first: yours, or as auditor or administrator all.';
  static override description = 'Read one with: hoop replay SESSION. Unique beginnings of an id are enough.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --resource orders-db --since 2d',
    '<%= config.bin %> <%= command.id %> --text "drop table" --class dangerous --errors',
    '<%= config.bin %> <%= command.id %> --follow --json | jq -r .id',
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
    text: Flags.string({
      description: 'with these words behind each other in a statement (drop tab* for a beginning); of what has ended',
    }),
    class: Flags.option({
      description: 'with a statement that does this, by the grammar of its resource; of what has ended',
      options: ['write', 'ddl', 'dangerous'] as const,
    })(),
    errors: Flags.boolean({ description: 'with an error or a refusal' }),
    after: Flags.string({ description: 'the page behind this session: `next` of --json', helpValue: 'SESSION' }),
    follow: Flags.boolean({
      description: 'then each session that starts, until Ctrl-C',
      exclusive: ['state', 'since', 'until', 'limit', 'text', 'class', 'errors', 'after'],
    }),
    limit: Flags.integer({ description: 'how many', min: 1, max: 1000, default: 50 }),
    ...pagerFlag,
  };

  async run(): Promise<z.infer<typeof sessionsSchema> | undefined> {
    const { flags } = await this.parse(Sessions);
    if (flags.follow) return this.#follow(flags);
    const { parseWhen } = await import('../../client/parse-time.ts');
    const { listSessions } = await import('../../client/list-sessions.ts');
    const { user, actor, resource, state, text, since, until, after, limit } = flags;
    const query = {
      ...defined({ user, actor, resource, state, text, after, class: flags.class }),
      ...(flags.errors ? { errors: true } : {}),
      ...(since === undefined ? {} : { since: parseWhen(since, '--since', Date.now()) }),
      ...(until === undefined ? {} : { until: parseWhen(until, '--until', Date.now()) }),
    };
    const { api } = await this.gateway(flags);
    const body = await listSessions(api, query, limit);
    if (this.jsonEnabled()) {
      started();
      return body;
    }
    const { sessionTable } = await import('../../ui/session-table.ts');
    if (body.sessions.length === 0) this.say('No sessions.');
    else await showPaged(`${sessionTable(body.sessions, Date.now())}\n`, flags.pager);
    if (body.next !== null) this.say(`More with --after ${body.next}`);
    started();
    return body;
  }

  async #follow({ user, actor, resource, ...flags }: Choice): Promise<undefined> {
    const { followSessions } = await import('../../client/follow-sessions.ts');
    const { sessionTable } = await import('../../ui/session-table.ts');
    const { api } = await this.gateway(flags);
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    const query = defined({ user, actor, resource });
    let isFirst = true;
    for await (const session of followSessions(api, query, { everyMillis: 1000, signal: stop.signal })) {
      const [title, line] = sessionTable([session], Date.now()).split('\n');
      if (this.jsonEnabled()) process.stdout.write(`${terminalSafeJson(session)}\n`);
      else this.log(isFirst ? `${title}\n${line}` : line);
      isFirst = false;
    }
  }

  /** Of `--follow` all was written already. */
  override logJson(json: unknown): void {
    if (json !== undefined) super.logJson(json);
  }
}

async function showPaged(text: string, isPaged: boolean): Promise<void> {
  const { openOutlet, writeAll } = await import('../../client/pager.ts');
  await writeAll(Readable.from([text]), await openOutlet(process.stdout, isPaged));
}

interface Choice {
  user?: string | undefined;
  actor?: string | undefined;
  resource?: string | undefined;
  gateway?: string | undefined;
  'ca-file'?: string | undefined;
}

/** Without what was not given. */
const defined = <T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
