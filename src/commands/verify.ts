import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import type { VerifyReport } from '../recording/verify-report.ts';

export default class Verify extends BaseCommand<typeof Verify> {
  static override summary = 'Prove that recordings were not changed, cut off or left out.';
  static override description =
    'Takes a file of `hoop sessions export` or a gateway’s data directory, offline, or a session of the gateway. The key that is trusted is the one that this machine pinned at its first sign-in, or the one of --key. Each verdict has its own exit code.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> last',
    '<%= config.bin %> <%= command.id %> session.tar --key gateway.key --checkpoint kept.txt',
    '<%= config.bin %> <%= command.id %> /var/lib/hoop --key gateway.key --json',
  ];
  static override enableJsonFlag = true;
  static override args = {
    target: Args.string({
      description: 'a file, a data directory, or a session (id, beginning of one, last)',
      required: true,
    }),
  };
  static override flags = {
    key: Flags.string({
      description: 'the verifier key to trust, or a file with it and with those of witnesses',
      helpValue: 'KEY',
    }),
    checkpoint: Flags.string({
      description: 'a checkpoint that you kept: the log must begin with it',
      helpValue: 'FILE',
    }),
    witness: Flags.string({
      description: 'an agent’s own list (`hoop agent witness`), or keys of witnesses that must have cosigned',
      helpValue: 'FILE',
    }),
    receipts: Flags.directory({
      description: 'a folder of receipts of sessions (default: those that this machine keeps of its own)',
      helpValue: 'DIR',
    }),
    session: Flags.string({ description: 'of a data directory: only this session, by its whole id' }),
  };

  async run(): Promise<VerifyReport> {
    const { args, flags } = await this.parse(Verify);
    const { verify } = await import('../client/verify.ts');
    const { isDataDir, verifyDataDir } = await import('../store/verify-directory.ts');
    const { verifyExport } = await import('../store/verify-export.ts');
    const { verdicts } = await import('../recording/verdicts.ts');
    const { verifyLines } = await import('../ui/verify-report.ts');
    const api = async () => (await this.gateway(flags)).api;
    const progress = (done: number, total: number) => this.#progress(done, total);
    const files = { isDataDir, verifyDataDir, verifyExport };
    const report = await verify({ ...flags, target: args.target, api, files, onProgress: progress });
    for (const line of verifyLines(report)) this.log(line);
    process.exitCode = verdicts[report.verdict].exit;
    return report;
  }

  /** For long work at a terminal. */
  #progress(done: number, total: number): void {
    if (!process.stderr.isTTY || (done % 50 !== 0 && done !== total) || total < 50) return;
    process.stderr.write(done === total ? '\r\u001b[K' : `\r${done} of ${total} recordings`);
  }
}
