import { grammar, NotParsed, type Token, type Tree } from './grammar.ts';
import { innerOf, isComment, isLiteral } from './literal.ts';
import { RedactionWalk, type Finding, type SecretParameters, type WalkOptions } from './redaction-walk.ts';
import { mayConcernSecrets } from './secret-words.ts';

/** Bytes of a text that are to be withheld. */
export interface Secret {
  start: number;
  end: number;
  rule: string;
  /** Quotes around what stands in their place. */
  quotes: number;
}

export interface Found {
  secrets: Secret[];
  parameters: SecretParameters;
}

interface Layer extends WalkOptions {
  /** Bytes that may still be parsed or scanned: code in code in code must not cost more than its length. */
  work: { bytesLeft: number };
  /** Literals inside of literals. */
  depth: number;
  /** In a function's body: a string that names a secret and is not SQL is an error, because it may become SQL. */
  isCode: boolean;
}

/** One pass to parse and one to scan for each of some layers, and what small texts need for their pieces. */
const workFactor = 8;
const workBytes = 64 * 1024;
/** What a call into the parser costs beside its bytes. */
const callBytes = 256;
/** DO in a DO in a DO … */
const depthMax = 4;
/** `FUNCTION … AS` `OPTIONS (ADD name '…')`: between an option's place and its value. */
const optionTokensMax = 4;
/** Words of one piece of PL/pgSQL at which a statement may begin: each costs a parse. */
const triesMax = 16;

/** Secrets of a text of SQL statements, in order. Throws NotParsed. */
export function findSecrets(text: Uint8Array, options: WalkOptions): Found {
  const work = { bytesLeft: workBytes + workFactor * text.length };
  return find(text, { ...options, work, depth: 0, isCode: false });
}

interface RawStatement {
  stmt: Tree;
  stmt_location?: number;
  stmt_len?: number;
}

function find(text: Uint8Array, layer: Layer): Found {
  const { stmts } = parsed(text, layer) as unknown as { stmts?: RawStatement[] };
  const found: Found = { secrets: [], parameters: new Map() };
  for (const { stmt, stmt_location: start = 0, stmt_len: length } of stmts ?? []) {
    const { findings, parameters } = new RedactionWalk(layer).run(stmt);
    for (const [number, rule] of parameters) found.parameters.set(number, rule);
    if (findings.length === 0) continue;
    const end = length ? start + length : text.length;
    const tokens = scanned(text, start, end, layer);
    found.secrets.push(...findings.flatMap((finding) => secretsOf(finding, text, tokens, layer)));
  }
  return { ...found, secrets: ordered(found.secrets) };
}

function secretsOf(finding: Finding, text: Uint8Array, tokens: Token[], layer: Layer): Secret[] {
  const literal = literalOf(finding, tokens);
  if (!literal) {
    if (finding.kind === 'option') return []; // a bare word
    throw new NotParsed('a secret without a literal');
  }
  const { start, end } = literal;
  if (finding.kind === 'code') return inCode(text.subarray(start, end), start, finding, layer);
  return [{ start, end, rule: finding.rule, quotes: 1 }];
}

/**
 * libpg-query keeps comments as tokens, which hides from its parser what PostgreSQL's sees (`NOT /* … *\/ IN`): on a fault, once more
 * with blanks in their places.
 */
function parsed(text: Uint8Array, layer: Layer): Tree {
  spend(layer, text.length);
  try {
    return grammar.parse(text);
  } catch (error) {
    const comments = grammar.scan(text).filter(isComment);
    if (comments.length === 0) throw error;
    const blanked = Uint8Array.from(text);
    // A line's end stays: it joins literals.
    for (const { start, end } of comments)
      for (let at = start; at < end; at++) if (blanked[at] !== 0x0a && blanked[at] !== 0x0d) blanked[at] = 0x20;
    spend(layer, text.length);
    return grammar.parse(blanked);
  }
}

function spend({ work }: Layer, bytes: number): void {
  work.bytesLeft -= bytes + callBytes;
  if (work.bytesLeft < 0) throw new NotParsed('too much code in code');
}

/** Tokens of a part of the text, without comments. */
function scanned(text: Uint8Array, from: number, to: number, layer: Layer): Token[] {
  spend(layer, to - from);
  const tokens = grammar.scan(text.subarray(from, to)).filter((token) => !isComment(token));
  return tokens.map((token) => ({ ...token, start: token.start + from, end: token.end + from }));
}

function literalOf(finding: Finding, tokens: Token[]): { start: number; end: number } | undefined {
  const from = finding.kind === 'connection' ? tokens.findIndex(isConnection) : firstFrom(tokens, finding.at);
  const last = finding.kind === 'option' ? Math.min(tokens.length, from + optionTokensMax) : tokens.length;
  for (let index = Math.max(from, 0); index < last; index++) {
    const token = tokens[index]!;
    if (!isLiteral(token)) continue;
    // `U&'…' UESCAPE '!'` is one literal.
    const isEscaped = /^u&/i.test(token.text) && tokens[index + 1]?.text.toLowerCase() === 'uescape';
    return { start: token.start, end: (isEscaped ? tokens[index + 2]! : token).end };
  }
  return undefined;
}

