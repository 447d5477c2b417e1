import { BaseCommand } from '../../base-command.ts';

export default class CompletionWords extends BaseCommand<typeof CompletionWords> {
  static override summary = 'What the completion scripts ask: the words that can stand where the last one is typed.';
  static override examples = ['<%= config.bin %> <%= command.id %> -- connect ord'];
  static override hidden = true;
  static override strict = false;

  async run(): Promise<void> {
    // As they are: parse() would take away a second `--`, which is how every flag begins.
    const words = this.argv.slice(this.argv.indexOf('--') + 1);
    await this.parse(CompletionWords);
    const { complete } = await import('../../ui/complete.ts');
    const { knownResources } = await import('../../client/known-resources.ts');
    const resources = await knownResources().catch(() => []);
    const found = complete(words, this.config.commands, resources);
    if (found.length > 0) this.log(found.join('\n'));
  }
}
