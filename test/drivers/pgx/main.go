// pgx through its features; prints what came back, one JSON line a step. Connects by libpq's environment variables.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var ctx = context.Background()

func show(step string, value any) {
	line, err := json.Marshal(map[string]any{"step": step, "value": value})
	must(err)
	fmt.Println(string(line))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func showError(step string, err error) {
	var failed *pgconn.PgError
	if errors.As(err, &failed) {
		show(step, []string{failed.Code, failed.Message})
	} else {
		show(step, fmt.Sprint(err))
	}
}

func rows(conn *pgx.Conn, text string, args ...any) [][]any {
	found, err := conn.Query(ctx, text, args...)
	must(err)
	return collect(found)
}

func collect(found pgx.Rows) [][]any {
	all, err := pgx.CollectRows(found, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	must(err)
	return all
}

func connect() *pgx.Conn {
	conn, err := pgx.Connect(ctx, "")
	must(err)
	return conn
}

func main() {
	conn := connect()
	defer conn.Close(ctx)
	values(conn)
	prepared(conn)
	batches(conn)
	copies(conn)
	transactions(conn)
	interruptions(conn)
	large(conn)
	must2(conn.Exec(ctx, "drop table drv_pgx"))
}

func must2(tag pgconn.CommandTag, err error) string {
	must(err)
	return tag.String()
}

// Every mode in which pgx asks: cached statements with binary values, described only, and text by the simple protocol.
func values(conn *pgx.Conn) {
	at := time.Date(2024, 2, 29, 12, 30, 15, 250000000, time.UTC)
	text := "select $1::int4, $2::int8, $3::float8, $4::bool, $5::text, $6::text, $7::text, $8::timestamptz, $9::uuid, $10::bytea, $11::int4[], $12::text[], $13::date"
	args := []any{int32(42), int64(1) << 40, 1.5, true, "it's ünïcode", "", nil, at, "01234567-89ab-cdef-0123-456789abcdef", []byte{0, 1, 255}, []int32{1, 2, 3}, []string{"a", "", `q"uo,te`}, at}
	modes := []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol}
	for _, mode := range modes {
		if mode == pgx.QueryExecModeExec { // types are not asked for there, so the form must be the server's own for the logs to agree
			args[7], args[12] = "2024-02-29 12:30:15.25+00", "2024-02-29"
		}
		show("values, "+mode.String(), rows(conn, text, append([]any{mode}, args...)...))
	}
	show("numeric, json", rows(conn, "select $1::numeric::text, $2::jsonb::text, $3::interval::text", "12345.678900", map[string]any{"a": []any{1, nil}}, 90*time.Second))
}

func prepared(conn *pgx.Conn) {
	for number := range 8 {
		show("cached", rows(conn, "select $1::int + 1", number))
	}
	description, err := conn.Prepare(ctx, "by name", "select $1::int * $2::int as product")
	must(err)
	show("described", []any{description.ParamOIDs, description.Fields[0].Name})
	for number := range 7 {
		show("named", rows(conn, "by name", number, 3))
	}
	must(conn.Deallocate(ctx, "by name"))
}

func batches(conn *pgx.Conn) {
	must2(conn.Exec(ctx, "create table drv_pgx (id int primary key, note text)"))
	batch := &pgx.Batch{}
	for number := range 20 {
		batch.Queue("insert into drv_pgx values ($1, $2)", number, fmt.Sprint("note ", number))
	}
	batch.Queue("select count(*) from drv_pgx where id >= $1", 5)
	results := conn.SendBatch(ctx, batch)
	for range 20 {
		must2(results.Exec())
	}
	counted, err := results.Query()
	must(err)
	show("batch", collect(counted))
	must(results.Close())

	failing := &pgx.Batch{}
	failing.Queue("insert into drv_pgx values ($1, 'in a failing batch')", 100)
	failing.Queue("insert into drv_pgx values ($1, 'twice')", 1)
	failing.Queue("insert into drv_pgx values ($1, 'skipped')", 101)
	showError("batch error", conn.SendBatch(ctx, failing).Close())
	show("after it", rows(conn, "select count(*) from drv_pgx"))
	pipeline(conn.PgConn())
}

// Many Syncs in flight, with an error between them.
func pipeline(conn *pgconn.PgConn) {
	pipe := conn.StartPipeline(ctx)
	ask := func(text string, value string) {
		pipe.SendQueryParams(text, [][]byte{[]byte(value)}, nil, nil, nil)
	}
	ask("select $1::int + 1", "1")
	must(pipe.Sync())
	ask("select 1 / $1::int", "0")
	ask("select $1::text", "skipped")
	must(pipe.Sync())
	ask("select $1::text", "after")
	must(pipe.Sync())
	for {
		results, err := pipe.GetResults()
		if err != nil {
			showError("pipeline error", err)
			continue
		}
		if results == nil {
			break
		}
		if reader, is := results.(*pgconn.ResultReader); is {
			result := reader.Read()
			if result.Err != nil {
				showError("pipeline error", result.Err)
			} else {
				show("pipeline", string(result.Rows[0][0]))
			}
		}
	}
	must(pipe.Close())
}

func copies(conn *pgx.Conn) {
	source := pgx.CopyFromSlice(10, func(index int) ([]any, error) {
		if index%2 == 0 {
			return []any{3000 + index, nil}, nil
		}
		return []any{3000 + index, "binary"}, nil
	})
	count, err := conn.CopyFrom(ctx, pgx.Identifier{"drv_pgx"}, []string{"id", "note"}, source)
	must(err)
	var lines strings.Builder
	for number := 1000; number < 3000; number++ {
		fmt.Fprintf(&lines, "%d\trow %d\n", number, number)
	}
	must2(conn.PgConn().CopyFrom(ctx, strings.NewReader(lines.String()), "copy drv_pgx from stdin"))
	var out bytes.Buffer
	tag := must2(conn.PgConn().CopyTo(ctx, &out, "copy (select * from drv_pgx order by id) to stdout"))
	// Binary: a header of 19 bytes, a trailer of 2, and of each row 2 for the count, 8 for the number, 4 and the text.
	sent := lines.Len() + 19 + 2 + 10*14 + 5*6
	show("copy", map[string]any{"count": count, "copyBytes": sent, "tag": tag, "digest": fmt.Sprintf("%x", sha256.Sum256(out.Bytes()))})
	_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader("not a number\tx\n"), "copy drv_pgx from stdin")
	showError("copy error", err)
	show("after it", rows(conn, "select 1"))
}

