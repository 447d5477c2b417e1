import { nameSchema } from '../shared/api.ts';
import { gatewaySettings, readSettings, updateSettings } from './settings.ts';

/** For completion only: it must answer at once, so it offers what the last `hoop resources` or `hoop connect` saw. */
export async function knownResources(): Promise<string[]> {
  const { defaultGateway, gateways } = await readSettings();
  const gateway = process.env['HOOP_GATEWAY'] ?? defaultGateway;
  const known = gateway === undefined ? undefined : gateways[gateway];
  const names = [...(known?.resources ?? []), ...Object.keys(known?.ports ?? {})];
  // Shells get them: nothing but names, whatever some gateway called its resources.
  return [...new Set(names)].filter((name) => nameSchema.safeParse(name).success);
}

/** Not for gateways that nobody signed in at from here: HOOP_TOKEN leaves nothing behind. */
export async function rememberResources(gateway: string, names: string[]): Promise<void> {
  const before = (await readSettings()).gateways[gateway];
  if (!before || before.resources.join() === names.join()) return;
  await updateSettings((settings) => {
    gatewaySettings(settings, gateway).resources = names;
  });
}
