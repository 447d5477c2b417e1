import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where settings lie: HOOP_CONFIG_DIR, else `hoop` in $XDG_CONFIG_HOME (which must be absolute, says its specification) or ~/.config. */
export function configDir(environment: NodeJS.ProcessEnv = process.env): string {
  const { HOOP_CONFIG_DIR: own, XDG_CONFIG_HOME: xdg } = environment;
  if (own) return own;
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.config'), 'hoop');
}
