import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { UserError } from '../shared/errors.ts';
import { configDir } from './config-dir.ts';
import { withLock } from './file-lock.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

const gatewaySettingsSchema = z.object({
  /** Other addresses by which it was reached; proofs are always made for its own. */
  aliases: z.array(z.string()).default([]),
  user: z.string().optional(),
  /** The local port each resource had first. */
  ports: z.record(z.string(), z.number().int().min(1).max(65_535)).default({}),
  /** The verifier key of its transparency log, as the first sign-in found it. */
  logKey: z.string().optional(),
  /** Proofs (C2SP tlog-proof) that it was followed by another one, and so on. */
  logRollovers: z.array(z.string()).optional(),
  /** Verifier keys with which agents cosign the log, by the agents' names, as they were shown first. */
  agentKeys: z.record(z.string(), z.string()).optional(),
  /** What the local passwords that are kept from session to session are derived from; no secret by itself. */
  keptCredentials: z.record(z.string(), z.string().regex(/^[A-Za-z0-9_-]{16,64}$/)).optional(),
  /** Names for completion. */
  resources: z.array(z.string()).default([]),
});
export type GatewaySettings = z.infer<typeof gatewaySettingsSchema>;

const settingsSchema = z.object({
  version: z.literal(1).default(1),
  /** The gateway of the last sign-in. */
  defaultGateway: z.string().optional(),
  /** Chosen at the first sign-in and kept: tokens never move from one store to the other silently. */
  tokenStore: z.enum(['keychain', 'file']).optional(),
  gateways: z.record(z.string(), gatewaySettingsSchema).default({}),
});
export type Settings = z.infer<typeof settingsSchema>;

export const settingsPath = (folder: string = configDir()): string => join(folder, 'settings.json');

/** What is remembered on this machine: no secrets. */
export async function readSettings(folder: string = configDir()): Promise<Settings> {
  const path = settingsPath(folder);
  const text = await readPrivateFile(path);
  const result = settingsSchema.safeParse(text === undefined ? {} : parseJson(text));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UserError('HOOP_CONFIG', `${path}: ${issue?.path.join('.') || '(top level)'}: ${issue?.message}`, {
    next: 'correct it, or remove the file and run: hoop login --gateway URL',
  });
}

/** Reads, changes and writes as one step among the processes of this user. */
export async function updateSettings(
  change: (settings: Settings) => void,
  folder: string = configDir(),
): Promise<Settings> {
  return withLock(`${settingsPath(folder)}.lock`, async () => {
    const settings = await readSettings(folder);
    change(settings);
    await writePrivateFile(settingsPath(folder), `${JSON.stringify(settings, null, 2)}\n`);
    return settings;
  });
}

/** The entry of one gateway, made where there is none. */
export function gatewaySettings(settings: Settings, gateway: string): GatewaySettings {
  return (settings.gateways[gateway] ??= { aliases: [], ports: {}, resources: [] });
}

export async function rememberedPort(gateway: string, resource: string): Promise<number | undefined> {
  const { gateways } = await readSettings();
  return gateways[gateway]?.ports[resource];
}

export async function rememberPort(gateway: string, resource: string, port: number): Promise<void> {
  await updateSettings((settings) => {
    gatewaySettings(settings, gateway).ports[resource] = port;
  });
}

/** Made the first time; whoever takes it out of the settings gets another password. */
export async function keptCredential(gateway: string, resource: string): Promise<string> {
  const settings = await updateSettings((all) => {
    const kept = (gatewaySettings(all, gateway).keptCredentials ??= {});
    kept[resource] ??= randomBytes(24).toString('base64url');
  });
  return settings.gateways[gateway]!.keptCredentials![resource]!;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return 'not JSON';
  }
}
