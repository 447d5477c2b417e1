import { basename } from 'node:path';

/** Editors and database programs whose command only tells a window to open, and `open` and its like, which do that for any. */
const launchers = new Set(
  (
    'cursor code code-insiders codium windsurf zed subl atom dbeaver pgadmin4 tableplus open xdg-open gio ' +
    'idea webstorm pycharm goland rubymine phpstorm rider clion datagrip fleet'
  ).split(' '),
);
/** With these the command does its work itself. */
const workingFlags = /^(-[hv]|--(version|help|status|list-extensions|(un)?install-extension))$/;
/** A command that only opens a window is done by then. */
const launchMillisMax = 3000;

export interface EndedProgram {
  command: string[];
  code: number;
  millis: number;
}

/** Did it leave at once because its window belongs to another process, which goes on? */
export function leftWindowBehind({ command: [file = '', ...args], code, millis }: EndedProgram): boolean {
  const name = basename(file).replace(/\.(exe|cmd)$/i, '');
  return (
    code === 0 && millis <= launchMillisMax && launchers.has(name) && !args.some((word) => workingFlags.test(word))
  );
}
