import { execFile } from 'node:child_process';

/** One TCP socket of one process, as lsof lists it. */
export interface LsofSocket {
  pid: number;
  uid: number;
  command: string;
  /** `127.0.0.1:5432` of a listener, `127.0.0.1:5432->127.0.0.1:40000` of a connection. */
  name: string;
}

/** The sockets at a TCP port on this machine; undefined where lsof is missing or too slow. */
export function lsofPort(port: number): Promise<LsofSocket[] | undefined> {
  return new Promise((resolve) => {
    // -F: one field a line, the first letter says which; -w: no warnings; no names, no port names: nothing is looked up
    execFile('lsof', ['-nP', '-w', `-iTCP:${port}`, '-FpucnT'], { timeout: 2000 }, (error, stdout) => {
      const missingOrSlow = error !== null && typeof error.code !== 'number';
      resolve(missingOrSlow ? undefined : parseLsof(stdout));
    });
  });
}

/** Exported for its test: the form is the same on every system. */
export function parseLsof(output: string): LsofSocket[] {
  const sockets: LsofSocket[] = [];
  let [pid, uid, command] = [0, 0, ''];
  for (const line of output.split('\n')) {
    const value = line.slice(1);
    if (line.startsWith('p')) pid = Number(value);
    else if (line.startsWith('u')) uid = Number(value);
    else if (line.startsWith('c')) command = value;
    else if (line.startsWith('n')) sockets.push({ pid, uid, command, name: value });
  }
  return sockets;
}
