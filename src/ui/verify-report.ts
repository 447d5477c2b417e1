import { verdicts } from '../recording/verdicts.ts';
import type { SessionReport, VerifyReport } from '../recording/verify-report.ts';
import { escapeControl } from './escape-control.ts';

/** What `hoop verify` prints for people: the verdict, why, and what is not as it should be. */
export function verifyLines(report: VerifyReport): string[] {
  const { verdict, why, log, sessions, acts, witnesses = [] } = report;
  const lines = [`${verdict}  ${why}`, verdicts[verdict].means];
  if (log) lines.push(`log       ${log.origin}, ${log.size} leaves signed`);
  for (const { name, cosigned, joined } of witnesses)
    lines.push(
      `cosigned  ${cosigned} leaves by ${name}${joined === undefined ? '' : `, whose joining is leaf ${joined}`}`,
    );
  if (sessions.length === 1) lines.push(...sessionLines(sessions[0]!));
  if (sessions.length > 1)
    lines.push(`sessions  ${counted(sessions)}`, ...witnessCounts(sessions), ...notValid(sessions));
  if (acts && acts.logged > 0) lines.push(`acts      ${acts.logged} logged, ${acts.kept} of them still there in words`);
  return lines.map((line) => escapeControl(line));
}

function sessionLines({ session, entries, anchored, erased, witness }: SessionReport): string[] {
  const lines = [`session   ${session}, ${entries} entries`];
  if (anchored !== undefined) lines.push(`anchored  up to entry ${anchored}`);
  if (witness) lines.push(`witness   ${witnessText(witness)}`);
  if (erased.length > 0) lines.push(`erased    entries ${erased.join(', ')}`);
  return lines;
}

const standings = {
  independent: 'outside the gateway’s process',
  colocated: 'inside the gateway’s process: it proves nothing',
  unseen: 'too old to be shown the record: it proves nothing',
} as const;

function witnessText({ agent, standing, cosignedBy }: NonNullable<SessionReport['witness']>): string {
  const cosigned = cosignedBy.length > 0 ? `cosigned by ${cosignedBy.join(', ')}` : 'no key of a witness was given';
  return `${agent}, ${standing} (${standings[standing]}); ${cosigned}`;
}

function counted(sessions: readonly SessionReport[]): string {
  const counts = new Map<string, number>();
  for (const { verdict } of sessions) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  return [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ');
}

/** Who witnessed how many of them. */
function witnessCounts(sessions: readonly SessionReport[]): string[] {
  const counts = new Map<string, number>();
  for (const { witness } of sessions) {
    const text = witness ? `${witness.agent}, ${witness.standing}` : 'unknown (the beginning was erased or is missing)';
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => `witness   ${count} by ${text}`);
}

const notValid = (sessions: readonly SessionReport[]): string[] =>
  sessions
    .filter(({ verdict }) => verdict !== 'VALID')
    .map(({ session, verdict, why }) => `  ${session}  ${verdict}  ${why}`);
