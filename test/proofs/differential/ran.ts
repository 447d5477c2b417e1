/** One thing that a server was made to do, as its log or a recording has it. */
export interface Ran {
  /** Null where a message failed before the server knew what it was about. */
  text: string | null;
  parameters: string;
  /** `ok`, a SQLSTATE, or `unknown`: nobody lived to see the answer. */
  outcome: string;
  /** False where the record says that SQL may have put another statement under the name. */
  isSure?: false;
  /** The server ended the connection: whether anybody heard it is left to chance. */
  isEnd?: true;
  /** It began to run; a Parse, a Bind, a text with a syntax error does not. */
  began: boolean;
}

export const shown = ({ text, parameters, outcome, began }: Ran): string =>
  `${began ? 'ran' : 'failed'} ${JSON.stringify(text)?.slice(0, 400)}${parameters && ` | ${parameters.slice(0, 400)}`} → ${outcome}`;

/**
 * The first place where the record is not the log, or undefined. What the log has must be in the record, in its order, with text,
 * parameters and outcome; what the record has must be in the log, except for what is *unknown*. Of a client that hung up, nobody heard
 * which Parse or Bind failed in the end.
 */
export function difference(
  recorded: readonly Ran[],
  logged: readonly Ran[],
  { isCutOff = false } = {},
): string | undefined {
  let at = 0;
  for (const [index, one] of recorded.entries()) {
    let other = logged[at];
    while (isCutOff && other?.began === false && !isSame(one, other)) other = logged[++at];
    if (other && isSame(one, other)) at++;
    else if (one.outcome !== 'unknown') return differing(recorded, index, logged, at);
  }
  const rest = logged.findIndex((one, index) => index >= at && !one.isEnd && !(isCutOff && !one.began));
  return rest === -1 ? undefined : differing(recorded, recorded.length, logged, rest);
}

/** Where they part, with what stands around it. */
function differing(recorded: readonly Ran[], index: number, logged: readonly Ran[], at: number): string {
  const around = (ran: readonly Ran[], place: number): string =>
    [...ran.slice(Math.max(0, place - 3), place + 2), undefined]
      .map((one) => (one === ran[place] ? `    ▶ ${one ? shown(one) : 'nothing'}` : one && `      ${shown(one)}`))
      .filter(Boolean)
      .join('\n');
  return `recorded:\n${around(recorded, index)}\n    the server's log:\n${around(logged, at)}`;
}

/** In a transaction that has failed, the server cannot look at types any more and has let go of its portals: it logs less. */
function isSame(recorded: Ran, logged: Ran): boolean {
  if (recorded.outcome !== logged.outcome && recorded.outcome !== 'unknown') return false;
  if (logged.began) {
    const isToldLess = logged.outcome === '25P02' && logged.parameters === '';
    if (recorded.isSure === false) return true;
    const isSameText = recorded.text === logged.text || (isToldLess && logged.text === '');
    return recorded.began && isSameText && (recorded.parameters === logged.parameters || isToldLess);
  }
  // The log tells the text of a failure only where the server had come as far as to read it.
  return logged.text === null || recorded.text === logged.text;
}
