import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { getSession } from '../../client/api/sessions.ts';
import type { SessionSummary } from '../../client/session-summary.ts';
import { chosenGateway } from '../../client/verify-apart.ts';
import type { Session } from '../../shared/api.ts';

export default class SessionsShow extends BaseCommand<typeof SessionsShow> {
  static override summary =
    'Show one session: who, what, from where, its connections, what was slow, what failed, and what hoop verify says.';
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

  async run(): Promise<{ session: Session; verdict: string | null } & SessionSummary> {
    const { args, flags } = await this.parse(SessionsShow);
    const { summarise } = await import('../../client/session-summary.ts');
    const { verifyApart } = await import('../../client/verify-apart.ts');
    const { sessionText } = await import('../../ui/session-text.ts');
    const { api } = await this.gateway(flags);
    const session = await getSession(api, args.session);
    const asked = new AbortController();
    const verified = verifyApart(session.id, chosenGateway(flags), asked.signal);
    const summary = await summarise(api, session.id).catch((error: unknown) => {
      asked.abort();
      throw error;
    });
    const verdict = await verified;
    this.log(sessionText(session, summary, verdict));
    return { session, verdict: verdict.isGood === undefined ? null : verdict.word, ...summary };
  }
}
