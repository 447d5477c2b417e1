import { UserError } from '../shared/errors.ts';
import { embeddedBinaries, installedBinaries } from './postgres-binaries.ts';
import { startPostgres, type PostgresServer } from './postgres.ts';

const schema = `
  create table orders (
    id       integer generated always as identity primary key,
    customer text    not null,
    item     text    not null,
    cents    integer not null check (cents > 0),
    status   text    not null default 'open'
  );
  insert into orders (customer, item, cents, status) values
    ('Ada', 'notebook', 1200, 'open'),
    ('Grace', 'compiler', 9900, 'shipped'),
    ('Edsger', 'pencil', 150, 'open'),
    ('Barbara', 'mug', 1400, 'returned');
`;

/** The best PostgreSQL that can be had: embedded (in a clone), else one found on the machine, else PGlite. Has the table `orders`. */
export async function startDemoDatabase(
  find = () => embeddedBinaries() ?? installedBinaries(),
): Promise<PostgresServer> {
  const binaries = find();
  const server = binaries ? await startPostgres({ binaries, database: 'orders' }) : await startPglite();
  const { Client } = (await import('pg')).default;
  const client = new Client({
    host: '127.0.0.1',
    port: server.port,
    user: server.user,
    password: server.password,
    database: server.database,
  });
  await client.connect();
  await client.query(schema);
  await client.end();
  return server;
}

/** PostgreSQL in WebAssembly: nothing to install, one connection at a time, no password. */
async function startPglite(): Promise<PostgresServer> {
  const modules = await Promise.all([import('@electric-sql/pglite'), import('@electric-sql/pglite-socket')]).catch(
    (cause: unknown) => {
      throw new UserError(
        'HOOP_RESOURCE_UNREACHABLE',
        'there is no PostgreSQL on this machine, and PGlite is not installed',
        {
          next: 'install postgresql, or install hoop with its optional dependencies',
          cause,
        },
      );
    },
  );
  const [{ PGlite }, { PGLiteSocketServer }] = modules;
  const db = await PGlite.create();
  const server = new PGLiteSocketServer({ db, port: 0, host: '127.0.0.1' });
  await server.start();
  const port = Number(/:(\d+)$/.exec(server.getServerConn())?.[1]);
  return {
    port,
    user: 'postgres',
    password: '',
    database: 'postgres',
    kind: 'PGlite (PostgreSQL in WebAssembly; one connection at a time)',
    async stop() {
      await server.stop();
      await db.close();
    },
  };
}
