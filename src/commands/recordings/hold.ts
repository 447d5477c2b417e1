import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { holdRecording } from '../../client/api/recordings.ts';
import type { Hold } from '../../shared/api.ts';

export default class RecordingsHold extends BaseCommand<typeof RecordingsHold> {
  static override summary = 'Hold a recording: neither retention nor anybody erases or removes it.';
  static override examples = ['<%= config.bin %> <%= command.id %> 7k3m9 --reason "case 118"'];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id or a unique beginning of one', required: true }),
  };
  static override flags = { reason: Flags.string({ description: 'why' }) };

  async run(): Promise<Hold> {
    const { args, flags } = await this.parse(RecordingsHold);
    const { api } = await this.gateway(flags);
    const hold = await holdRecording(api, args.session, flags.reason);
    this.log(`Session ${hold.session} is held until: hoop recordings release ${hold.session}`);
    return hold;
  }
}
