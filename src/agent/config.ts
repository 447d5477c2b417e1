import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { protocolNames } from '../protocol/registry.ts';
import { nameSchema } from '../shared/api.ts';
import { parseConfig } from '../shared/parse-config.ts';
import { parseYamlText } from '../shared/parse-yaml.ts';
import { UserError } from '../shared/errors.ts';

/** A secret: by value, `${env:NAME}`, from a file, or as the output of a command. Read anew for every connection to the resource. */
const secretSchema = z.union([
  z.string(),
  z.strictObject({ file: z.string().min(1) }),
  z.strictObject({ command: z.string().min(1) }),
]);
export type Secret = z.infer<typeof secretSchema>;

const tlsSchema = z.strictObject({
  mode: z.enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full']).default('prefer'),
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
  serverName: z.string().optional(),
});

const resourceConfigSchema = z.strictObject({
  name: nameSchema,
  protocol: z.string().refine((name) => protocolNames().includes(name), {
    error: ({ input }) => `${String(input)} is not known; this version knows ${protocolNames().join(', ')}`,
  }),
  /** `host:port`, `[v6]:port`, or the absolute path of a Unix socket. */
  address: z.string().min(1),
  /** Of Redis a number. */
  database: z.union([z.string().min(1), z.int().min(0).transform(String)]).optional(),
  tls: tlsSchema.prefault({}),
  credentials: z.strictObject({ user: z.string().min(1), password: secretSchema.optional() }),
  /** What the record keeps of results: a digest, or the rows too, up to a bound (limits.resultBytesKeptMax). */
  results: z.enum(['digest', 'rows']).default('digest'),
  /** Recorded sessions may be run again here. */
  sandbox: z.boolean().optional(),
  /** What the record leaves out besides passwords; absent: all that the protocol knows. */
  redact: z.array(z.enum(['pgcrypto'])).optional(),
});
export type ResourceConfig = z.infer<typeof resourceConfigSchema>;

export const agentConfigSchema = z.strictObject({
  gateway: z.url().optional(),
  /** Folder of the agent's key; relative to the configuration file. */
  stateDir: z.string().optional(),
  caFile: z.string().optional(),
  resources: z.array(resourceConfigSchema).min(1, 'name at least one resource'),
});
export type AgentConfig = z.infer<typeof agentConfigSchema> & { stateDir: string };

/** Beside the configuration file. */
export const ownStateDir = './hoop-agent';

/** Reads `agent.yaml`. Paths inside it are relative to it. Throws HOOP_CONFIG with the key (or line) at fault. */
export async function readAgentConfig(path: string, stateDir?: string): Promise<AgentConfig> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UserError('HOOP_CONFIG', `cannot read ${path}`, {
      next: 'name the file with --config of the agent, or --agent of the gateway',
      cause,
    });
  });
  return parseAgentConfig(text, path, stateDir);
}

/** `stateDir`: where the text names none. */
export function parseAgentConfig(text: string, path: string, stateDir = ownStateDir): AgentConfig {
  const config = parseConfig(agentConfigSchema, parseYamlText(text, path), path);
  const names = new Set<string>();
  for (const [index, resource] of config.resources.entries()) {
    if (names.has(resource.name)) {
      throw new UserError('HOOP_CONFIG', `${path}: resources.${index}.name: ${resource.name} is named twice`, {
        next: 'give every resource its own name',
      });
    }
    names.add(resource.name);
  }
  const from = (file: string) => resolve(dirname(path), file);
  return {
    ...config,
    stateDir: from(config.stateDir ?? stateDir),
    ...(config.caFile && { caFile: from(config.caFile) }),
    resources: config.resources.map((resource) => ({ ...resource, tls: absoluteTls(resource.tls, from) })),
  };
}

function absoluteTls(tls: ResourceConfig['tls'], from: (file: string) => string): ResourceConfig['tls'] {
  return {
    ...tls,
    ...(tls.ca && { ca: from(tls.ca) }),
    ...(tls.cert && { cert: from(tls.cert) }),
    ...(tls.key && { key: from(tls.key) }),
  };
}
