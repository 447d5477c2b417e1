import type { Checkpoint } from './checkpoint.ts';
import { commitAgent, type Leaf } from './leaf.ts';
import { cosignedAt, type Note, type VerifierKey } from './note.ts';
import { verdicts, worst, type Verdict } from './verdicts.ts';
import type { Trust } from './verify-checkpoint.ts';
import type { VerifyReport } from './verify-report.ts';
import type { VerifiedSession } from './verify-session.ts';

/** Who saw a session's record while it was made, beside the gateway. */
export interface SessionWitness {
  agent: string;
  /** `unseen`: an agent that is older than its witness. */
  standing: 'independent' | 'colocated' | 'unseen';
  /** Of the keys that you trust, those that cosigned the log up to this session's end (while it runs: its beginning). */
  cosignedBy: string[];
}

export interface WitnessedSession extends Omit<VerifiedSession, 'beside'> {
  witness?: SessionWitness;
}

/** How an agent's key is pinned: names are good for one gateway. */
export const agentAt = (origin: string, agent: string): string => `${origin} ${agent}`;

/** A checkpoint of the log that is verified, with whatever cosignatures it has. */
export interface Cosigned {
  checkpoint: Checkpoint;
  note: Note;
  /** Those who say themselves that they have cosigned it. */
  by?: readonly VerifierKey[];
}

/** A leaf, and where the log has it. */
export interface PlacedLeaf {
  index: number;
  leaf: Leaf;
}

/** How many leaves of the log each trusted witness has cosigned; nothing of one that has none. */
export function cosignedSizes(notes: readonly Cosigned[], { witnesses, agents }: Trust): Map<VerifierKey, number> {
  const sizes = new Map<VerifierKey, number>();
  for (const key of [...witnesses, ...(agents?.values() ?? [])]) {
    const held = notes.filter((each) => each.by?.includes(key) || cosignedAt(each.note, key) !== undefined);
    if (held.length > 0) sizes.set(key, Math.max(...held.map(({ checkpoint }) => checkpoint.size)));
  }
  return sizes;
}

/** Witnesses that were named, and have not cosigned this log at all. */
export const withoutCosignature = (sizes: ReadonlyMap<VerifierKey, number>, { witnesses }: Trust): Verdict[] =>
  witnesses
    .filter((key) => !sizes.has(key))
    .map(({ name }) => ({ verdict: 'UNWITNESSED', why: `no cosignature of ${name}` }));

/**
 * Who witnessed the session. UNWITNESSED where a witness that was named, or the pinned key of its agent, has not cosigned the log up to
 * its end. `youngerMicros`: a leaf younger than that cannot have been cosigned yet.
 */
export function withWitness(
  session: VerifiedSession,
  facts: {
    leaves: readonly PlacedLeaf[];
    sizes: ReadonlyMap<VerifierKey, number>;
    trust: Trust;
    /** Of the log. */
    origin: string | undefined;
    youngerMicros: number;
  },
): WitnessedSession {
  const { sizes, trust } = facts;
  const agent = session.beside?.agent;
  const last = anchorOf(facts.leaves);
  const covers = (key: VerifierKey): boolean => last !== undefined && (sizes.get(key) ?? 0) > last.index;
  const pinned = agent === undefined ? undefined : trust.agents?.get(agentAt(facts.origin ?? '', agent));
  const wanted = [...trust.witnesses, ...(pinned ? [pinned] : [])];
  const isYoung = last === undefined || last.leaf.timeMicros > facts.youngerMicros;
  const missing = isYoung ? undefined : wanted.find((key) => !covers(key));
  const found: Verdict | undefined = missing && {
    verdict: 'UNWITNESSED',
    why: `${missing.name} has not cosigned the log up to its ${endKinds.has(last!.leaf.kind) ? 'end' : 'beginning'}`,
  };
  const verdict = found && verdicts[session.verdict].exit === 0 ? worst([session, found])! : session;
  const cosignedBy = wanted.filter(covers).map(({ name }) => name);
  const { beside, ...rest } = session;
  return {
    ...rest,
    ...pickVerdict(verdict),
    ...(beside && { witness: { ...beside, cosignedBy } }),
  };
}

const pickVerdict = ({ verdict, why }: Verdict): Pick<Verdict, 'verdict' | 'why'> => ({ verdict, why });

const endKinds: ReadonlySet<string> = new Set(['close', 'interrupted']);

/** The leaf that a witness has to have seen: the end of the session, or its beginning while it has none. */
const anchorOf = (leaves: readonly PlacedLeaf[]): PlacedLeaf | undefined =>
  leaves.find(({ leaf }) => endKinds.has(leaf.kind)) ?? leaves.find(({ leaf }) => leaf.kind === 'open');

/** How far each has cosigned the log, and which of its leaves says that an agent joined with that key. */
export const standingOf = (
  sizes: ReadonlyMap<VerifierKey, number>,
  leaves: readonly Leaf[],
): NonNullable<VerifyReport['witnesses']> =>
  [...sizes].map(([{ name, publicKey }, cosigned]) => {
    const joined = leaves.findIndex(
      ({ kind, subject, digest }) => kind === 'agent' && commitAgent(subject, publicKey).equals(digest),
    );
    return { name, cosigned, ...(joined >= 0 && { joined }) };
  });
