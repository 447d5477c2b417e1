import { Box, Text } from 'ink';
import type { ReactNode } from 'react';

export interface ConnectRow {
  resource: string;
  /** Words first, colour second: the mark and the word carry the meaning without colour. */
  tone: 'ready' | 'waiting' | 'failed' | 'over';
  word: string;
  detail: string;
}

export interface ConnectStatusProps {
  rows: ConnectRow[];
  /** What somebody has to do now, such as a sign-in with its code; empty when there is nothing. */
  notice: string;
  /** One line below the rows, such as "Ctrl-C ends the session"; empty when it is over. */
  hint: string;
}

const marks = { ready: '●', waiting: '○', failed: '✕', over: '■' } as const;
const colours = { ready: 'green', waiting: 'yellow', failed: 'red', over: 'gray' } as const;

/** The live lines of `hoop connect`: one row per resource. Props in, no I/O. */
export function ConnectStatus({ rows, notice, hint }: ConnectStatusProps): ReactNode {
  const width = Math.max(...rows.map((row) => row.resource.length));
  return (
    <Box flexDirection="column">
      {rows.map((row) => (
        <Text key={row.resource} wrap="truncate-end">
          <Text color={colours[row.tone]}>{marks[row.tone]}</Text> <Text bold>{row.resource.padEnd(width)}</Text>{' '}
          {row.word}
          {row.detail === '' ? '' : ' · '}
          <Text dimColor>{row.detail}</Text>
        </Text>
      ))}
      {notice === '' ? null : <Text bold>{notice}</Text>}
      {hint === '' ? null : <Text dimColor>{hint}</Text>}
    </Box>
  );
}
