import { createInterface } from 'node:readline/promises';

/** A line that a person types at a terminal; empty where the input ends. */
export async function askLine(input: NodeJS.ReadStream, output: NodeJS.WriteStream, question: string): Promise<string> {
  const lines = createInterface({ input, output });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}

/** Asks the person at this process's terminal; undefined where there is none. */
export function askAtTerminal(): ((question: string) => Promise<string>) | undefined {
  const { stdin, stderr } = process;
  return stdin.isTTY && stderr.isTTY ? (question) => askLine(stdin, stderr, question) : undefined;
}
