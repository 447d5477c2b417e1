-- psql through its features; prints what came back.
\set VERBOSITY terse
create table drv_psql (id int primary key, note text);
insert into drv_psql select n, 'note ' || n from generate_series(0, 19) n; select count(*) from drv_psql;
select 1 as one \; select 2 as two \; select 3 as three;
select '''quoted''', '', null, E'\\x00', array[1, null, 3], '{"a": [1]}'::jsonb;
select $$a
text of two lines$$ as lines, 'ünïcode';
/* a comment */ -- another
select 1;;
prepare plus as select $1::int + $2::int;
execute plus(40, 2);
execute plus(1, null);
deallocate plus;
execute plus(1, 1);
begin;
insert into drv_psql values (-1, 'outer');
savepoint s;
select 1 / 0;
select 'aborted';
rollback to s;
declare c cursor for select n from generate_series(1, 10) n;
fetch 3 from c;
move 2 in c;
fetch all from c;
commit;
select id from drv_psql where id < 0;
selec 1;
select 1; select 1 / 0; select 3;
\copy drv_psql from program 'seq -f "%.0f	row" 1000 2999'
\echo '{"step":"copy","value":{"copyBytes":18020}}'
\copy (select * from drv_psql order by id) to program 'sha256sum'
\copy drv_psql from program 'echo not a number'
copy drv_psql from stdin;
5000	inline
5001	\N
\.
copy (select id, note from drv_psql where id >= 5000 order by id) to stdout;
\set FETCH_COUNT 7
select n from generate_series(1, 20) n;
\unset FETCH_COUNT
select format('select %s', n) from generate_series(1, 3) n \gexec
select 5 as five \gset
select :five + 1;
set statement_timeout = '50ms';
select pg_sleep(60);
reset statement_timeout;
listen drv_psql;
do $$ begin raise notice 'noticed'; execute 'select 1'; end $$;
create function drv_psql_f() returns int language sql as 'select 7';
select drv_psql_f();
\d drv_psql
set client_encoding = 'LATIN1';
select length('abc');
reset client_encoding;
select md5(string_agg(repeat('x', 90), '')) from generate_series(1, 50000) n;
select n, repeat('x', 90) from generate_series(1, 5000) n;
drop function drv_psql_f();
drop table drv_psql;
