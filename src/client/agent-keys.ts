import { parseVerifierKey, type VerifierKey } from '../recording/note.ts';
import { agentAt } from '../recording/verify-witness.ts';
import type { Resource } from '../shared/api.ts';
import { gatewaySettings, readSettings, updateSettings } from './settings.ts';

/**
 * Remembers the keys with which agents cosign the log, as they are shown first, and never replaces one by itself: the sessions beside an
 * agent want its cosignature from then on. Lines for the person where another key is shown now.
 */
export async function pinAgentKeys(
  gateway: string,
  resources: readonly Pick<Resource, 'agent' | 'witness'>[],
): Promise<string[]> {
  // Not for gateways that nobody signed in at from here: HOOP_TOKEN leaves nothing behind.
  const before = (await readSettings()).gateways[gateway];
  const shown = new Map(resources.flatMap(({ agent, witness }) => (witness ? [[agent, witness] as const] : [])));
  if (!before?.logKey || shown.size === 0) return [];
  const known = new Map(Object.entries(before.agentKeys ?? {}));
  const fresh = [...shown].filter(([agent, key]) => !known.has(agent) && parseVerifierKey(key));
  if (fresh.length > 0)
    await updateSettings((settings) => {
      const entry = gatewaySettings(settings, gateway);
      entry.agentKeys = { ...Object.fromEntries(fresh), ...entry.agentKeys };
    });
  return [...shown]
    .filter(([agent, key]) => known.has(agent) && known.get(agent) !== key)
    .map(
      ([agent, key]) =>
        `The agent ${agent} cosigns with another key (${key}) than at first (${known.get(agent)}). The first one stays: ask who runs the agent, and take it out of this machine's settings.json where the new one is right.`,
    );
}

/** By the log and the agent's name. */
export async function pinnedAgents(): Promise<Map<string, VerifierKey>> {
  const { gateways } = await readSettings();
  const found = new Map<string, VerifierKey>();
  for (const { logKey, agentKeys = {} } of Object.values(gateways)) {
    const log = parseVerifierKey(logKey ?? '');
    for (const [agent, text] of Object.entries(agentKeys)) {
      const key = parseVerifierKey(text);
      if (log && key) found.set(agentAt(log.name, agent), key);
    }
  }
  return found;
}
