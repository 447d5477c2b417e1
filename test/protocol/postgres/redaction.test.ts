import { beforeAll, describe, expect, it } from 'vitest';
import { grammar } from '../../../src/protocol/postgres/grammar.ts';
import { Redactor, type Reading } from '../../../src/protocol/postgres/redaction.ts';

const utf8: Reading = { encoding: 'UTF8', conformingStrings: true };
const marker = /\[withheld sha256:[0-9a-f]{64}\]/g;

interface Options {
  reading?: Reading;
  redact?: string[];
  redactor?: Redactor;
}

/** What the record shows, markers as `⟨…⟩`; undefined where the text stays as it is. */
function recorded(sql: string | Uint8Array, { reading = utf8, redact, redactor }: Options = {}): string | undefined {
  const used = redactor ?? new Redactor(redact ? { redact } : {});
  const redaction = used.redactText(typeof sql === 'string' ? Buffer.from(sql) : sql, reading);
  return redaction && Buffer.from(redaction.text).toString().replaceAll(marker, '⟨…⟩');
}

function rules(sql: string, redactor = new Redactor()): string[] {
  return redactor.redactText(Buffer.from(sql), utf8)?.redactions ?? [];
}

beforeAll(() => grammar.load());

/** `•` stands around what has to go, the rest has to stay. */
const forms: [string, string][] = [
  ["ALTER USER bob PASSWORD •'hunter2'•", 'password'],
  ["create role x with login encrypted password •$a$se'c$a$• valid until '2030-01-01'; select 1", 'password'],
  ["CREATE GROUP g PASSWORD •'x'•", 'password'],
  ['CREATE USER "pass""word" IN ROLE a PASSWORD •\'it\'\'s\'•', 'password'],
  ["alter user b password •'SCRAM-SHA-256$4096:c2FsdA==$a=:b='•", 'password'],
  ["ALTER ROLE b PASSWORD /* é 'x' */ •E'a\\'b\\n'•", 'password'],
  ["ALTER ROLE b -- password 'no'\n PASSWORD •'a'\n  'b'•", 'password'],
  ["ALTER ROLE b PASSWORD •U&'\\0061' UESCAPE '\\'•", 'password'],
  ["ALTER ROLE b PASSWORD •U&'!0061' UESCAPE '!'•", 'password'],
  ["SELECT 'ü€'; ALTER ROLE \"ü\" PASSWORD •'ü€'•", 'password'],
  ["CREATE USER MAPPING FOR b SERVER s OPTIONS (user 'u', password •'p'•, \"other\" •'q'•)", 'user-mapping-option'],
  [
    "ALTER USER MAPPING FOR public SERVER s OPTIONS (SET password •'p'•, password_required 'false')",
    'user-mapping-option',
  ],
  ["CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', api_key •'k'•, \"Secret\" •'k'•)", 'secret-option'],
  ["ALTER SERVER s OPTIONS (ADD password •'p'•, SET host 'x', DROP port)", 'password'],
  ["ALTER SERVER s OPTIONS (SET connstr •'host=a password=b'•)", 'connection-string'],
  ["ALTER FOREIGN TABLE t OPTIONS (SET aws_secret •'p'•)", 'secret-option'],
  ["CREATE FOREIGN DATA WRAPPER w OPTIONS (token •'p'•)", 'secret-option'],
  ["IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b OPTIONS (secret_key •'p'•)", 'secret-option'],
  ["CREATE SUBSCRIPTION connection CONNECTION •'host=a password=b'• PUBLICATION p", 'connection-string'],
  ["ALTER SUBSCRIPTION s CONNECTION •'postgresql://u:p@h/d'•", 'connection-string'],
  ["ALTER SUBSCRIPTION s CONNECTION •E'host=a pass\\x77ord=b'•", 'connection-string'],
  ["ALTER SYSTEM SET primary_conninfo = •'host=a password=b'•", 'connection-string'],
  ["SET primary_conninfo TO •'passwd=b'•", 'connection-string'],
  ["SELECT set_config('primary_conninfo', •'password=b'•, false)", 'connection-string'],
  ["SELECT * FROM dblink(•'host=a password=b'•, 'select 1') AS t(a int)", 'connection-string'],
  ["SELECT dblink_connect(•'c'•, 'x')".replaceAll('•', ''), ''],
  ["SELECT dblink_exec('c', 'ALTER USER u PASSWORD •''p''•')", 'password'],
  ["SELECT f(•'postgresql://h/d?user=u&password=p'•)", 'connection-string'],
  ["PREPARE p AS SELECT dblink(•'password = ''a b'' host=x'•)", 'connection-string'],
  ["SELECT pgp_sym_encrypt('plain', •'key'•), public.crypt(•'pw'•, gen_salt('bf'))", 'pgcrypto-key'],
  ['SELECT "crypt" /* ( */ (•\'pw\'•, s), U&"cr\\0079pt"(•\'pw\'•, s)', 'pgcrypto-key'],
  [
    "SELECT hmac('d', •'a'• || •'b'•, 'sha256'), encrypt(d, convert_to(•'k'•, 'utf8'), 'aes')".replace(
      "'utf8'",
      "•'utf8'•",
    ),
    'pgcrypto-key',
  ],
  ["SELECT pgp_pub_decrypt(m, dearmor(•'key'•), •'pw'•)", 'pgcrypto-key'],
  ["EXPLAIN (ANALYZE) SELECT crypt(•'a'•, b) FROM t", 'pgcrypto-key'],
  ["UPDATE users SET hash = crypt(•'pw'•, gen_salt('md5')) WHERE name = 'ann' RETURNING id", 'pgcrypto-key'],
  ["DECLARE c CURSOR FOR SELECT crypt(•'a'•, b)", 'pgcrypto-key'],
  ["COPY (SELECT decrypt(a, •'k'•, 'aes') FROM t) TO STDOUT", 'pgcrypto-key'],
  ["CREATE VIEW v AS SELECT decrypt_iv(a, •'k'•, 'iv', 'aes') FROM t", 'pgcrypto-key'],
  ["DO $$ BEGIN ALTER USER x PASSWORD •'y'•; PERFORM 1; END $$", 'password'],
  ["DO LANGUAGE plpgsql 'BEGIN ALTER USER x PASSWORD •''y''•; END'", 'password'],
  ["DO $$ BEGIN EXECUTE 'ALTER USER x PASSWORD •''y''•'; END $$", 'password'],
  ["DO $$ BEGIN EXECUTE $q$ALTER USER x PASSWORD •'y'•$q$; RAISE NOTICE 'done'; END $$", 'password'],
  ["DO $$ BEGIN EXECUTE format('ALTER USER %I PASSWORD %L', •'x'•, •'y'•); DROP TABLE t; END $$", 'password'],
  ["DO $$ BEGIN EXECUTE 'ALTER USER x PASSWORD ' || quote_literal(•'y'•); END $$", 'password'],
  ["DO $$ DECLARE v text := crypt(•'a'•, 'b'); BEGIN NULL; END $$", 'pgcrypto-key'],
  ["DO $$ BEGIN IF a THEN v := pgp_sym_encrypt('x', •'k'•); END IF; END $$", 'pgcrypto-key'],
  ["DO $$ BEGIN DO $i$ BEGIN ALTER ROLE r PASSWORD •'p'•; END $i$; END $$", 'password'],
  ["CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ ALTER USER x PASSWORD •'y'• $$", 'password'],
  ["CREATE FUNCTION f() RETURNS text LANGUAGE sql RETURN crypt(•'a'•, 'b')", 'pgcrypto-key'],
  ["CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT crypt(•'a'•, 'b'); END", 'pgcrypto-key'],
  [
    "CREATE PROCEDURE f() LANGUAGE plpgsql AS $$ BEGIN PERFORM dblink(•'password=b'•, 'select ''1'''); END $$",
    'connection-string',
  ],
  [
    'CREATE FUNCTION f() RETURNS void LANGUAGE plpython3u AS •$$ plpy.execute("alter user x password \'y\'") $$•',
    'code',
  ],
  ["SELECT format('ALTER USER %I PASSWORD %L', •'x'•, •'y'•)", 'password'],
  ["SELECT 'CREATE USER x PASSWORD ''' || •'y'• || n || lower(•'z'•)", 'password'],
];

