import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import type { SessionSummary } from '../../client/session-summary.ts';
import type { Session } from '../../shared/api.ts';

export default class SessionsShow extends BaseCommand<typeof SessionsShow> {
  static override summary = 'Show one session: who, what, from where, its connections, what was slow and what failed.';
  static override description =
    'Connections and tool calls are shown as they were declared; only the user and the instance id are verified.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> last',
    '<%= config.bin %> <%= command.id %> 7k3m9 --json',
  ];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id, a unique beginning of one, or last', required: true }),
  };

  async run(): Promise<{ session: Session } & SessionSummary> {
    const { args, flags } = await this.parse(SessionsShow);
    const { summarise } = await import('../../client/session-summary.ts');
    const { sessionText } = await import('../../ui/session-text.ts');
    const { api } = await this.gateway(flags);
    const session = await api.session(args.session);
    const summary = await summarise(api, session.id);
    this.log(sessionText(session, summary));
    return { session, ...summary };
  }
}
