import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import * as z from 'zod';
import { nameSchema } from '../shared/api.ts';
import { parseConfig } from '../shared/parse-config.ts';
import { parseYamlText } from '../shared/parse-yaml.ts';
import { UserError } from '../shared/errors.ts';
import { limits } from '../shared/limits.ts';
import { spanMillis } from '../shared/span.ts';
import { checkSignInOptions, oidcSchema, signInShape } from './identity/sign-in-options.ts';

const periodSchema = z
  .string()
  .refine((text) => (spanMillis(text) ?? 0) >= 3_600_000, 'must be an hour at least, with h, d or w: for example 90d')
  .transform((text) => spanMillis(text)!);

/** In milliseconds after a session's end. */
const retentionSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { default: value } : value),
  z.strictObject({ default: periodSchema.optional(), resources: z.record(nameSchema, periodSchema).default({}) }),
);
export type RetentionPeriods = z.infer<typeof retentionSchema>;

const lifeSchema = z
  .string()
  .refine((text) => (spanMillis(text) ?? 0) >= 1000, 'must be a second at least, with s, min, h or d: for example 8h')
  .transform((text) => spanMillis(text)!);

/** Of every session, in milliseconds. */
const sessionSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { maxTtl: value } : value),
  z.strictObject({
    maxTtl: lifeSchema.optional(),
    idle: lifeSchema.optional(),
    /** May a developer keep the password of a local port from session to session? */
    keepCredential: z.boolean().default(true),
  }),
);

export const gatewayConfigSchema = z.strictObject({
  /** `host:port`; port 0 takes a free one. */
  listen: z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:]+):\d{1,5}$/, 'must be host:port, for example 127.0.0.1:8009')
    .default('127.0.0.1:8009'),
  dataDir: z.string().min(1).default('./hoop-gateway'),
  /** How clients reach the gateway; needed behind a proxy or when it listens on all addresses. */
  publicUrl: z.url().optional(),
  tlsCert: z.string().optional(),
  tlsKey: z.string().optional(),
  /** TLS ends at a proxy in front; X-Forwarded-* of the loopback and private addresses is believed. */
  behindProxy: z.stringbool().or(z.boolean()).default(false),
  /** agent.yaml of resources that are served in this very process. */
  agent: z.string().min(1).optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** Largest message of a resource's protocol. */
  messageBytesMax: z.coerce
    .number()
    .int()
    .min(64 * 1024)
    .max(1024 * 1024 * 1024)
    .default(limits.messageBytesMax),
  /** How long sealed recordings are kept: one time for all, or by resource. Without it for ever. */
  retention: retentionSchema.optional(),
  /** How long sessions live: `8h` after the approval, or `{ maxTtl, idle, keepCredential }`. Without it as long as the access behind them. */
  session: sessionSchema.optional(),
  ...signInShape,
});
export type GatewayConfig = z.infer<typeof gatewayConfigSchema>;

const keys = Object.keys(gatewayConfigSchema.shape);

/** Flags > HOOP_GATEWAY_* variables > hoop.yaml > defaults; every fault names the key and where it stands. */
export async function readGatewayConfig(
  flags: Record<string, unknown>,
  options: { file?: string; environment?: NodeJS.ProcessEnv } = {},
): Promise<GatewayConfig> {
  const fromFile = await readConfigFile(options.file);
  const fromEnvironment = environmentValues(options.environment ?? process.env, fromFile.values['oidc']);
  const given = Object.fromEntries(
    Object.entries(flags).filter(([key, value]) => keys.includes(key) && value !== undefined),
  );
  // Each layer is checked on its own, so that the message can say where the fault stands.
  const partial = gatewayConfigSchema.partial().extend({ oidc: oidcSchema.partial().optional() });
  parseConfig(partial, fromFile.values, fromFile.path);
  parseConfig(partial, fromEnvironment, 'environment (HOOP_GATEWAY_…)');
  const config = parseConfig(gatewayConfigSchema, { ...fromFile.values, ...fromEnvironment, ...given }, 'command line');
  return checked({ ...config, dataDir: resolve(config.dataDir) });
}

/** `dataDir` is `HOOP_GATEWAY_DATA_DIR`, and so on. */
export const environmentVariable = (key: string): string =>
  `HOOP_GATEWAY_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** `oidc` key by key, over what the file has: the secret may be here and the rest there. */
function environmentValues(environment: NodeJS.ProcessEnv, oidcInFile: unknown): Record<string, unknown> {
  const valuesOf = (named: string[], prefix = '') =>
    Object.fromEntries(
      named.flatMap((key) => {
        const value = environment[environmentVariable(`${prefix}${key}`)];
        return value === undefined ? [] : [[key, value]];
      }),
    );
  const values = valuesOf(keys.filter((key) => key !== 'oidc'));
  const oidc = valuesOf(Object.keys(oidcSchema.shape), 'oidc_');
  if (Object.keys(oidc).length === 0) return values;
  return { ...values, oidc: { ...(oidcInFile as object | undefined), ...oidc } };
}

async function readConfigFile(file: string | undefined): Promise<{ path: string; values: Record<string, unknown> }> {
  const path = file ?? 'hoop.yaml';
  if (file === undefined && !existsSync(path)) return { path, values: {} };
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UserError('HOOP_CONFIG', `cannot read ${path}`, { next: 'check --config', cause });
  });
  return { path, values: parseYamlText(text, path) as Record<string, unknown> };
}

/** Plain HTTP leaves the machine only when somebody said that a proxy adds TLS. */
function checked(config: GatewayConfig): GatewayConfig {
  if (Boolean(config.tlsCert) !== Boolean(config.tlsKey)) {
    throw new UserError('HOOP_CONFIG', 'tlsCert and tlsKey belong together', { next: 'give --tls-cert and --tls-key' });
  }
  checkSignInOptions(config);
  if (!config.tlsCert && !config.behindProxy && !isLoopback(listenHost(config))) {
    throw new UserError('HOOP_CONFIG', `listen: ${config.listen} is not loopback, and there is no TLS`, {
      next: 'give --tls-cert and --tls-key, or --behind-proxy if a proxy in front ends TLS',
    });
  }
  return config;
}

export const listenHost = (config: Pick<GatewayConfig, 'listen'>): string =>
  config.listen.slice(0, config.listen.lastIndexOf(':')).replace(/^\[|\]$/g, '');
export const listenPort = (config: Pick<GatewayConfig, 'listen'>): number =>
  Number(config.listen.slice(config.listen.lastIndexOf(':') + 1));

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
