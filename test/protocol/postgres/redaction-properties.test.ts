import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { grammar, NotParsed } from '../../../src/protocol/postgres/grammar.ts';
import { Redactor } from '../../../src/protocol/postgres/redaction.ts';

const secret = 'qZx9tOpS3cr3tw7';
/** Stands in every text, where no rule may hide it. */
const visible = 'drop_me_visibly';

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const gap = fc.constantFrom(' ', '\n', '\t ', ' /* x */ ', " -- it's\n", " /* a /* nested */ ' */ ", '\r\n');
/** Every way to write the literal. */
const literal = fc.oneof(
  fc.constant(quoted(secret)),
  fc.constant(quoted(`${secret}'s`)),
  fc.constant(`E'\\'${secret}\\n'`),
  fc.constant(`e'${secret}'`),
  fc.constant(`U&'${secret}\\0041'`),
  fc.constant(`U&'${secret}!0041' UESCAPE '!'`),
  fc.constant(`$$${secret}$$`),
  fc.constant(`$a1$${secret}'$a1$`),
  fc.constant(`$é$${secret}$é$`),
  fc.constant(`'' \n '${secret}'`),
);
/** Statements that hold it; `gap`s go wherever a blank stands. */
const statement = literal.chain((value) =>
  fc.constantFrom(
    `ALTER ROLE bob PASSWORD ${value}`,
    `create user "é" with superuser encrypted password ${value} in role a`,
    `ALTER USER MAPPING FOR bob SERVER s OPTIONS ( SET password ${value} , ADD x ${value} )`,
    `CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS ( host 'h' , secret_key ${value} )`,
    `SELECT crypt( ${value} , gen_salt( 'md5' ) )`,
    `SELECT pgp_sym_encrypt( 'x' , ${value} ::text ) FROM t`,
    `UPDATE t SET a = encrypt( b , ${value} , 'aes' ) WHERE c = 1`,
    `EXPLAIN SELECT hmac( a , ${value} || 'x' , 'md5' ) FROM t`,
    `PREPARE p AS SELECT crypt( ${value} , $1 )`,
    `DECLARE c CURSOR FOR SELECT crypt( ${value} , 'x' )`,
    `SELECT 'ALTER ROLE bob PASSWORD ' || quote_literal( ${value} )`,
    `SELECT format( 'ALTER ROLE %I PASSWORD %L' , 'bob' , ${value} )`,
  ),
);
const spaced = fc
  .tuple(statement, fc.array(gap, { minLength: 40, maxLength: 40 }))
  .map(([text, gaps]) => outsideOfLiterals(text, (blank, at) => gaps[at % gaps.length] ?? blank));

/** Only where a token ends: blanks inside of quotes are part of the secret. */
function outsideOfLiterals(text: string, change: (blank: string, at: number) => string): string {
  const tokens = grammar.scan(Buffer.from(text));
  const bytes = Buffer.from(text);
  let at = 0;
  return tokens
    .map(({ start, end }, index) => {
      const before = bytes.subarray(at, start).toString();
      at = end;
      return (before === ' ' ? change(before, index) : before) + bytes.subarray(start, end).toString();
    })
    .join('');
}

/** Places where a statement may stand, with something beside it that has to stay. */
const wrapped = fc.tuple(spaced, fc.integer({ min: 0, max: 9 })).map(([inner, place]) => {
  const isSql = !/^(select|explain|prepare|declare)/i.test(inner);
  const inBlock = isSql || !/^select/i.test(inner) ? inner : inner.replace(/^select/i, 'PERFORM');
  const block = `BEGIN\n DROP TABLE ${visible}; ${inBlock}; END`;
  switch (place) {
    case 0:
      return `DROP TABLE ${visible}; ${inner}`;
    case 1:
      return `${inner}\n;;DROP TABLE ${visible} -- ü`;
    case 2:
      return `DO $do$ ${block} $do$`;
    case 3:
      return `DO LANGUAGE plpgsql ${quoted(block)}`;
    case 4:
      return `DO $do$ BEGIN EXECUTE ${quoted(inner)}; DROP TABLE ${visible}; END $do$`;
    case 5:
      return `CREATE FUNCTION ${visible}() RETURNS void LANGUAGE plpgsql AS $do$ ${block} $do$`;
    case 6:
      return `CREATE PROCEDURE ${visible}() LANGUAGE sql AS $do$ ${inner} $do$`;
    case 7:
      return `DO $do$ BEGIN DROP TABLE ${visible}; DO $in$ BEGIN ${inBlock}; END $in$; END $do$`;
    case 8:
      return `SELECT '${'é'.repeat(5)}', U&"${visible}" FROM t; ${inner}`;
    default:
      return `INSERT INTO ${visible} VALUES (1); ${inner}; COMMIT`;
  }
});

const utf8 = { encoding: 'UTF8', conformingStrings: true };
const recorded = (text: string): string => {
  const redaction = new Redactor().redactText(Buffer.from(text), utf8);
  return redaction ? Buffer.from(redaction.text).toString() : text;
};

beforeAll(() => grammar.load());

it('a secret is in no record, wherever it stands and however it is written; what stands beside it is', () => {
  fc.assert(
    fc.property(wrapped, (text) => {
      const shown = recorded(text);
      expect(shown).not.toContain(secret);
      expect(shown).toContain(visible);
    }),
    { numRuns: 1500 },
  );
});

it('what is shown is a text again: the same statements, with other literals', () => {
  fc.assert(
    fc.property(spaced, (text) => {
      const [before, after] = [text, recorded(text)].map((sql) =>
        grammar.scan(Buffer.from(sql)).map(({ tokenName }) => tokenName),
      );
      expect(after!.filter((name) => name !== 'SCONST').length).toBeLessThanOrEqual(before!.length);
      expect(recorded(text)).not.toMatch(/^\[withheld/);
    }),
    { numRuns: 300 },
  );
});

it('a text that is cut holds no secret, and one that is altered is read or withheld', () => {
  fc.assert(
    fc.property(wrapped, fc.nat(), fc.nat(255), (text, place, byte) => {
      const bytes = Buffer.from(text);
      const altered = Buffer.from(bytes);
      altered[place % bytes.length] = byte || 1;
      new Redactor().redactText(altered, utf8);
      const cut = bytes.subarray(0, place % bytes.length);
      const shown = new Redactor().redactText(cut, utf8)?.text ?? cut;
      expect(Buffer.from(shown).includes(secret)).toBe(false);
    }),
    { numRuns: 1000 },
  );
});

it('the grammar says NotParsed and nothing else of what it cannot read', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      try {
        grammar.parse(Buffer.from(text.replaceAll('\0', '')));
      } catch (error) {
        expect(error).toBeInstanceOf(NotParsed);
      }
    }),
    { numRuns: 1000 },
  );
});