describe('what holds a secret is withheld, and nothing besides', () => {
  it.each(forms)('%s', (form, rule) => {
    const parts = form.split('•');
    const sql = parts.join('');
    if (parts.length === 1) return expect(recorded(sql)).toBeUndefined();
    // Inside of a literal the quotes are doubled.
    const wanted = parts
      .map((part, index) => (index % 2 === 0 ? part : part.startsWith("''") && part.length > 2 ? "''⟨…⟩''" : "'⟨…⟩'"))
      .join('');
    expect(recorded(sql)).toBe(wanted.replaceAll("''⟨…⟩''''⟨…⟩''", "''⟨…⟩''"));
    expect(rules(sql)).toContain(rule);
    expect(rules(sql)).toHaveLength((parts.length - 1) / 2);
  });

  it.each([
    "INSERT INTO users (name, password) VALUES ('ann', 'x')",
    "UPDATE users SET password = 'x' WHERE id = $1",
    'ALTER USER bob PASSWORD NULL',
    "ALTER ROLE bob SET search_path = 'password'",
    "CREATE TABLE users (password text DEFAULT 'none')",
    "CREATE SUBSCRIPTION s CONNECTION 'host=a dbname=b user=c' PUBLICATION p",
    "ALTER SYSTEM SET primary_conninfo = 'host=a port=5432'",
    "SELECT dblink('host=a dbname=b', 'select 1')",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'a', port '5432', dbname 'x')",
    "SELECT 'alter the password of user bob, please'",
    "SELECT 'see https://example.org/a:b?c=d@e'",
    "SELECT crypt, hmac FROM t WHERE note = 'crypt'",
    "DO $$ BEGIN RAISE NOTICE 'alter user x: password unchanged'; END $$".replace(
      "'alter user x: password unchanged'",
      "'done'",
    ),
    'COPY t (password) FROM STDIN WITH (FORMAT csv, HEADER true)',
  ])('%s: stays', (sql) => {
    expect(recorded(sql)).toBeUndefined();
  });
});

