import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import type { Session } from '../shared/api.ts';
import type { GatewayApi } from '../client/gateway-api.ts';
import { terminalSafeJson } from '../ui/escape-control.ts';
import type { FormatName, ReplaySource } from '../ui/formats/formats.ts';

// Spelled out here, so that help and completion need nothing of what writes them; its type says that they are the same.
const formats: readonly FormatName[] = ['text', 'json', 'sql', 'csv'];

export default class Replay extends BaseCommand<typeof Replay> {
  static override summary = 'Read a recorded session back: every statement in order, with parameters and outcome.';
  static override description =
    'Control characters of what was recorded are shown, never obeyed. json: one statement a line, as recorded. sql: a script for psql ' +
    '(of Redis: for redis-cli) that does the same again. csv: one statement a row.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> last',
    '<%= config.bin %> <%= command.id %> 7k3m9',
    '<%= config.bin %> <%= command.id %> last --json | jq -r .text',
    '<%= config.bin %> <%= command.id %> 7k3m9 --format sql | psql -X sandbox',
  ];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id, a unique beginning of one, or last', required: true }),
  };
  static override flags = {
    format: Flags.option({ description: 'how it is written', options: formats, default: 'text' })(),
    stream: Flags.integer({ description: 'only this connection of the session', min: 1 }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Replay);
    const { writeTo } = await import('../ui/write-to.ts');
    const { replayFormats } = await import('../ui/formats/formats.ts');
    const { CopySpools } = await import('../client/copy-spool.ts');
    const { api } = await this.gateway(flags);
    const session = await api.session(args.session);
    await using spools = new CopySpools();
    const format = this.jsonEnabled() ? 'json' : flags.format;
    const source = { ...this.#source(api, session), spool: spools.spool, stream: flags.stream };
    for await (const piece of replayFormats[format](source)) await writeTo(process.stdout, piece);
  }

  #source(api: GatewayApi, session: Session): Omit<ReplaySource, 'spool' | 'stream'> {
    return {
      session,
      statements: () => api.statements(session.id),
      entries: async function* () {
        const { recordedEntries } = await import('../client/recorded-entries.ts');
        yield* recordedEntries(api, session.id);
      },
      say: (line) => this.say(line),
    };
  }

  /** One line, as the statements are. */
  override logJson(json: unknown): void {
    process.stdout.write(`${terminalSafeJson(json)}\n`);
  }
}
