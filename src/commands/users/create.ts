import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { createUser } from '../../client/api/users.ts';
import type { Role, UserCreated } from '../../shared/api.ts';

export default class UsersCreate extends BaseCommand<typeof UsersCreate> {
  static override summary = 'Create a user; prints a one-time link where the user sets a password.';
  static override description =
    'With --password-stdin the password is set here instead, and no link is made. --setup-code makes the first administrator of a new gateway, which needs no sign-in.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> alice',
    '<%= config.bin %> <%= command.id %> eve --role auditor --group security',
    '<%= config.bin %> <%= command.id %> ci --password-stdin < password.txt',
    '<%= config.bin %> <%= command.id %> root --setup-code CODE --gateway http://127.0.0.1:8009 --password-stdin',
  ];
  static override enableJsonFlag = true;
  static override args = { name: Args.string({ description: 'name of the user', required: true }) };
  static override flags = {
    role: Flags.option({ description: 'what the user may do', options: ['admin', 'auditor', 'user'] as const })(),
    group: Flags.string({ description: 'a group of the user (repeatable)', multiple: true, default: [] }),
    'password-stdin': Flags.boolean({ description: 'read the password from stdin' }),
    'setup-code': Flags.string({
      description: 'the code that the first start of the gateway printed',
      dependsOn: ['password-stdin'],
      exclusive: ['role', 'group'],
    }),
  };

  async run(): Promise<UserCreated | { user: { name: string; role: Role }; gateway: string }> {
    const { args, flags } = await this.parse(UsersCreate);
    const password = flags['password-stdin'] ? await this.#password(args.name) : undefined;
    if (flags['setup-code'] !== undefined) return this.#first(args.name, password ?? '', flags);
    const { api } = await this.gateway(flags);
    const created = await createUser(api, {
      name: args.name,
      groups: flags.group,
      ...(flags.role === undefined ? {} : { role: flags.role }),
      ...(password === undefined ? {} : { password }),
    });
    this.say(`Created ${created.user.name} (${created.user.role}).`);
    if (!created.invitation) return created;
    const { timeAndAge } = await import('../../ui/print.ts');
    this.say(
      `Give ${created.user.name} this link; it works once, until ${timeAndAge(created.invitation.expiresAt, Date.now())}:`,
    );
    this.log(created.invitation.url);
    return created;
  }

  async #password(name: string): Promise<string> {
    const { readPassword } = await import('../../client/read-password.ts');
    return readPassword(process.stdin, process.stderr, name);
  }

  async #first(name: string, password: string, flags: FirstFlags) {
    const { createFirstAdmin } = await import('../../client/first-admin.ts');
    const { gateway } = await createFirstAdmin({
      code: flags['setup-code'] ?? '',
      name,
      password,
      gateway: flags.gateway,
      caFile: flags['ca-file'],
    });
    this.say(`Created ${name}, the first administrator. Next: hoop login --gateway ${gateway}`);
    return { user: { name, role: 'admin' as const }, gateway };
  }
}

interface FirstFlags {
  'setup-code'?: string | undefined;
  gateway?: string | undefined;
  'ca-file'?: string | undefined;
}
