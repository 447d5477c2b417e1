import * as Args from '@oclif/core/args';
import { BaseCommand } from '../base-command.ts';
import { terminalSafeJson } from '../ui/escape-control.ts';

export default class Replay extends BaseCommand<typeof Replay> {
  static override summary = 'Read a recorded session back: every statement in order, with parameters and outcome.';
  static override description =
    'Control characters of what was recorded are shown, never obeyed. With --json one statement a line, as recorded.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> last',
    '<%= config.bin %> <%= command.id %> 7k3m9',
    '<%= config.bin %> <%= command.id %> last --json | jq -r .text',
  ];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id, a unique beginning of one, or last', required: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Replay);
    const { writeTo } = await import('../ui/write-to.ts');
    const { api } = await this.gateway(flags);
    const session = await api.session(args.session);
    if (this.jsonEnabled()) {
      for await (const statement of api.statements(session.id))
        await writeTo(process.stdout, `${terminalSafeJson(statement)}\n`);
      return;
    }
    const { replayHeader, replayStatement } = await import('../ui/replay.ts');
    this.log(replayHeader(session));
    let shown = 0;
    for await (const statement of api.statements(session.id)) {
      shown++;
      await writeTo(process.stdout, `\n${replayStatement(statement, session)}\n`);
    }
    if (shown === 0) this.say('\nNo statements.');
  }

  /** One line, as the statements are. */
  override logJson(json: unknown): void {
    process.stdout.write(`${terminalSafeJson(json)}\n`);
  }
}
