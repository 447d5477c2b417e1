import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import { listResources } from '../client/api/resources.ts';
import type { Initialised } from '../client/project/init-project.ts';

export default class Init extends BaseCommand<typeof Init> {
  static override summary = 'Make this repository say which resources it uses, to people and to Cursor.';
  static override description = `Writes .hoop.json (gateway and resources, for \`hoop connect\` without a name), entries in .cursor/mcp.json that start \`hoop mcp\`, and
.cursor/rules/hoop.mdc, which tells the coding agent to reach data through hoop. No secret stands in any of them: commit them. What is there
already stays as it is. In a clone, where .hoop.json is there, run it without arguments.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %> orders-db',
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> orders-db cache --print',
  ];
  static override strict = false;
  static override enableJsonFlag = true;
  static override args = {
    resource: Args.string({
      description: 'resource of the repository; several may be named (none: all that you may reach)',
    }),
  };
  static override flags = { print: Flags.boolean({ description: 'only show what would be written' }) };

  async run(): Promise<Initialised> {
    const { argv, flags } = await this.parse(Init);
    const { initProject } = await import('../client/project/init-project.ts');
    const { askAtTerminal } = await import('../client/ask-line.ts');
    const { chooseGateway } = await import('../client/gateway-url.ts');
    const done = await initProject({
      folder: process.cwd(),
      resources: argv as string[],
      gateway: flags.gateway,
      isDry: flags.print,
      root: this.config.root,
      ask: askAtTerminal(),
      chooseGateway,
      reachable: async (gateway) => {
        const { api } = await this.gateway({ ...flags, gateway });
        return (await listResources(api)).resources.flatMap(({ name, granted }) => (granted ? [name] : []));
      },
    });
    const { initialisedText } = await import('../ui/initialised.ts');
    this.log(initialisedText(done));
    return done;
  }
}