func transactions(conn *pgx.Conn) {
	tx, err := conn.Begin(ctx)
	must(err)
	must2(tx.Exec(ctx, "insert into drv_pgx values ($1, $2)", -1, "outer"))
	inner, err := tx.Begin(ctx)
	must(err)
	must2(inner.Exec(ctx, "insert into drv_pgx values ($1, $2)", -2, "inner"))
	_, err = inner.Exec(ctx, "select 1 / $1::int", 0)
	showError("savepoint", err)
	_, err = inner.Exec(ctx, "select 2")
	showError("aborted", err)
	must(inner.Rollback(ctx))
	must2(tx.Exec(ctx, "declare c cursor for select n from generate_series(1, 100) n"))
	for _, size := range []int{30, 30, 60} {
		found, err := tx.Query(ctx, fmt.Sprintf("fetch %d from c", size))
		must(err)
		show("fetched", len(collect(found)))
	}
	must(tx.Commit(ctx))
	show("committed", rows(conn, "select id from drv_pgx where id < $1", 0))
	_, err = conn.Exec(ctx, "selec 1")
	showError("syntax", err)
	for _, all := range []string{"select 1; select 2; select 3", "", "select 1; select 1/0; select 3"} {
		results, err := conn.PgConn().Exec(ctx, all).ReadAll()
		show("several", len(results))
		showError("several", err)
	}
}

func interruptions(conn *pgx.Conn) {
	other := connect()
	defer other.Close(ctx)
	pid := conn.PgConn().PID()
	_, err := conn.Exec(ctx, "set application_name = 'drv pgx sleeper'")
	must(err)
	go func() {
		asleep := "select 1 from pg_stat_activity where wait_event = 'PgSleep' and application_name like '%drv pgx sleeper'"
		for len(rows(other, asleep)) == 0 {
			time.Sleep(50 * time.Millisecond)
		}
		must(conn.PgConn().CancelRequest(ctx))
	}()
	_, err = conn.Exec(ctx, "select pg_sleep(60)")
	showError("cancel", err)
	if conn.PgConn().PID() != pid || conn.IsClosed() {
		show("cancel", "the connection was lost")
	}
	must2(conn.Exec(ctx, "set statement_timeout = '50ms'"))
	_, err = conn.Exec(ctx, "select pg_sleep(60)")
	showError("timeout", err)
	must2(conn.Exec(ctx, "reset statement_timeout"))
	must2(conn.Exec(ctx, "listen drv_pgx"))
	must2(other.Exec(ctx, "select pg_notify('drv_pgx', $1)", "hello"))
	notice, err := conn.WaitForNotification(ctx)
	must(err)
	show("notify", []string{notice.Channel, notice.Payload})
}

func large(conn *pgx.Conn) {
	digest := sha256.New()
	found, err := conn.Query(ctx, "select n, repeat('x', 90) from generate_series(1, $1::int) n", 50_000)
	must(err)
	for found.Next() {
		for _, value := range found.RawValues() {
			digest.Write(value)
		}
	}
	must(found.Err())
	show("large", fmt.Sprintf("%x", digest.Sum(nil)))
}
