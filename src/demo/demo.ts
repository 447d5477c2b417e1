import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { approveDevice } from '../client/approve-device.ts';
import { connectResource, type Connection } from '../client/connect.ts';
import { openGateway } from '../client/open-gateway.ts';
import { signIn } from '../client/sign-in.ts';
import { chooseTokenStore } from '../client/token-store.ts';
import { startDemoAgent } from './demo-agent.ts';
import { startDemoDatabase } from './demo-database.ts';
import { startDemoGateway } from './demo-gateway.ts';
import { hoopCommand, runHoop } from './run-hoop.ts';
import { askAsCursor } from './statements.ts';

export interface DemoOptions {
  /** The tour, then the end. */
  once: boolean;
  say: (line?: string) => void;
  signal: AbortSignal;
}

/** `hoop demo`: gateway, agent, an embedded PostgreSQL and a client in one process, each real. Leaves nothing behind. */
export async function runDemo({ once, say, signal }: DemoOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hoop-demo-'));
  const configDir = join(folder, 'config');
  process.env['HOOP_CONFIG_DIR'] = configDir; // the tour never touches this user's own settings and keychain
  delete process.env['HOOP_TOKEN'];
  const cleanUp: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = new AbortController();
  try {
    const database = await startDemoDatabase();
    cleanUp.push(() => database.stop());
    say(`database  ${database.kind} with a small table, orders`);

    const { gateway, password } = await startDemoGateway(join(folder, 'gateway'));
    cleanUp.push(() => gateway.stop());
    say(`gateway   ${gateway.url}, records in ${join(folder, 'gateway')}`);

    await startDemoAgent(gateway.within, database, join(folder, 'agent'));
    say('agent     linked; it alone holds the database’s password (here it runs in the gateway’s process)');

    await signInAsDemo(gateway.url, password, say);
    const connection = await connectAsCursor(gateway.url, stop.signal);
    cleanUp.push(async () => {
      stop.abort();
      await connection.kept;
    });
    say(`session   ${connection.session}, for user demo and the coding agent “cursor”`);
    say();
    await tour(connection, say);
    if (once) return;
    explain(connection, { configDir, say });
    await untilAborted(signal);
    say('stopping; the session is sealed, the demo’s folder is removed');
  } finally {
    for (const act of cleanUp.toReversed()) await act();
  }
}

async function signInAsDemo(gateway: string, password: string, say: DemoOptions['say']): Promise<void> {
  const { send } = await openGateway({ gateway });
  let approval: Promise<void> | undefined;
  await signIn({
    gateway,
    send,
    store: await chooseTokenStore(say, 'file'),
    show: ({ userCode, urlWithCode }) => {
      say(
        `sign-in   device code ${userCode}; a person would approve it at ${gateway}/oidc/device, the demo approves it itself`,
      );
      approval = approveDevice({ verificationUriComplete: urlWithCode, user: 'demo', password, fetch: send as never });
      approval.catch(() => undefined); // waited for below
    },
    signal: AbortSignal.timeout(60_000),
  });
  await approval;
}

async function connectAsCursor(url: string, signal: AbortSignal): Promise<Connection> {
  return connectResource({
    gateway: await openGateway({ gateway: url }),
    resource: 'orders-db',
    actor: 'cursor',
    port: 0,
    caFile: undefined,
    onState: () => undefined,
    showPrompt: () => undefined,
    say: () => undefined,
    signal,
  });
}

async function tour({ info, session }: Connection, say: DemoOptions['say']): Promise<void> {
  say('Three statements, through the pg driver, as Cursor would send them:');
  await askAsCursor(info.environment, say);
  say();
  say('$ hoop sessions');
  await runHoop(['sessions']);
  say();
  say(`$ hoop replay ${session.slice(0, 8)}`);
  await runHoop(['replay', session]);
}

function explain(
  { info, session }: Connection,
  { configDir, say }: { configDir: string; say: DemoOptions['say'] },
): void {
  const { dsn, environment } = info;
  say();
  say('It stays up. From another terminal:');
  say();
  say('  psql');
  say(`    psql '${dsn}'`);
  say('  Cursor: give its database extension this DSN, or put it into the project’s .env as DATABASE_URL');
  say(`    DATABASE_URL=${dsn}`);
  say(
    `    (host ${environment['PGHOST']}, port ${environment['PGPORT']}, user ${environment['PGUSER']}, database ${environment['PGDATABASE']})`,
  );
  say('  and read the record');
  say(`    export HOOP_CONFIG_DIR=${configDir}`);
  say(`    ${hoopCommand()} sessions`);
  say(`    ${hoopCommand()} replay ${session.slice(0, 8)}`);
  say();
  say('Ctrl-C ends the demo.');
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
