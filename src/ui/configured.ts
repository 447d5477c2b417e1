import { escapeControl } from './print.ts';

interface Configured {
  agent: string;
  file: string;
  link: string | null;
  text: string;
  changed: boolean;
  backup: string | null;
}

type Unconfigured = Pick<Configured, 'agent' | 'file' | 'backup'> & { removed: boolean };

/** What `hoop connect --cursor` says. With `isDry` the file's text, which was not written. */
export function configuredText({ agent, file, link, text, changed, backup }: Configured, isDry: boolean): string {
  if (isDry) return `${escapeControl(file)} would hold:\n\n${text.trimEnd()}`;
  const lines = [
    changed ? `${agent} starts it from now on: ${escapeControl(file)}` : `${escapeControl(file)} has it already`,
    ...(backup === null ? [] : [`  the file before: ${escapeControl(backup)}`]),
    ...(link === null ? [] : [`  or open  ${link}`]),
    `  ${agent} asks you to trust the server when it sees it first; every statement is recorded`,
  ];
  return lines.join('\n');
}

/** What `hoop disconnect --cursor` says. */
export function unconfiguredText({ agent, file, removed, backup }: Unconfigured): string {
  if (!removed) return `${escapeControl(file)} has no such entry`;
  return [
    `${agent} starts it no more: ${escapeControl(file)}`,
    `  the file before: ${escapeControl(backup ?? '')}`,
  ].join('\n');
}
