import { startPostgres, type PostgresOptions, type PostgresServer } from '../../src/demo/postgres.ts';
import { embeddedBinaries, installedBinaries } from '../../src/demo/postgres-binaries.ts';

const installed = installedBinaries();
const embedded = embeddedBinaries();

if (!installed)
  process.stderr.write('NOT CHECKED: no PostgreSQL is installed on this machine; only the embedded one is tested\n');
if (!embedded)
  process.stderr.write('NOT CHECKED: no embedded PostgreSQL for this platform; only the installed one is tested\n');

/** The real servers that tests run against, newest first: PostgreSQL 18 (embedded) and the machine's own. */
export const postgresServers = [embedded, installed]
  .filter((binaries) => binaries !== undefined)
  .map((binaries) => ({
    name: binaries.kind.replace(/ \(found.*/, ''),
    start: (options: PostgresOptions = {}): Promise<PostgresServer> => startPostgres({ ...options, binaries }),
  }));

/** The first of them. */
export const startAnyPostgres = (options: PostgresOptions = {}): Promise<PostgresServer> => startPostgres(options);
