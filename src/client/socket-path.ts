import { lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { UserError } from '../shared/errors.ts';

/** Linux's sun_path less its NUL; macOS has 103. */
const pathBytesMax = process.platform === 'darwin' ? 103 : 107;

/** Listens on a unix socket in a folder of 0700, which it makes. A socket file that nobody listens on any more is replaced. */
export async function listenOnPath(server: Server, path: string): Promise<Server> {
  if (Buffer.byteLength(path) > pathBytesMax) {
    throw new UserError('HOOP_USAGE', `the socket path ${path} is longer than ${pathBytesMax} bytes`, {
      next: 'choose a shorter one',
    });
  }
  await checkFolder(dirname(path));
  try {
    await listen(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    if (!(await lstat(path)).isSocket() || (await somebodyListens(path))) {
      throw new UserError('HOOP_PORT_TAKEN', `${path} belongs to another process`, {
        next: 'stop that process, or choose another path',
      });
    }
    await unlink(path);
    await listen(server, path);
  }
  return server;
}

/** Who can enter the folder can use the socket: nobody but this user may. */
async function checkFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const facts = await lstat(folder);
  const ours = facts.isDirectory() && facts.uid === process.getuid?.() && (facts.mode & 0o077) === 0;
  if (ours) return;
  throw new UserError('HOOP_CONFIG', `others can enter ${folder}, where the socket would stand`, {
    next: `chmod 700 ${folder}, or choose another folder`,
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      server.on('error', () => undefined); // as for the port: one failed accept is not the end
      resolve();
    });
  });
}

function somebodyListens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