describe('what PostgreSQL reads is not hidden by a word about secrets in it', () => {
  it.each([
    'DELETE FROM t WHERE a NOT /* password= */ IN (0)',
    "SELECT a FROM t ORDER BY a NULLS -- it's conninfo\n LAST",
    "SELECT U&'a' /* dblink */ UESCAPE '!'",
    'DROP TABLE t /* \u0002 conninfo */',
    'DROP TABLE "\u0001"; SELECT \'alter user\' /* password= */',
    "DROP TABLE t; SELECT '\u0003' AS conninfo",
  ])('%j', (sql) => {
    expect(recorded(sql)).toBeUndefined();
  });

  it('with a secret beside it', () => {
    expect(recorded("ALTER USER b PASSWORD 'x'; DELETE FROM t WHERE a NOT /* \u0002 */ IN (0)")).toBe(
      "ALTER USER b PASSWORD '⟨…⟩'; DELETE FROM t WHERE a NOT /* \u0002 */ IN (0)",
    );
  });
});

describe('what cannot be read is withheld whole', () => {
  const whole = '⟨…⟩';

  it.each([
    ['a password without quotes', 'ALTER USER bob PASSWORD hunter2'],
    ['a password in double quotes', 'ALTER USER bob PASSWORD "hunter2"'],
    ['a quote too few', "ALTER USER bob PASSWORD 'hunter2"],
    ['a mistake elsewhere', "ALTER USER bob PASSWORD 'hunter2'; SELEC 1"],
    ['a parameter where none can be', 'CREATE USER MAPPING FOR b SERVER s OPTIONS (password $1)'],
  ])('%s', (_, sql) => {
    expect(recorded(sql)).toBe(whole);
    expect(rules(sql)).toEqual(['unreadable-text']);
  });

  it('bytes that are not UTF-8', () => {
    const latin1 = Buffer.from("ALTER USER b PASSWORD 'h\xfcnter'", 'latin1');
    expect(recorded(latin1)).toBe(whole);
    const sjis = Buffer.from("ALTER USER b PASSWORD '\x83\x5c'", 'latin1');
    expect(recorded(sjis, { reading: { encoding: 'SJIS', conformingStrings: true } })).toBe(whole);
  });

  it('other encodings are read, where the server cuts them into tokens by the same bytes', () => {
    const redactor = new Redactor();
    for (const encoding of ['LATIN1', 'WIN1252', 'EUC_JP', 'SQL_ASCII']) {
      const text = Buffer.from("DROP TABLE \xe9; ALTER USER \xfc PASSWORD $\xa4$h\xfc'\xff$\xa4$ -- \xe0", 'latin1');
      const { text: shown } = redactor.redactText(text, { encoding, conformingStrings: true })!;
      expect(Buffer.from(shown).toString('latin1').replaceAll(marker, '⟨…⟩')).toBe(
        "DROP TABLE \xe9; ALTER USER \xfc PASSWORD '⟨…⟩' -- \xe0",
      );
    }
  });

  it('and all, where every byte is ASCII', () => {
    const reading = { encoding: 'SJIS', conformingStrings: true };
    expect(recorded("ALTER USER b PASSWORD 'x'", { reading })).toBe("ALTER USER b PASSWORD '⟨…⟩'");
  });

  it('a backslash while standard_conforming_strings is off', () => {
    const reading = { encoding: 'UTF8', conformingStrings: false };
    expect(recorded(String.raw`ALTER USER b PASSWORD 'a\'b'; SELECT 'c'`, { reading })).toBe(whole);
    expect(recorded("ALTER USER b PASSWORD 'a'", { reading })).toBe("ALTER USER b PASSWORD '⟨…⟩'");
  });

  it('a text that nests too deep, and the next one is read again', async () => {
    const deep = `ALTER USER b PASSWORD 'x'; SELECT a${'+a'.repeat(50_000)}`;
    for (let index = 0; index < 5; index++) {
      expect(recorded(deep)).toBe(whole);
      await grammar.load();
      expect(recorded("ALTER USER b PASSWORD 'x'")).toBe("ALTER USER b PASSWORD '⟨…⟩'");
    }
  });

  it('a text too long to be read at once is refused', () => {
    const long = `ALTER USER b PASSWORD 'x'; SELECT '${'a'.repeat(1024 * 1024)}'`;
    expect(() => recorded(long)).toThrow(expect.objectContaining({ reason: 'secret-in-long-text' }));
    expect(recorded(`SELECT '${'a'.repeat(3 * 1024 * 1024)}'`)).toBeUndefined();
  });
});

