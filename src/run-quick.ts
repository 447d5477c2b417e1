import { fileURLToPath } from 'node:url';
import { Config } from '@oclif/core/config';
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
  (entry: string, keepCompiled: (() => void) | undefined): Promise<never> =>
    runCli(async ([, ...words]) => {
      onStarted(keepCompiled);
      command.id = id;
      await command.runWith(words, new QuickConfig(entry));
    });

/** What oclif would read from package.json and the manifest for one command, without reading what stands there of fifty others. */
class QuickConfig extends Config {
  override readonly root: string;
  override readonly bin = 'hoop';
  override readonly name = 'hoop';
  override readonly version = version;
  override readonly userAgent = `hoop/${version} ${process.platform}-${process.arch} node-${process.version}`;

  constructor(entry: string) {
    const root = fileURLToPath(new URL('..', entry));
    super({ root });
    this.root = root;
  }

  /** hoop has none. */
  override runHook(): Promise<{ successes: []; failures: [] }> {
    return Promise.resolve({ successes: [], failures: [] });
  }
}
