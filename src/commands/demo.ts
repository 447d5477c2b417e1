import { Flags } from '@oclif/core';
import { BaseCommand } from '../base-command.ts';

export default class Demo extends BaseCommand<typeof Demo> {
  static override summary = 'See it work: gateway, agent, PostgreSQL and a recorded session in one process.';
  static override description =
    'Starts everything on loopback in a temporary folder, signs a demo user in, runs three statements as “cursor”, and shows what the record says of them. Stays up until Ctrl-C.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --once'];
  static override flags = {
    once: Flags.boolean({ description: 'do the tour and exit' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Demo);
    const { runDemo } = await import('../demo/demo.ts');
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
    await runDemo({ once: flags.once, say: (line = '') => this.log(line), signal: stop.signal });
  }
}
