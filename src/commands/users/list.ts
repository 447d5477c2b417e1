import type * as z from 'zod';
import { BaseCommand } from '../../base-command.ts';
import { listUsers } from '../../client/api/users.ts';
import type { usersSchema } from '../../shared/api.ts';

export default class UsersList extends BaseCommand<typeof UsersList> {
  static override summary = 'List the users.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];
  static override enableJsonFlag = true;

  async run(): Promise<z.infer<typeof usersSchema>> {
    const { flags } = await this.parse(UsersList);
    const { api } = await this.gateway(flags);
    const body = await listUsers(api);
    const { table, localTime } = await import('../../ui/print.ts');
    this.log(
      table(body.users, [
        { title: 'USER', value: ({ name }) => name },
        { title: 'ROLE', value: ({ role }) => role },
        { title: 'GROUPS', value: ({ groups }) => groups.join(', ') || '-' },
        { title: 'STATE', value: ({ active, disabled }) => (disabled ? 'disabled' : active ? 'active' : 'invited') },
        { title: 'CREATED', value: ({ createdAt }) => localTime(createdAt) },
      ]),
    );
    return body;
  }
}
