import { describe, expect, it } from 'vitest';
import { plainStatements, sqlComment, sqlLiteral } from '../../../src/ui/formats/psql-text.ts';

describe('what may stand in a script as it is', () => {
  it.each([
    ['select 1', ['select 1']],
    ['select 1;', ['select 1']],
    ['select 1; select 2 ;', ['select 1', 'select 2']],
    ['select \';\', ";", $$;$$, $a$;$$;$a$ -- ;', ['select \';\', ";", $$;$$, $a$;$$;$a$ -- ;\n']],
    ['select (1; 2)', ['select (1; 2)']],
    ['/* ; /* ; */ ; */ select 1', ['/* ; /* ; */ ; */ select 1']],
    ['select a::int, b[1:2], c := 3', undefined],
    ['select a::int, c := 3', ['select a::int, c := 3']],
    ["select 'a'':b'", ["select 'a'':b'"]],
    ['select $1, x$y$ from t', ['select $1, x$y$ from t']],
    [' -- nothing\n ; ', []],
    ['', []],
  ])('%j', (text, statements) => {
    expect(plainStatements(text)).toEqual(statements);
  });

  it.each([
    ['a backslash anywhere', String.raw`select 1 \! touch /tmp/owned`],
    ['a backslash in a literal', String.raw`select '\d'`],
    ['an open quote', "select 'a"],
    ['an open name', 'select "a'],
    ['an open dollar quote', 'select $a$ $$'],
    ['an open comment', 'select 1 /* /* */'],
    ['an open parenthesis', 'select (1'],
    ['a parenthesis too many', 'select 1)'],
    ['a variable of psql', 'select :HOST'],
    ['a quoted variable', "select :'HOST'"],
    ['a dollar behind a number', 'select 1$a$;$a$'],
    ['a parameter before a dollar quote', 'select $1$a$;$a$'],
    ['a function body that psql reads by itself', 'create function f() returns int begin atomic select 1; end'],
    ['a control character', 'select 1 -- \u001B[2J'],
    ['a mark of direction', 'select 1 -- \u202E'],
    ['a carriage return, which ends a comment', 'select 1 -- \rdrop table t'],
  ])('not: %s', (_what, text) => {
    expect(plainStatements(text)).toBeUndefined();
  });

  it('a no-break space is a letter to PostgreSQL, so what follows it opens no dollar quote', () => {
    expect(plainStatements('select x\u00A0$a$ ; select 2 -- $a$')).toEqual(['select x\u00A0$a$', 'select 2 -- $a$\n']);
  });
});

describe('literals and comments', () => {
  it.each([
    ['it’s', "'it’s'"],
    ["it's", "'it''s'"],
    [String.raw`\d'`, String.raw`E'\\d'''`],
    ['\u001B]52;c;AAAA\u0007', String.raw`E'\u001B]52;c;AAAA\u0007'`],
    ['\u202E', String.raw`E'\u202E'`],
    ['\u{E0041}', String.raw`E'\U000E0041'`],
    ['a\nb', "'a\nb'"],
  ])('%j', (text, literal) => {
    expect(sqlLiteral(text)).toBe(literal);
  });

  it('a comment is one line', () => {
    expect(sqlComment('a\n\\! b\r\u001B')).toBe(String.raw`-- a\n\! b\r\e`);
  });
});
