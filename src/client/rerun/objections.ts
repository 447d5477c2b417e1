import { lookup } from 'node:dns/promises';
import type { Resource } from '../../shared/api.ts';
import type { Genesis } from '../../recording/genesis.ts';
import type { DsnTarget } from './dsn.ts';

/** A server and a database of it. */
interface Place {
  name: string;
  address: string;
  database: string | null;
}

export interface ResourceToJudge {
  recorded: Genesis;
  target: Resource;
}

/** Why a session had better not be run again on this resource: nothing where its owner marked it, and it is not the recorded one. */
export async function objectionsToResource({ recorded, target }: ResourceToJudge): Promise<string[]> {
  const objections: string[] = [];
  if (target.name === recorded.resource) objections.push(`${target.name} is the resource that was recorded`);
  else if (await isSamePlace(target, recorded))
    objections.push(`${target.name} has the address and the database of ${recorded.resource}, which was recorded`);
  if (!target.sandbox) objections.push(`${target.name} is not marked with sandbox: true in agent.yaml`);
  return objections;
}

export interface DsnToJudge {
  recorded: Genesis;
  target: DsnTarget;
  /** Resources that the gateway knows of. */
  known: readonly Resource[];
  /** The person says that it is a sandbox. */
  isSandbox: boolean;
}

/** The same for a server that the gateway knows nothing of. */
export async function objectionsToDsn({ recorded, target, known, isSandbox }: DsnToJudge): Promise<string[]> {
  const objections: string[] = [];
  const places = [{ ...recorded, name: recorded.resource }, ...known.filter(({ sandbox }) => !sandbox)];
  for (const place of places)
    if (await isSamePlace(target, place)) {
      objections.push(`it is the database of ${place.name}`);
      break;
    }
  if (!isSandbox) objections.push('nothing says that it is a sandbox: --sandbox does');
  return objections;
}

/** As far as this machine can see: a name that means another address elsewhere escapes it. */
async function isSamePlace(one: Omit<Place, 'name'>, other: Omit<Place, 'name'>): Promise<boolean> {
  if (one.database !== null && other.database !== null && one.database !== other.database) return false;
  if (one.address === other.address) return true;
  const [ours, theirs] = await Promise.all([endpointsOf(one.address), endpointsOf(other.address)]);
  return ours.some((endpoint) => theirs.includes(endpoint));
}

async function endpointsOf(address: string): Promise<string[]> {
  const colon = address.lastIndexOf(':');
  if (address.startsWith('/') || colon < 0) return [address];
  const host = address
    .slice(0, colon)
    .replaceAll(/^\[|\]$/g, '')
    .toLowerCase();
  const port = address.slice(colon + 1);
  const found = await lookup(host, { all: true }).catch(() => []);
  const hosts = found.map((one) => (isLoopback(one.address) ? 'loopback' : one.address));
  return [...(hosts.length > 0 ? hosts : [host])].map((one) => `${one}:${port}`);
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');
