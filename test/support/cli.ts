import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, fetch } from 'undici';
import { approveDevice } from '../../src/client/approve-device.ts';

const entry = fileURLToPath(new URL('../../bin/run.js', import.meta.url));

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  env?: Record<string, string>;
  stdin?: string;
}

/** `hoop` as a person on one machine has it: a real child process of the compiled command line, with a settings folder of its own. */
export class Cli {
  readonly configDir: string;
  /** For node itself. */
  nodeArgs: string[] = [];
  readonly #env: Record<string, string>;
  readonly #children = new Set<ChildProcess>();

  constructor(env: Record<string, string> = {}, configDir?: string) {
    this.configDir = configDir ?? mkdtempSync(join(tmpdir(), 'hoop-cli-'));
    this.#env = env;
  }

  start(
    args: string[],
    { env = {}, stdin = '' }: CliOptions = {},
  ): { child: ChildProcess; result: Promise<CliResult> } {
    const child = spawn(process.execPath, [...this.nodeArgs, entry, ...args], {
      env: { ...this.environment(), ...env },
    });
    this.#children.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    const result = new Promise<CliResult>((resolve) =>
      child.once('close', (code, signal) => {
        this.#children.delete(child);
        resolve({ code, signal, stdout, stderr });
      }),
    );
    return { child, result };
  }

  run(args: string[], options: CliOptions = {}): Promise<CliResult> {
    return this.start(args, options).result;
  }

  /** `hoop login`, approved (or denied) by the real page as soon as the code is shown. */
  async login(
    user: string,
    password: string,
    args: string[],
    { decision = 'approve', ca }: { decision?: 'approve' | 'deny'; ca?: string } = {},
  ): Promise<CliResult> {
    const { child, result } = this.start(['login', ...args]);
    const shown = new Promise<string>((resolve, reject) => {
      let text = '';
      child.stderr?.on('data', (more: string) => {
        const page = /Page {2}(\S+)\n/.exec((text += more))?.[1];
        if (page !== undefined) resolve(page);
      });
      child.once('close', () => reject(new Error(`no code was shown: ${text}`)));
    });
    const verificationUriComplete = await shown;
    const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca } });
    const browse = (url: string, init: object) => fetch(url, { ...init, dispatcher });
    await approveDevice({ verificationUriComplete, user, password, fetch: browse as never, decision });
    await dispatcher.close();
    return result;
  }

  /** Nothing of this machine's own settings or keychain. */
  environment(): Record<string, string> {
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(HOOP_|XDG_|DBUS_|NO_COLOR|FORCE_COLOR|DEBUG|NODE_ENV|VITEST)/.test(name),
    );
    const own = kept.filter((pair): pair is [string, string] => pair[1] !== undefined);
    return { ...Object.fromEntries(own), HOOP_CONFIG_DIR: this.configDir, ...this.#env };
  }

  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.configDir, { recursive: true, force: true });
  }
}
