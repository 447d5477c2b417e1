import { escapeControl, tone } from './print.ts';

interface Check {
  name: string;
  state: 'ok' | 'warning' | 'failed' | 'not checked';
  seen: string;
  next: string | null;
}

interface DirectCredential {
  file: string;
  line: number;
  shown: string;
  fix: string;
}

const marks = {
  ok: (text: string) => tone.good(text),
  warning: (text: string) => tone.warn(text),
  failed: (text: string) => tone.bad(text),
  'not checked': (text: string) => tone.faint(text),
};

/** One check, in one line and a next step. */
export function checkLine({ name, state, seen, next }: Check): string {
  const line = `${marks[state](state.padEnd(11))}  ${name}: ${escapeControl(seen)}`;
  return next === null ? line : `${line}\n${' '.repeat(13)}${escapeControl(next)}`;
}

/** What goes around the gateway. */
export function credentialLines(found: readonly DirectCredential[]): string {
  if (found.length === 0)
    return `${tone.good('ok'.padEnd(11))}  direct credentials: none found in this folder and your own files`;
  const head = `${tone.bad('failed'.padEnd(11))}  direct credentials: whoever reads these reaches a database without a record`;
  const lines = found.map(
    ({ file, line, shown, fix }) =>
      `${' '.repeat(13)}${escapeControl(file)}:${line}  ${escapeControl(shown)}\n${' '.repeat(15)}${fix}`,
  );
  return [head, ...lines].join('\n');
}
