import type { RerunEnd, RerunStatement } from '../../recording/rerun-report.ts';
import { statementsOf } from '../../recording/timeline.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import type { RerunPlan } from './plan.ts';
import { rerun, whyNoStatement } from './rerun.ts';
import { openDsn, openResource, type Dial, type OpenTarget } from './target.ts';

export interface PlanRun {
  plan: RerunPlan;
  gateway: OpenedGateway;
  session: string;
  until: number | undefined;
  caFile: string | undefined;
  dial: Dial;
  signal: AbortSignal;
}

/** What a plan gives, statement by statement. */
export interface PlanOutcome {
  /** The session that records it, where the target is a resource. */
  targetSession: string | null;
  statements: AsyncGenerator<RerunStatement, RerunEnd>;
}

/** Opens the target and runs the plan. Throws UserError when the target cannot be opened. */
export async function runPlan({ plan, gateway, session, until, caFile, dial, signal }: PlanRun): Promise<PlanOutcome> {
  const { survey, spool, target } = plan;
  await survey.protocol.load?.();
  const opened = target.dsn
    ? openDsn(target.dsn, survey.protocol, dial)
    : await openResource({
        gateway,
        resource: target.name,
        recorded: session,
        protocol: survey.protocol,
        caFile,
        signal: new AbortController().signal, // Ctrl-C ends statements first, then the session
      });
  const parts = { session, survey, entries: () => spool.entries(), connect: opened.connect, until, signal };
  return { targetSession: opened.session ?? null, statements: untilClosed(rerun(parts), opened) };
}

async function* untilClosed(
  statements: AsyncGenerator<RerunStatement, RerunEnd>,
  opened: OpenTarget,
): AsyncGenerator<RerunStatement, RerunEnd> {
  try {
    return yield* statements;
  } finally {
    await opened.close();
  }
}

/** What would be run: no connection is opened. */
export async function* rehearse(
  { survey, spool }: RerunPlan,
  { session, until = Infinity }: { session: string; until?: number | undefined },
): AsyncGenerator<RerunStatement, RerunEnd> {
  const { renderParameter, renderCommand } = survey.protocol;
  for await (const recorded of statementsOf(spool.entries(), { session, renderParameter, renderCommand })) {
    if (recorded.seq >= until) continue;
    const skipped = survey.skips.get(recorded.seq)?.why ?? whyNoStatement(recorded);
    yield { recorded, ran: undefined, result: 'not-run', ...(skipped && { skipped }) };
  }
  return { reason: 'dry-run', outOfOrder: [], openTransactions: [] };
}
