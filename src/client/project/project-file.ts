import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { nameSchema } from '../../shared/api.ts';
import { UserError } from '../../shared/errors.ts';
import { parseConfig } from '../../shared/parse-config.ts';
import { normaliseGateway } from '../gateway-url.ts';

/** What a repository says of itself, for everybody who clones it. It holds no secret, and nobody has to believe it. */
const projectSchema = z.strictObject({
  version: z.literal(1),
  gateway: z.string().max(512).transform(normaliseGateway),
  resources: z.array(nameSchema).min(1).max(64),
});
export type Project = z.infer<typeof projectSchema>;

export interface FoundProject extends Project {
  path: string;
}

export const projectFileName = '.hoop.json';

/** `.hoop.json` of this folder or of one above it, up to the repository's own (the one with `.git`). Throws UserError. */
export async function findProject(folder: string): Promise<FoundProject | undefined> {
  const found = await readProject(folder);
  if (found) return found;
  const isTop = await stat(join(folder, '.git')).then(
    () => true,
    () => false,
  );
  return isTop || dirname(folder) === folder ? undefined : findProject(dirname(folder));
}

/** `.hoop.json` of exactly this folder. Throws UserError. */
export async function readProject(folder: string): Promise<FoundProject | undefined> {
  const path = join(folder, projectFileName);
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined;
    throw new UserError('HOOP_CONFIG', `${path} cannot be read: ${cause.message}`, { cause });
  });
  return text === undefined ? undefined : { path, ...parseConfig(projectSchema, json(text, path), path) };
}

export const projectText = ({ gateway, resources }: Omit<Project, 'version'>): string =>
  `${JSON.stringify({ version: 1, gateway, resources }, null, 2)}\n`;

function json(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UserError('HOOP_CONFIG', `${path} is not JSON`, {
      next: 'correct it, or remove it and run: hoop init',
      cause,
    });
  }
}
