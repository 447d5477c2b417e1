import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import { UserError } from '../shared/errors.ts';

export default class Run extends BaseCommand<typeof Run> {
  static override summary = 'Run a program with a resource in its environment; every statement is recorded.';
  static override description = `As \`hoop connect RESOURCE -- COMMAND\`: DATABASE_URL, PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE (REDIS_URL for Redis) are
set for the child only, the session ends with it, and its exit code is returned. Also for MCP servers of others that take a DSN from the
environment, so that no password stands in a file. A program that only opens a window (\`cursor .\`) is noticed: the session stays until Ctrl-C.`;
  static override examples = [
    '<%= config.bin %> <%= command.id %> orders-db -- psql',
    '<%= config.bin %> <%= command.id %> orders-db --as cursor -- npm run migrate',
    '<%= config.bin %> <%= command.id %> orders-db --write-env .env.hoop -- docker compose up',
  ];
  static override strict = false;
  static override args = { resource: Args.string({ description: 'resource that the program uses', required: true }) };
  static override flags = {
    as: Flags.string({
      description: 'name of the coding agent, recorded as declared',
      helpValue: 'NAME',
      env: 'HOOP_ACTOR',
    }),
    ttl: Flags.string({ description: 'end the session after so long: 90s, 30m, 8h', helpValue: 'TIME' }),
    'keep-credential': Flags.boolean({
      description: 'the same local password (and port) as the last time, for graphical programs that remember one',
    }),
    // Not --env-file: Node takes that for itself, wherever it stands. https://github.com/nodejs/node/issues/54232
    'write-env': Flags.string({
      description: 'put the environment into this new file too (0600), for as long as the program runs',
      helpValue: 'FILE',
    }),
    'dsn-variable': Flags.string({ description: 'one more variable that holds the DSN', helpValue: 'NAME' }),
  };

  async run(): Promise<void> {
    const separator = this.argv.indexOf('--');
    if (separator < 0 || separator === this.argv.length - 1) {
      throw new UserError('HOOP_USAGE', 'the program to run is not said', { next: 'hoop run RESOURCE -- COMMAND' });
    }
    const command = this.argv.slice(separator + 1);
    const { argv, flags } = await this.parse(Run, this.argv.slice(0, separator));
    const { parseSpan } = await import('../client/parse-time.ts');
    const { runConnect } = await import('../client/run-connect.ts');
    const { openConnectView } = await import('../ui/connect-view.ts');
    process.exitCode = await runConnect({
      resources: argv as string[],
      command,
      envFile: flags['write-env'],
      dsnVariable: flags['dsn-variable'],
      port: flags['keep-credential'] ? undefined : 0,
      actor: flags.as,
      ttlMillis: flags.ttl === undefined ? undefined : parseSpan(flags.ttl, '--ttl'),
      keepCredential: flags['keep-credential'],
      caFile: flags['ca-file'],
      gateway: () => this.gateway(flags),
      json: false,
      say: (line) => this.say(line),
      print: () => undefined,
      openView: openConnectView,
    });
  }
}
