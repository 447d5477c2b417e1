import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { eraseEntries } from '../../client/api/recordings.ts';
import type { Erased } from '../../shared/api.ts';

export default class RecordingsErase extends BaseCommand<typeof RecordingsErase> {
  static override summary = 'Erase what a statement said, for good; that it was there, and who erased it, stays.';
  static override description =
    'Text, parameters, data, rows and outcome of the statement are cleared from recording, journal and catalog, after the transparency log has it. Where an execution uses a text that was prepared, that text is erased too, also for others that use it, and so is what the program sent in one go with it. The recording still verifies. Exports and backups that exist are not reached.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> 7k3m9 --seq 12',
    '<%= config.bin %> <%= command.id %> 7k3m9 --seq 14 --only --reason "customer data, case 118"',
  ];
  static override enableJsonFlag = true;
  static override args = {
    session: Args.string({ description: 'id or a unique beginning of one', required: true }),
  };
  static override flags = {
    seq: Flags.integer({ description: 'number of the statement, as hoop replay shows it', required: true, min: 0 }),
    only: Flags.boolean({ description: 'the entry of this number and no other, for example one outcome' }),
    reason: Flags.string({ description: 'why; it stands in the record of administration' }),
  };

  async run(): Promise<Erased> {
    const { args, flags } = await this.parse(RecordingsErase);
    const { seq, only, reason } = flags;
    const { api } = await this.gateway(flags);
    const erased = await eraseEntries(api, args.session, { seq, only, ...(reason === undefined ? {} : { reason }) });
    this.log(`Erased from session ${erased.session}: ${erased.entries.map((entry) => `#${entry}`).join(', ')}`);
    return erased;
  }
}
