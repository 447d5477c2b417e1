import { UserError } from '../shared/errors.ts';
import { errorCodes } from '../shared/error-codes.ts';
import { tuneHeap } from '../shared/heap.ts';
import { connectResource, type Connection } from './connect.ts';
import type { ConnectionState } from './connected-resource.ts';
import { withEnvFile } from './env-file.ts';
import { leftWindowBehind } from './graphical-program.ts';
import type { OpenedGateway } from './open-gateway.ts';
import { runChild } from './run-child.ts';
import type { DevicePrompt } from './sign-in.ts';
import { chooseTokenStore } from './token-store.ts';

export interface RunConnectOptions {
  resources: string[];
  /** After `--`: runs as a child instead of staying. */
  command: string[] | undefined;
  /** With a command: its environment also stands in this new file while it runs. */
  envFile?: string | undefined;
  /** With a command: one more variable that holds the DSN. */
  dsnVariable?: string | undefined;
  port: number | undefined;
  socketFolder?: string | undefined;
  actor: string | undefined;
  ttlMillis?: number | undefined;
  keepCredential?: boolean | undefined;
  caFile: string | undefined;
  gateway: () => Promise<OpenedGateway>;
  json: boolean;
  /** A line for the person, on stderr. */
  say: (line: string) => void;
  /** A line of data, on stdout. */
  print: (line: string) => void;
  openView: (resources: string[], stream: NodeJS.WriteStream, hint: string) => Promise<View>;
}

interface View {
  show(resource: string, state: ConnectionState): void;
  notice(line: string): void;
  close(): void;
}

/** `hoop connect`: to its exit code. One failing resource does not stop the others; its code is the first failure's. */
export async function runConnect(options: RunConnectOptions): Promise<number> {
  const { resources, command, port } = options;
  if (resources.length > 1 && (command !== undefined || port !== undefined)) {
    throw new UserError(
      'HOOP_USAGE',
      `${command ? 'a command' : '--port'} goes with one resource, not with ${resources.length}`,
      {
        next: 'connect them one by one',
      },
    );
  }
  const stop = new AbortController();
  const gateway = await options.gateway();
  const screen = new Screen(options);
  const opened = await openAll({ options, gateway, screen, signal: stop.signal });
  const ready = opened.filter((one): one is Connection => !(one instanceof UserError));
  const failed = opened.find((one): one is UserError => one instanceof UserError);
  if (ready.length === 0) {
    if (resources.length > 1 && !options.json) return errorCodes[failed!.code].exit; // each has been told its own
    throw failed!;
  }
  if (command !== undefined) {
    const ended = untilChildEnds(command, ready[0]!, { stop, options });
    tuneHeap();
    return ended;
  }
  for (const connection of ready) options.print(line(connection, options));
  tuneHeap(); // a script that waits for the line has it by now
  await screen.goLive();
  const signal = await untilOver(ready, stop);
  screen.close();
  if (signal !== undefined) return signal;
  return failed === undefined ? await firstFailure(ready) : errorCodes[failed.code].exit;
}

interface OpenAll {
  options: RunConnectOptions;
  gateway: OpenedGateway;
  screen: Screen;
  signal: AbortSignal;
}

async function openAll({ options, gateway, screen, signal }: OpenAll): Promise<(Connection | UserError)[]> {
  const { resources, actor, ttlMillis, keepCredential, port, socketFolder, caFile } = options;
  const open = (resource: string) =>
    connectResource({
      gateway,
      resource,
      actor,
      ttlMillis,
      keepCredential,
      port,
      socketFolder,
      caFile,
      signal,
      onState: (state) => screen.show(resource, state),
      showPrompt: (prompt) => screen.prompt(prompt),
      say: (line) => screen.say(line),
    });
  const attempt = (resource: string) =>
    open(resource).catch((error: unknown) => {
      if (!(error instanceof UserError)) throw error;
      screen.show(resource, { state: 'failed', error });
      return error;
    });
  const first = await Promise.all(resources.map(attempt));
  const isSignedOut = first.some((one) => one instanceof UserError && one.code === 'HOOP_SIGN_IN');
  if (!isSignedOut || !canAsk()) return report(first, options);
  const show = (prompt: DevicePrompt) => screen.prompt(prompt);
  const { signIn } = await import('./sign-in.ts'); // late: its libraries are half of a start
  await signIn({ gateway: gateway.url, send: gateway.send, store: await chooseTokenStore(options.say), show, signal });
  return report(
    await Promise.all(
      first.map(async (one, index) =>
        one instanceof UserError && one.code === 'HOOP_SIGN_IN' ? attempt(resources[index]!) : one,
      ),
    ),
    options,
  );
}

