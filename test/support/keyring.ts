import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const keyringIsInstalled = ['/usr/bin/gnome-keyring-daemon', '/usr/bin/dbus-run-session'].every((path) =>
  existsSync(path),
);

export interface Keyring {
  /** For programs that are to find it. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** A real Secret Service on a message bus of its own; `locked` starts it without the password that opens it. */
export async function startKeyring({ locked = false } = {}): Promise<Keyring> {
  const home = mkdtempSync(join(tmpdir(), 'hoop-keyring-'));
  const daemon = locked ? 'gnome-keyring-daemon --start' : 'printf pw | gnome-keyring-daemon --unlock';
  const script = `${daemon} --components=secrets >/dev/null 2>&1
    until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true; do sleep 0.05; done
    echo "$DBUS_SESSION_BUS_ADDRESS"; cat >/dev/null; kill $(cat "$XDG_RUNTIME_DIR/pid" 2>/dev/null) 2>/dev/null; true`;
  const child = spawn('dbus-run-session', ['--', 'bash', '-c', script], {
    env: { PATH: process.env['PATH'] ?? '', HOME: home, XDG_RUNTIME_DIR: home },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(line.toString().trim()));
    child.once('exit', (code) => reject(new Error(`the keyring did not start: ${code}`)));
  });
  return {
    env: { DBUS_SESSION_BUS_ADDRESS: address, XDG_RUNTIME_DIR: home },
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}
