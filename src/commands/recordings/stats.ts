import { BaseCommand } from '../../base-command.ts';
import { recordingStats } from '../../client/api/recordings.ts';
import type { RecordingStats } from '../../shared/api.ts';

export default class RecordingsStats extends BaseCommand<typeof RecordingsStats> {
  static override summary = 'What recordings take of the disk, by resource; what is held, what was removed.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];
  static override enableJsonFlag = true;

  async run(): Promise<RecordingStats> {
    const { flags } = await this.parse(RecordingsStats);
    const { api } = await this.gateway(flags);
    const stats = await recordingStats(api);
    if (this.jsonEnabled()) return stats;
    const { recordingStatsText } = await import('../../ui/recording-stats.ts');
    this.log(recordingStatsText(stats));
    return stats;
  }
}
