import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { exportOf, getSession } from '../../client/api/sessions.ts';

export default class SessionsExport extends BaseCommand<typeof SessionsExport> {
  static override summary = 'Write a session to one file that a stranger can verify, offline.';
  static override description =
    'The file (tar) has the recording, what the transparency log says of it with proofs, the signed checkpoint and the key. Everything that was recorded is in it, in plain. Verify it with: hoop verify FILE';
  static override examples = [
    '<%= config.bin %> <%= command.id %> last',
    '<%= config.bin %> <%= command.id %> 7k3m9 --out evidence.tar --checkpoint kept.txt',
  ];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id, a unique beginning of one, or last', required: true }),
  };
  static override flags = {
    out: Flags.string({ description: 'the file (default: hoop-SESSION.tar here)', helpValue: 'FILE' }),
    checkpoint: Flags.string({
      description: 'a checkpoint that somebody kept: with a proof that the log still begins with it',
      helpValue: 'FILE',
    }),
  };

  async run(): Promise<{ session: string; file: string }> {
    const { args, flags } = await this.parse(SessionsExport);
    const { exportTo } = await import('../../client/export-session.ts');
    const held = flags.checkpoint && (await (await import('../../client/verify.ts')).readCheckpoint(flags.checkpoint));
    const { api } = await this.gateway(flags);
    const { id } = await getSession(api, args.session);
    const file = flags.out ?? `hoop-${id}.tar`;
    await exportTo(file, await exportOf(api, id, held ? held.checkpoint.size : undefined));
    this.log(`${file}: session ${id}`);
    return { session: id, file };
  }
}
