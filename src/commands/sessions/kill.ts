import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { getSession, killSession } from '../../client/api/sessions.ts';

export default class SessionsKill extends BaseCommand<typeof SessionsKill> {
  static override summary = 'End a live session: your own, or as administrator anybody’s.';
  static override description =
    'Its client programs are told why in their own protocol, and no successor is opened. What ran stays in the record, with who ended the session.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> last',
    '<%= config.bin %> <%= command.id %> 7k3m9 --reason "deletes too much"',
  ];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id, a unique beginning of one, or last', required: true }),
  };
  static override flags = {
    reason: Flags.string({ description: 'told to the session’s user, and recorded', helpValue: 'TEXT' }),
  };

  async run(): Promise<{ session: string; state: string; reason: string | null }> {
    const { args, flags } = await this.parse(SessionsKill);
    const { api } = await this.gateway(flags);
    const { id } = await getSession(api, args.session);
    await killSession(api, id, flags.reason);
    const { state, reason } = await getSession(api, id);
    this.log(`session ${id} has ended`);
    return { session: id, state, reason };
  }
}
