import type { ConnectInfo, LocalEndpoint, LocalProtocol } from '../protocol.ts';
import { frontend } from './frontend.ts';

export const redisLocal: LocalProtocol = { name: 'redis', frontend, socketName, connectInfo };

function socketName(port: number): string {
  return `redis.${port}.sock`;
}

/** REDISCLI_AUTH is what redis-cli reads, so that the password need not be in its arguments. Without an address it would go to port 6379. */
function connectInfo({ host, port, user, password, database }: LocalEndpoint): ConnectInfo {
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  const isSocket = host.startsWith('/');
  const path = `${host}/${socketName(port)}`;
  const dsn = isSocket
    ? `unix://${login}@${encodeURI(path)}?db=${database}`
    : `redis://${login}@${host}:${port}/${database}`;
  const address = [...(isSocket ? ['-s', path] : ['-h', host, '-p', String(port)]), '--user', user];
  return {
    dsn,
    environment: {
      REDIS_URL: dsn,
      ...(isSocket ? { REDIS_SOCKET: path } : { REDIS_HOST: host, REDIS_PORT: String(port) }),
      REDIS_USERNAME: user,
      REDIS_PASSWORD: password,
      REDISCLI_AUTH: password,
    },
    programArguments: { 'redis-cli': address, 'valkey-cli': address },
  };
}
