import type { ConnectInfo, LocalEndpoint, LocalProtocol } from '../protocol.ts';
import { frontend } from './frontend.ts';
import { opening } from './opening.ts';

export const postgresLocal: LocalProtocol = {
  name: 'postgres',
  frontend,
  opening,
  socketName: (port) => `.s.PGSQL.${port}`, // what libpq looks for in a folder
  connectInfo,
};

/** Only variables that no driver chokes on: with PGREQUIREAUTH or PGGSSENCMODE in its environment Go's lib/pq refuses to connect. */
function connectInfo({ host, port, user, password, database }: LocalEndpoint): ConnectInfo {
  const encode = encodeURIComponent;
  // Drivers differ in what they decode of a path; what need not be encoded there is not.
  const path = encodeURI(database).replaceAll('?', '%3F').replaceAll('#', '%23');
  const who = `${encode(user)}:${encode(password)}`;
  const dsn = host.startsWith('/')
    ? `postgresql://${who}@/${path}?host=${encode(host)}&port=${port}`
    : `postgresql://${who}@${host}:${port}/${path}`;
  return {
    dsn,
    environment: {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: database,
      PGSSLMODE: 'disable', // with anything else the pg driver insists on a certificate that it can verify
      DATABASE_URL: dsn,
    },
  };
}
