/** What completion has to know of a command; oclif's manifest has it. */
export interface CompletableCommand {
  id: string;
  hidden?: boolean | undefined;
  args: Record<string, { options?: readonly string[] | undefined }>;
  flags: Record<string, CompletableFlag>;
}

interface CompletableFlag {
  type: string;
  hidden?: boolean | undefined;
  multiple?: boolean | undefined;
  options?: readonly string[] | undefined;
}

/** Words that can stand where the last of `words` is being typed. Pure: names of resources are an argument. */
export function complete(
  words: readonly string[],
  commands: readonly CompletableCommand[],
  resources: readonly string[],
): string[] {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  if (before.includes('--')) return [];
  const command = commandOf(before, commands);
  const previous = command?.flags[(before.at(-1) ?? '').replace(/^--/, '')];
  const isValue = previous?.type === 'option' && (before.at(-1) ?? '').startsWith('--');
  const found = isValue
    ? flagValues((before.at(-1) ?? '').slice(2), previous.options, resources)
    : typed.startsWith('-')
      ? flagNames(command, before)
      : [...nextWords(before, commands), ...argumentsOf(command, resources)];
  return [...new Set(found)].filter((word) => word.startsWith(typed)).sort();
}

/** The longest command that the words begin with. */
function commandOf(before: readonly string[], commands: readonly CompletableCommand[]): CompletableCommand | undefined {
  for (let length = before.length; length > 0; length--) {
    const id = before.slice(0, length).join(':');
    const found = commands.find((command) => command.id === id);
    if (found) return found;
  }
  return undefined;
}

/** `grants` → add, list, remove. */
function nextWords(before: readonly string[], commands: readonly CompletableCommand[]): string[] {
  const prefix = before.map((word) => `${word}:`).join('');
  return commands
    .filter(({ id, hidden }) => !hidden && id.startsWith(prefix))
    .map(({ id }) => id.slice(prefix.length).split(':')[0] ?? '')
    .filter((word) => word !== '');
}

const flagNames = (command: CompletableCommand | undefined, before: readonly string[]): string[] =>
  Object.entries<CompletableFlag>(command?.flags ?? { help: { type: 'boolean' }, version: { type: 'boolean' } })
    .filter(([name, { hidden, multiple }]) => !hidden && (multiple || !before.includes(`--${name}`)))
    .map(([name]) => `--${name}`);

const flagValues = (
  name: string,
  options: readonly string[] | undefined,
  resources: readonly string[],
): readonly string[] => options ?? (name === 'resource' ? resources : []);

function argumentsOf(command: CompletableCommand | undefined, resources: readonly string[]): readonly string[] {
  if (command?.id === 'replay') return ['last'];
  if (command?.args['resource']) return resources;
  return Object.values(command?.args ?? {}).flatMap(({ options }) => options ?? []);
}
