import { Command } from '@oclif/core/command';
import type { Config } from '@oclif/core/config';
import * as Flags from '@oclif/core/flags';
import type { InferredFlags } from '@oclif/core/interfaces';
import type { GatewayChoice, OpenedGateway } from './client/open-gateway.ts';
import { terminalSafeJson } from './ui/escape-control.ts';
import { asUserError, debugStack, errorBody, errorLines, exitCodeOf, requestedExit } from './ui/print-error.ts';

type ConcreteCommand = new (words: string[], config: Config) => BaseCommand<typeof Command>;

/** All commands: shared flags, errors as message + next step + exit code, JSON that is nothing but data. */
export abstract class BaseCommand<T extends typeof Command> extends Command {
  static override baseFlags = {
    gateway: Flags.string({
      description: 'the gateway’s address (default: the one of the last login)',
      env: 'HOOP_GATEWAY',
      helpValue: 'URL',
      helpGroup: 'GLOBAL',
    }),
    'ca-file': Flags.string({
      description: 'PEM file of the CA that signed the gateway’s certificate',
      env: 'HOOP_CA_FILE',
      helpValue: 'FILE',
      helpGroup: 'GLOBAL',
    }),
  };

  /** What oclif does with a class that it has found. */
  static async runWith(this: ConcreteCommand, words: string[], config: Config): Promise<void> {
    await new this(words, config)._run();
  }

  declare flags: InferredFlags<(typeof BaseCommand)['baseFlags'] & T['flags']>;

  /** For people, also beside --json: stderr. Data goes to stdout, through `log` or the result. */
  say(line = ''): void {
    process.stderr.write(`${line}\n`);
  }

  /** Loaded late, so that help and completion start fast. */
  async gateway(flags: { gateway?: string | undefined; 'ca-file'?: string | undefined }): Promise<OpenedGateway> {
    const { openGateway } = await import('./client/open-gateway.ts');
    const choice: GatewayChoice = { gateway: flags.gateway, caFile: flags['ca-file'] };
    return openGateway(choice);
  }

  override logJson(json: unknown): void {
    process.stdout.write(`${terminalSafeJson(json, 2)}\n`);
  }

  /** oclif exits with 1 under --json whatever the error: here both ways have the same exit code. */
  protected override async catch(error: Error & { exitCode?: number }): Promise<void> {
    const exit = requestedExit(error);
    if (exit !== undefined) {
      process.exitCode = exit;
      return;
    }
    const shown = asUserError(error, this.id?.replaceAll(':', ' '));
    const stack = debugStack(error, process.env);
    if (stack !== undefined) this.say(stack);
    if (this.jsonEnabled()) this.logJson(errorBody(shown));
    else this.say(errorLines(shown));
    process.exitCode = exitCodeOf(shown);
  }
}
