import { afterAll } from 'vitest';
import { Deployment } from './deployment.ts';
import { startAnyPostgres } from './postgres.ts';

/** A PostgreSQL with the database orders and all roles before it, for the tests of one file; they end with the file. */
export async function deployedBeforePostgres(): Promise<Deployment> {
  const server = await startAnyPostgres({ database: 'orders' });
  afterAll(() => server.stop());
  const deployment = await Deployment.start({ postgres: server });
  afterAll(() => deployment.remove()); // first: they run in the reverse order
  return deployment;
}
