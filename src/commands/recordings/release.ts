import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';
import { releaseHold } from '../../client/api/recordings.ts';

export default class RecordingsRelease extends BaseCommand<typeof RecordingsRelease> {
  static override summary = 'Release a recording that is held: retention counts for it again.';
  static override examples = ['<%= config.bin %> <%= command.id %> 7k3m9'];
  static override args = {
    session: Args.string({ description: 'id or a unique beginning of one', required: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RecordingsRelease);
    const { api } = await this.gateway(flags);
    await releaseHold(api, args.session);
    this.say('Released.');
  }
}
