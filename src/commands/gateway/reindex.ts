import { Flags } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';

export default class GatewayReindex extends BaseCommand<typeof GatewayReindex> {
  static override summary = 'Throw the catalog away and make it anew from the recordings.';
  static override description = 'Loses nothing: the catalog is derived. The gateway must not be running.';
  static override examples = ['<%= config.bin %> <%= command.id %> --data-dir ./gw'];
  static override enableJsonFlag = true;
  static override flags = {
    'data-dir': Flags.directory({ description: 'the gateway’s data directory', required: true }),
  };

  async run(): Promise<{ sessions: number }> {
    const { flags } = await this.parse(GatewayReindex);
    const { reindex } = await import('../../gateway/reindex.ts');
    const result = await reindex(flags['data-dir']);
    this.log(`${result.sessions} sessions indexed`);
    return result;
  }
}