/** With one resource the error is thrown and shown once, by the command. */
function report(opened: (Connection | UserError)[], { resources, say }: RunConnectOptions): (Connection | UserError)[] {
  if (resources.length === 1) return opened;
  for (const [index, one] of opened.entries()) {
    if (one instanceof UserError)
      say(`${resources[index]}: ${one.message}${one.next === undefined ? '' : `; ${one.next}`}`);
  }
  return opened;
}

/** A person at a terminal can approve a code; a script gets exit code 4 at once. */
const canAsk = () => process.stderr.isTTY && !process.env['HOOP_TOKEN'];

const line = ({ resource, info, session }: Connection, { json, resources }: RunConnectOptions): string => {
  if (json) return JSON.stringify({ resource, session, dsn: info.dsn, environment: info.environment });
  return resources.length === 1 ? info.dsn : `${resource}\t${info.dsn}`;
};

async function untilChildEnds(
  command: string[],
  connection: Connection,
  { stop, options }: { stop: AbortController; options: RunConnectOptions },
): Promise<number> {
  const { info, kept, resource } = connection;
  const { dsnVariable, envFile, say } = options;
  const environment = { ...info.environment, ...(dsnVariable === undefined ? {} : { [dsnVariable]: info.dsn }) };
  try {
    return await withEnvFile(envFile, environment, async () => {
      const started = performance.now();
      const code = await runChild(command, { ...info, environment });
      if (!leftWindowBehind({ command, code, millis: performance.now() - started })) return code;
      say(windowNotice(command[0]!, resource));
      return (await untilOver([connection], stop)) ?? code;
    });
  } finally {
    stop.abort();
    await kept.catch(() => undefined);
  }
}

const windowNotice = (program: string, resource: string): string =>
  `${program} has ended, and its window goes on: the session stays open until Ctrl-C.
A window that was open before has not got this environment. For a coding agent rather use: hoop connect ${resource} --cursor`;

/** 130 or 143 after a signal, when the sessions are closed; undefined when all of them ended by themselves. */
async function untilOver(connections: Connection[], stop: AbortController): Promise<number | undefined> {
  let code: number | undefined;
  const end = (signal: NodeJS.Signals) => {
    if (code !== undefined) process.exit(code); // a second Ctrl-C does not wait
    code = signal === 'SIGINT' ? 130 : 143;
    stop.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  await Promise.allSettled(connections.map(({ kept }) => kept));
  for (const signal of signals) process.off(signal, end);
  return code;
}

/** All sessions were ended by the gateway: that is what a script has to know. */
async function firstFailure(connections: Connection[]): Promise<number> {
  const { resource, kept } = connections[0]!;
  const end = await kept;
  throw new UserError('HOOP_SESSION_ENDED', `the session on ${resource} ended: ${end.message}`, {
    next: `hoop connect ${resource} opens a new one`,
  });
}

/** Plain lines until all is ready (stdout gets the DSNs in between), then live ones. */
class Screen {
  readonly #options: RunConnectOptions;
  readonly #last = new Map<string, ConnectionState>();
  #view: View | undefined;

  constructor(options: RunConnectOptions) {
    this.#options = options;
  }

  show(resource: string, state: ConnectionState): void {
    this.#last.set(resource, state);
    if (this.#view) this.#view.show(resource, state);
    else if (this.#options.command && state.state === 'reconnecting')
      this.#options.say(`${resource}: reconnecting, ${state.why}`);
  }

  prompt({ url, userCode, expiresInSeconds }: DevicePrompt): void {
    const code = userCode === undefined ? ' in a browser of this machine' : ` and enter ${userCode}`;
    const line = `Sign in: open ${url}${code} (within ${Math.round(expiresInSeconds / 60)} minutes)`;
    this.say(line);
  }

  say(line: string): void {
    if (this.#view) this.#view.notice(line);
    else this.#options.say(line);
  }

  async goLive(): Promise<void> {
    const { resources, openView } = this.#options;
    this.#view = await openView(
      resources,
      process.stderr,
      `Every statement is recorded. Ctrl-C ends the ${resources.length > 1 ? 'sessions' : 'session'}`,
    );
    for (const [resource, state] of this.#last) this.#view.show(resource, state);
  }

  close(): void {
    this.#view?.close();
  }
}
