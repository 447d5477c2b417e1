/**
 * The end of a turn of the event loop, in two steps: first what was recorded in it becomes durable, then what was written in it is sent.
 * What goes on because a record is durable writes between the two, and leaves in the same turn: a turn costs system calls of its own.
 */
const steps = { record: [] as (() => void)[], send: [] as (() => void)[] };
let isPlanned = false;

/** Acts in that step of this turn; from within that step or behind it, of the next. */
export function whenTurnEnds(step: keyof typeof steps, act: () => void): void {
  steps[step].push(act);
  plan();
}

function plan(): void {
  if (isPlanned) return;
  isPlanned = true;
  // Promises that the one settles are acted on before the other begins.
  setImmediate(take, 'record');
  setImmediate(finish);
}

function finish(): void {
  isPlanned = false;
  take('send');
  if (steps.record.length > 0) plan();
}

function take(step: keyof typeof steps): void {
  const acts = steps[step];
  steps[step] = [];
  for (const act of acts) act();
}
