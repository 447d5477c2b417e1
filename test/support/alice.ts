import { afterAll, beforeAll } from 'vitest';
import type { PostgresOptions, PostgresServer } from '../../src/demo/postgres.ts';
import type { SignedIn } from './identity-gateway.ts';
import { startAnyPostgres } from './postgres.ts';
import { startStack, type Stack } from './stack.ts';

export interface Here {
  server: PostgresServer;
  stack: Stack;
  alice: SignedIn;
}

/** For the tests around it: a PostgreSQL with the database `orders`, all roles before it, alice signed in; gone after the last. */
export function aliceAtOrders(start: (options: PostgresOptions) => Promise<PostgresServer> = startAnyPostgres): Here {
  const here = {} as Here;
  beforeAll(async () => {
    here.server = await start({ database: 'orders' });
    here.stack = await startStack({ postgres: here.server });
    await here.stack.addUser('alice');
    here.alice = await here.stack.signIn('alice');
  });
  afterAll(async () => {
    await here.stack?.[Symbol.asyncDispose]();
    await here.server?.stop();
  });
  return here;
}

/** Where a PostgreSQL is, directly or through a local port of hoop. */
export type Target = Pick<PostgresServer, 'port' | 'user' | 'password' | 'database'>;

/** For the driver `pg`. */
export const at = ({ port, user, password, database }: Target) => ({
  host: '127.0.0.1',
  port,
  user,
  password,
  database,
});

/** For libpq's programs. */
export const libpqEnvironment = ({ port, user, password, database }: Target) => ({
  PGHOST: '127.0.0.1',
  PGPORT: String(port),
  PGUSER: user,
  PGPASSWORD: password,
  PGDATABASE: database,
});