describe('a text that is made to take long', () => {
  const repeated = (piece: string, bytes: number) => piece.repeat(Math.ceil(bytes / piece.length));

  it.each([
    ['words', `SELECT '${repeated('passw', 4e6)}'`],
    ['function names', `SELECT '${repeated('crypt', 4e6)}'`],
    ['spaces', `SELECT '${repeated('password ', 1e6)}${' '.repeat(4e6)}'`],
    ['colons', `SELECT '${repeated('://a:', 4e6)}'`],
    ['a connection string', `SELECT dblink('${repeated('a=b ', 4e5)}')`],
    ['a URI', `SELECT dblink('postgres://${repeated(':', 4e5)}')`],
    ['the end of a literal', `SELECT dblink('password${' '.repeat(4e5)}x' || 'b')`],
    ['joined literals', `SELECT 'a password=' ${repeated("|| 'b'", 1e4)}`],
    ['calls in calls', `SELECT ${repeated("crypt('a', ", 2e4)}'b'${repeated(')', 1818)}`],
    ['pieces of code', `DO $$ BEGIN ${repeated("x = password = 'a';", 1e5)} END $$`],
    ['one piece of code', `DO $$ BEGIN EXECUTE password = ${repeated("if 'password=a' ", 1e5)} END $$`],
    [
      'code in code',
      ['$a$', '$b$', '$c$', '$d$', '$e$'].reduceRight(
        (inner, quote) => `DO ${quote} BEGIN ${repeated(`EXECUTE 'password=' x ${inner} = `, 1)} ; END ${quote}`,
        repeated("select 'password=' x ", 2e4),
      ),
    ],
  ])('%s', (_, sql) => {
    const start = performance.now();
    recorded(sql);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe('parameters', () => {
  const text = (value: string) => ({ type: 25, format: 0, value: Buffer.from(value) });

  it('in the place of a key are withheld', () => {
    const redactor = new Redactor();
    const redaction = redactor.redactText(Buffer.from('SELECT pgp_sym_encrypt($1, $2::text), $3'), utf8)!;
    expect(Buffer.from(redaction.text).toString()).toBe('SELECT pgp_sym_encrypt($1, $2::text), $3');
    const given = [text('plain'), text('key'), text('other')];
    const { parameters, redactions } = redactor.redactParameters(given, redaction.parameters);
    expect(parameters.map(({ value }) => Buffer.from(value!).toString().replaceAll(marker, '⟨…⟩'))).toEqual([
      'plain',
      '⟨…⟩',
      'other',
    ]);
    expect(redactions).toEqual(['$2 pgcrypto-key']);
  });

  it('NULL stays NULL, and a connection string without a password stays', () => {
    const redactor = new Redactor();
    const { parameters: secrets } = redactor.redactText(Buffer.from('SELECT dblink($1), crypt($2, $3)'), utf8)!;
    const given = [text('host=a'), { type: 25, format: 0, value: null }, text('salt')];
    expect(redactor.redactParameters(given, secrets)).toEqual({ parameters: given, redactions: [] });
    const withPassword = redactor.redactParameters([text('host=a password=b')], secrets);
    expect(withPassword.redactions).toEqual(['$1 connection-string']);
  });

  it('of a text that could not be read are withheld all', () => {
    const redactor = new Redactor();
    const { parameters: secrets } = redactor.redactText(Buffer.from('ALTER USER b PASSWORD ?'), utf8)!;
    expect(redactor.redactParameters([text('a'), text('b')], secrets).redactions).toHaveLength(2);
  });

  it('that drivers send where the server takes none are withheld', () => {
    const redactor = new Redactor();
    const { parameters: secrets } = redactor.redactText(Buffer.from('ALTER USER b PASSWORD $1'), utf8)!;
    expect(redactor.redactParameters([text('hunter2')], secrets).redactions).toEqual(['$1 password']);
  });

  it('given to a prepared statement by SQL are withheld, until the name means something else', () => {
    const redactor = new Redactor();
    expect(recorded('PREPARE p (text) AS SELECT crypt($1, $2)', { redactor })).toBeUndefined();
    expect(recorded("EXECUTE p('hunter2', 'salt')", { redactor })).toBe("EXECUTE p('⟨…⟩', 'salt')");
    expect(recorded("EXECUTE q('hunter2')", { redactor })).toBeUndefined();
    redactor.redactText(Buffer.from('SELECT hmac($1, $2, $3)'), utf8, Buffer.from('s1'));
    expect(recorded("EXECUTE s1('a', 'k', 'md5')", { redactor })).toBe("EXECUTE s1('a', '⟨…⟩', 'md5')");
    redactor.redactText(Buffer.from('SELECT $1'), utf8, Buffer.from('s1'));
    expect(recorded("EXECUTE s1('a')", { redactor })).toBeUndefined();
  });
});

describe('the policy', () => {
  it('pgcrypto can be left in the record; passwords cannot', () => {
    const sql = "SELECT crypt('a', 'b')";
    expect(recorded(sql, { redact: [] })).toBeUndefined();
    expect(recorded("ALTER USER b PASSWORD 'x'", { redact: [] })).toBe("ALTER USER b PASSWORD '⟨…⟩'");
  });
});

describe('the commitment', () => {
  it('is another one each time, so that equal secrets do not look equal', () => {
    const redactor = new Redactor();
    const sql = Buffer.from("ALTER USER a PASSWORD 'x'; ALTER USER b PASSWORD 'x'");
    const shown = Buffer.from(redactor.redactText(sql, utf8)!.text).toString().match(marker)!;
    expect(new Set(shown).size).toBe(2);
  });

  it('is SHA-256 over its domain, 16 random bytes and the bytes that were withheld', async () => {
    const { createHash } = await import('node:crypto');
    const redactor = new Redactor({ randomBytes: (size) => new Uint8Array(size).fill(7) });
    const shown = Buffer.from(redactor.redactText(Buffer.from("ALTER USER a PASSWORD 'x'"), utf8)!.text).toString();
    const hash = createHash('sha256').update('hoop withheld v1\n').update(new Uint8Array(16).fill(7)).update("'x'");
    expect(shown).toBe(`ALTER USER a PASSWORD '[withheld sha256:${hash.digest('hex')}]'`);
  });
});
