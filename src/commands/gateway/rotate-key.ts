import { rotateLogKey } from '../../client/api/log.ts';
import type { RolledOver } from '../../shared/api.ts';
import { BaseCommand } from '../../base-command.ts';

export default class GatewayRotateKey extends BaseCommand<typeof GatewayRotateKey> {
  static override summary = 'Give the gateway’s log a new key; the old one signs that it follows, and is destroyed.';
  static override description =
    'Whoever trusts the old key goes on with the new one by that signature; what was recorded before stays valid. For administrators, while the gateway runs. After a theft of the old key it does not help those who trust that one: give them the new key by another way.';
  static override examples = ['<%= config.bin %> <%= command.id %>'];
  static override enableJsonFlag = true;

  async run(): Promise<RolledOver> {
    const { flags } = await this.parse(GatewayRotateKey);
    const { api } = await this.gateway(flags);
    const rolled = await rotateLogKey(api);
    this.log(`old  ${rolled.before}`);
    this.log(`new  ${rolled.key}`);
    return rolled;
  }
}
