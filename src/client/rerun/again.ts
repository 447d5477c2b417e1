import type { RerunEnd, RerunStatement, RerunSubject } from '../../recording/rerun-report.ts';
import { errorCodes, exitCodes } from '../../shared/error-codes.ts';
import type { Session } from '../../shared/api.ts';
import type { OpenedGateway } from '../open-gateway.ts';
import type { RerunFlags } from './flags.ts';
import { expectConsent, expectWhole, planRerun, type Consent, type RerunPlan } from './plan.ts';
import { rehearse, runPlan } from './run-plan.ts';
import type { Dial } from './target.ts';

/** `hoop replay --into`. */
export interface AgainOptions {
  gateway: OpenedGateway;
  session: Session;
  flags: RerunFlags;
  environment: NodeJS.ProcessEnv;
  dial: Dial;
  ask: Consent['ask'];
  say: (line: string) => void;
  signal: AbortSignal;
  show: (run: {
    subject: RerunSubject;
    statements: AsyncGenerator<RerunStatement, RerunEnd>;
    total: number;
  }) => Promise<{ reason: RerunEnd['reason']; differences: number }>;
}

/** To its exit code: 0 where everything came out the same, 1 where something did not. */
export async function replayInto(options: AgainOptions): Promise<number> {
  const { gateway, session, flags, environment, say } = options;
  const plan = await planRerun({ ...flags, gateway, session, environment });
  await using _spool = plan.spool;
  if (flags['dry-run']) return rehearsed(options, plan);
  expectWhole(plan.survey, flags['skip-withheld'] === true);
  await expectConsent(plan, { force: flags.force === true, confirm: flags.confirm, ask: options.ask });
  if (plan.target.dsn) say('Straight to the server of the DSN: what is run there is not recorded.');
  const { until, 'ca-file': caFile } = flags;
  const { dial, signal } = options;
  const run = await runPlan({ plan, gateway, session: session.id, until, caFile, dial, signal });
  const { statements, targetSession } = run;
  const subject = subjectOf(options, plan, targetSession);
  const end = await options.show({ subject, statements, total: plan.survey.statements });
  if (end.reason === 'target-lost') return errorCodes.HOOP_RESOURCE_UNREACHABLE.exit;
  if (end.reason === 'stopped') return stoppedExit;
  return end.differences === 0 ? exitCodes.ok : exitCodes.error;
}

/** Of a program that Ctrl-C ended. */
const stoppedExit = 130;

async function rehearsed(options: AgainOptions, plan: RerunPlan): Promise<number> {
  const { session, flags, say } = options;
  for (const objection of plan.objections) say(`It would be refused without --force: ${objection}.`);
  if (plan.survey.missing.length > 0 && !flags['skip-withheld'])
    say('It would be refused without --skip-withheld: some statements are not whole in the record.');
  const statements = rehearse(plan, { session: session.id, until: flags.until });
  await options.show({ subject: subjectOf(options, plan, null), statements, total: plan.survey.statements });
  return exitCodes.ok;
}

const subjectOf = ({ session, flags }: AgainOptions, plan: RerunPlan, targetSession: string | null): RerunSubject => ({
  session: session.id,
  resource: session.resource,
  target: plan.target.name,
  targetSession,
  until: flags.until ?? null,
});
