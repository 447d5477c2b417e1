import type { Config } from '@oclif/core/config';
import * as z from 'zod';
import { runCli } from './run-cli.ts';
import { onStarted } from './shared/started.ts';
import { version } from './shared/version.ts';

// zod compiles a check for each schema when it is first used, which takes longer than the few values of one command do without.
z.config({ jitless: true });

interface QuickCommand {
  id: string;
  runWith(words: string[], config: Config): Promise<void>;
}

/** One command, known already: the class that oclif would have found. `keepCompiled`: what to do when it has started. */
export const runQuick =
  (id: string, command: QuickCommand) =>
  (root: string, keepCompiled: (() => void) | undefined): Promise<never> =>
    runCli(async ([, ...words]) => {
      onStarted(keepCompiled);
      command.id = id;
      await command.runWith(words, new QuickConfig(root) as Pick<Config, keyof QuickConfig> as Config);
    });

/** What a command asks its configuration for, without what oclif would load to find fifty others. */
class QuickConfig {
  readonly root: string;
  readonly bin = 'hoop';
  readonly name = 'hoop';
  readonly version = version;
  readonly userAgent = `hoop/${version} ${process.platform}-${process.arch} node-${process.version}`;
  /** Words are taken as they are. */
  readonly topicSeparator = ':';

  constructor(root: string) {
    this.root = root;
  }

  /** hoop has none. */
  runHook(): Promise<{ successes: []; failures: [] }> {
    return Promise.resolve({ successes: [], failures: [] });
  }

  scopedEnvVar(name: string): string | undefined {
    return process.env[this.scopedEnvVarKey(name)];
  }

  scopedEnvVarKey(name: string): string {
    return `HOOP_${name}`;
  }

  scopedEnvVarKeys(name: string): string[] {
    return [this.scopedEnvVarKey(name)];
  }
}
