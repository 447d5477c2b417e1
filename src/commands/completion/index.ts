import * as Args from '@oclif/core/args';
import { BaseCommand } from '../../base-command.ts';

export default class Completion extends BaseCommand<typeof Completion> {
  static override summary = 'Print a script that makes your shell complete commands, flags and names of resources.';
  static override description =
    'Resources are offered once `hoop resources` or `hoop connect` has seen them; completion itself never asks the gateway.';
  static override examples = [
    'source <(<%= config.bin %> <%= command.id %> bash)',
    "echo 'source <(<%= config.bin %> <%= command.id %> zsh)' >> ~/.zshrc",
  ];
  static override enableJsonFlag = true;
  static override args = {
    shell: Args.string({ description: 'your shell', required: true, options: ['bash', 'zsh'] }),
  };

  async run(): Promise<{ script: string }> {
    const { args } = await this.parse(Completion);
    const { completionScript } = await import('../../ui/completion-script.ts');
    const script = completionScript(args.shell === 'zsh' ? 'zsh' : 'bash');
    this.log(script.trimEnd());
    return { script };
  }
}
