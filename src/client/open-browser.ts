import { spawn } from 'node:child_process';

const openers: Partial<Record<NodeJS.Platform, [file: string, ...args: string[]]>> = {
  darwin: ['open'],
  // Not `start`, which is a shell's and would read the address as a command line.
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Gives a web address to the desktop's browser. False where there is no such thing; it never fails. */
export function openBrowser(url: string): Promise<boolean> {
  if (!/^https?:\/\//.test(url)) return Promise.resolve(false);
  const [file, ...args] = openers[process.platform] ?? ['xdg-open'];
  return new Promise((resolve) => {
    const child = spawn(file, [...args, url], { stdio: 'ignore', detached: true });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
    child.unref();
    // A browser that xdg-open itself became stays up.
    setTimeout(() => resolve(true), 2000).unref();
  });
}
