import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import { entriesOf, getSession, statementsOf } from '../client/api/sessions.ts';
import { pagerFlag } from '../client/pager-flag.ts';
import { rerunFlags, type RerunFlags } from '../client/rerun/flags.ts';
import type { Session } from '../shared/api.ts';
import { UserError } from '../shared/errors.ts';
import type { GatewayApi } from '../client/gateway-api.ts';
import { terminalSafeJson } from '../ui/escape-control.ts';
import type { FormatName, ReplaySource } from '../ui/formats/formats.ts';

// Spelled out here, so that help and completion need nothing of what writes them; its type says that they are the same.
const formats: readonly FormatName[] = ['text', 'json', 'sql', 'csv', 'html'];

interface Choice {
  gateway?: string | undefined;
  'ca-file'?: string | undefined;
}

export default class Replay extends BaseCommand<typeof Replay> {
  static override summary = 'Read a recorded session back: every statement in order, with parameters and outcome.';
  static override description =
    'Control characters of what was recorded are shown, never obeyed. json: one statement a line, as recorded. sql: a script for psql ' +
    '(of Redis: for redis-cli) that does the same again. csv: one statement a row. html: one page to open in a browser, with everything in it. With --into the statements are run again, in their order, ' +
    'and each result is compared with the recorded one; the exit code is 1 where something came out different.';
  static override usage = [
    '<%= command.id %> SESSION [--play | --format text|json|sql|csv|html | --json] [--stream <value>] [--pager]',
    '<%= command.id %> SESSION --into RESOURCE|DSN [--until SEQ] [--dry-run] [--report json|html] [--skip-withheld] [--sandbox] [--force --confirm NAME]',
  ];
  static override examples = [
    '<%= config.bin %> <%= command.id %> last',
    '<%= config.bin %> <%= command.id %> 7k3m9 --play',
    '<%= config.bin %> <%= command.id %> last --json | jq -r .text',
    '<%= config.bin %> <%= command.id %> 7k3m9 --format sql | psql -X sandbox',
    '<%= config.bin %> <%= command.id %> 7k3m9 --format html > incident.html',
    '<%= config.bin %> <%= command.id %> 7k3m9 --into orders-sandbox --until 412',
  ];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id, a unique beginning of one, or last', required: true }),
  };
  static override flags = {
    format: Flags.option({ description: 'how it is written', options: formats, default: 'text' })(),
    play: Flags.boolean({
      description: 'play it in the terminal, with a timeline; ? shows the keys',
      exclusive: ['format', 'stream', 'json'],
    }),
    stream: Flags.integer({ description: 'only this connection of the session', min: 1 }),
    ...pagerFlag,
    ...rerunFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Replay);
    if (flags.into !== undefined) return this.#again(args.session, { ...flags, into: flags.into });
    const { replayFormats } = await import('../ui/formats/formats.ts');
    const { CopySpools } = await import('../client/copy-spool.ts');
    const { api } = await this.gateway(flags);
    const session = await getSession(api, args.session);
    if (flags.play) return this.#play(api, session, flags);
    await using spools = new CopySpools();
    const format = this.jsonEnabled() ? 'json' : flags.format;
    const source = { ...this.#source(api, session), spool: spools.spool, stream: flags.stream };
    const { openOutlet, writeAll } = await import('../client/pager.ts');
    await writeAll(replayFormats[format](source), await openOutlet(process.stdout, format === 'text' && flags.pager));
  }

  async #play(api: GatewayApi, session: Session, flags: Choice): Promise<void> {
    const { stdin, stdout } = process;
    if (!stdin.isTTY || !stdout.isTTY)
      throw new UserError('HOOP_USAGE', '--play needs a terminal', { next: 'leave it out to have it written' });
    await (await import('../ui/load-ink.ts')).loadInk();
    const { play } = await import('../ui/player/play.tsx');
    const { chosenGateway, verifyApart } = await import('../client/verify-apart.ts');
    const over = new AbortController();
    const verify = () => verifyApart(session.id, chosenGateway(flags), over.signal);
    await play({ session, statements: statementsOf(api, session.id), verify, stdin, stdout }).finally(() =>
      over.abort(),
    );
    process.exit(); // what is still being read is of no use to anybody
  }

  #source(api: GatewayApi, session: Session): Omit<ReplaySource, 'spool' | 'stream'> {
    return {
      session,
      statements: () => statementsOf(api, session.id),
      entries: async function* () {
        const { recordedEntries } = await import('../client/recorded-entries.ts');
        yield* recordedEntries(session.id, entriesOf(api, session.id));
      },
      say: (line) => this.say(line),
    };
  }

  /** Ctrl-C stops it, and what ran is reported; a second one does not wait. */
  async #again(id: string, flags: RerunFlags & { gateway?: string | undefined }): Promise<void> {
    const { replayInto } = await import('../client/rerun/again.ts');
    const { showRerun } = await import('../ui/rerun.ts');
    const { dial } = await import('../agent/transport.ts');
    const { askLine } = await import('../client/ask-line.ts');
    const stop = new AbortController();
    const gateway = await this.gateway(flags);
    const { stdin, stdout, stderr } = process;
    const report = this.jsonEnabled() ? 'json' : (flags.report ?? 'text');
    process.exitCode = await replayInto({
      gateway,
      session: await getSession(gateway.api, id),
      flags,
      environment: process.env,
      dial: (address, tls) => dial({ address, tls }),
      ask: stdin.isTTY ? (question) => askLine(stdin, stderr, question) : undefined,
      say: (line) => this.say(line),
      signal: stop.signal,
      show: (run) => {
        process.on('SIGINT', () => (stop.signal.aborted ? process.exit(130) : stop.abort()));
        return showRerun({ ...run, report, stdout, stderr });
      },
    });
  }

  /** One line, as the statements are. */
  override logJson(json: unknown): void {
    process.stdout.write(`${terminalSafeJson(json)}\n`);
  }
}
