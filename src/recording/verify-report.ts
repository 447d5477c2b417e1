import { worst, type Verdict } from './verdicts.ts';
import type { WitnessedSession } from './verify-witness.ts';

export interface SessionReport extends WitnessedSession {
  session: string;
}

/** All that a verification found; its verdict is the one that weighs most. */
export interface VerifyReport extends Verdict {
  log?: { origin: string; size: number };
  sessions: SessionReport[];
  /** Administrative acts that the log has, and how many of them are still there in words. */
  acts?: { logged: number; kept: number };
  /** Witnesses that were named: leaves of the log that each has cosigned, and where the log says that it joined as an agent. */
  witnesses?: { name: string; cosigned: number; joined?: number }[];
}

export function reportOf(
  found: readonly Verdict[],
  sessions: SessionReport[],
  facts: Pick<VerifyReport, 'log' | 'acts' | 'witnesses'> = {},
): VerifyReport {
  const nothing: Verdict = { verdict: 'VALID', why: 'the log is whole; it has no session' };
  const bySession = sessions.map(({ verdict, at, why, session }) => ({
    verdict,
    ...(at !== undefined && { at }),
    why: sessions.length > 1 && verdict !== 'VALID' ? `session ${session}: ${why}` : why,
  }));
  const { verdict, at, why } = worst([...found, ...bySession]) ?? nothing;
  return { verdict, ...(at !== undefined && { at }), why, ...facts, sessions };
}
