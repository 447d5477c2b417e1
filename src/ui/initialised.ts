import { escapeControl } from './print.ts';

interface InitFile {
  path: string;
  text: string;
  state: 'written' | 'same' | 'kept' | 'would be written';
}

const said: Record<InitFile['state'], string> = {
  written: 'written',
  same: 'has it already',
  kept: 'holds something else and stays as it is',
  'would be written': 'would hold',
};

/** What `hoop init` says: each file and what became of it; the texts where nothing was written. */
export function initialisedText({
  gateway,
  resources,
  files,
}: {
  gateway: string;
  resources: string[];
  files: InitFile[];
}): string {
  const lines = files.map(({ path, text, state }) =>
    state === 'would be written'
      ? `${escapeControl(path)} would hold:\n\n${text.trimEnd()}\n`
      : `${escapeControl(path)}  ${said[state]}`,
  );
  const isWritten = files.some(({ state }) => state === 'written');
  return [...lines, ...(isWritten ? [next(gateway, resources)] : [])].join('\n');
}

const next = (gateway: string, resources: string[]): string =>
  `Commit them. Whoever clones this: hoop login --gateway ${gateway}, then Cursor, or hoop connect (${resources.join(', ')})`;
