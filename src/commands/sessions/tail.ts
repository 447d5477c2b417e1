import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { getSession, statementsOf } from '../../client/api/sessions.ts';
import { terminalSafeJson } from '../../ui/escape-control.ts';

export default class SessionsTail extends BaseCommand<typeof SessionsTail> {
  static override summary =
    'Follow a session that runs: what it did so far, then each statement when it is answered, to its end.';
  static override description =
    'A statement is shown when its outcome is durable, so one that takes long comes behind faster ones of other connections. Of a session that has ended all is shown at once.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> last',
    '<%= config.bin %> <%= command.id %> 7k3m9 --json | jq -r .text',
  ];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id, a unique beginning of one, or last', required: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SessionsTail);
    const [{ replayHeader, replayStatement }, { sessionState }, { writeTo }] = await Promise.all([
      import('../../ui/replay.ts'),
      import('../../ui/session-table.ts'),
      import('../../ui/write-to.ts'),
    ]);
    const { api } = await this.gateway(flags);
    const session = await getSession(api, args.session);
    const json = this.jsonEnabled();
    if (!json) this.log(replayHeader(session));
    for await (const statement of statementsOf(api, session.id, { follow: true })) {
      const line = json ? terminalSafeJson(statement) : `\n${replayStatement(statement, session)}`;
      await writeTo(process.stdout, `${line}\n`);
    }
    this.say(`session ${session.id}: ${sessionState(await getSession(api, session.id))}`);
  }

  /** One line, as the statements are. */
  override logJson(json: unknown): void {
    if (json !== undefined) process.stdout.write(`${terminalSafeJson(json)}\n`);
  }
}