const isConnection = ({ text, tokenName }: Token): boolean =>
  tokenName !== 'IDENT' && text.toLowerCase() === 'connection';

/** Of the first token that begins at `at` or behind. */
function firstFrom(tokens: Token[], at: number): number {
  let [low, high] = [0, tokens.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tokens[middle]!.start < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

// ── code inside of literals ─────────────────────────────────────────────────

type Code = Extract<Finding, { kind: 'code' }>;

function inCode(literal: Uint8Array, at: number, { language, text }: Code, layer: Layer): Secret[] {
  const whole: Secret = { start: at, end: at + literal.length, rule: 'code', quotes: 1 };
  const deeper = { ...layer, depth: layer.depth + 1, prepared: new Map(layer.prepared) };
  if (deeper.depth > depthMax) return [whole];
  try {
    const inner = innerOf(literal);
    const secrets = secretsOfBody(inner?.text ?? Buffer.from(text), language, deeper);
    if (!inner) return secrets.length > 0 ? [whole] : []; // escapes: what is where in it cannot be told
    return secrets.map(({ start, end, rule, quotes }) => ({
      start: at + inner.outer(start),
      end: at + inner.outer(end),
      rule,
      quotes: quotes * inner.quotes,
    }));
  } catch (error) {
    if (!(error instanceof NotParsed)) throw error;
    if (language !== 'string') return [whole];
    if (layer.isCode) throw error;
    return []; // a text about passwords, not a statement that sets one
  }
}

function secretsOfBody(body: Uint8Array, language: string, layer: Layer): Secret[] {
  if (language === 'plpgsql') return inPlpgsql(body, { ...layer, isCode: true });
  if (language === 'sql') return find(body, { ...layer, isCode: true }).secrets;
  if (language === 'string') return find(body, { ...layer, isCode: false }).secrets;
  throw new NotParsed('a language that this gateway does not read');
}

/** Words that a statement inside of PL/pgSQL begins with, or behind which an expression stands. */
const starters = new Set(
  `alter call create delete do drop execute explain import insert merge perform prepare select set update with
   return if elsif while when in default using := =`.split(/\s+/),
);
const asItIs = new Set(
  'alter call create delete do drop explain import insert merge prepare select set update with'.split(' '),
);

/** PL/pgSQL is cut at its semicolons by PostgreSQL's scanner; what is SQL in a piece is parsed, else all its literals are withheld. */
function inPlpgsql(body: Uint8Array, layer: Layer): Secret[] {
  const secrets: Secret[] = [];
  let piece: Token[] = [];
  for (const token of [...scanned(body, 0, body.length, layer), undefined]) {
    if (token && token.text !== ';') {
      piece.push(token);
      continue;
    }
    if (mayConcernSecrets(piece.map(({ text }) => text).join(' '), layer.withPgcrypto))
      secrets.push(...inPiece(body, piece, layer));
    piece = [];
  }
  return secrets;
}

function inPiece(body: Uint8Array, piece: Token[], layer: Layer): Secret[] {
  const end = piece.at(-1)!.end;
  let tries = 0;
  for (const [index, { text, start, end: behind }] of piece.entries()) {
    const word = text.toLowerCase();
    if (!starters.has(word) || ++tries > triesMax) continue;
    const from = asItIs.has(word) ? start : behind;
    const added = asItIs.has(word) ? '' : 'select ';
    try {
      const statement = Buffer.concat([Buffer.from(added), body.subarray(from, end)]);
      const { secrets } = find(statement, layer);
      const shift = from - added.length;
      const own = secrets.map((secret) => ({ ...secret, start: secret.start + shift, end: secret.end + shift }));
      return [...literalsOf(piece.slice(0, index), layer), ...own];
    } catch (error) {
      if (!(error instanceof NotParsed)) throw error;
    }
  }
  return piece.filter(isLiteral).map(({ start, end }) => ({ start, end, rule: 'code', quotes: 1 }));
}

/** In front of the statement that was read: a condition, a declaration. */
function literalsOf(tokens: Token[], layer: Layer): Secret[] {
  if (!mayConcernSecrets(tokens.map(({ text }) => text).join(' '), layer.withPgcrypto)) return [];
  return tokens.filter(isLiteral).map(({ start, end }) => ({ start, end, rule: 'code', quotes: 1 }));
}

/** By place; one that lies inside of another is withheld with it. */
function ordered(secrets: Secret[]): Secret[] {
  const kept: Secret[] = [];
  for (const secret of secrets.toSorted((one, other) => one.start - other.start || other.end - one.end))
    if (secret.start >= (kept.at(-1)?.end ?? 0)) kept.push(secret);
  return kept;
}
