// lib/pq through its features; prints what came back, one JSON line a step. Connects by libpq's environment variables; where none names
// an sslmode, it insists on TLS.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lib/pq"
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
	var failed *pq.Error
	if errors.As(err, &failed) {
		show(step, []string{string(failed.Code), failed.Message})
	} else {
		show(step, fmt.Sprint(err))
	}
}

func main() {
	pool, err := sql.Open("postgres", "")
	must(err)
	defer pool.Close()
	db, err := pool.Conn(ctx)
	must(err)
	run := func(text string, args ...any) {
		_, err := db.ExecContext(ctx, text, args...)
		must(err)
	}
	values(db)
	run("create table drv_lib_pq (id int primary key, note text)")
	copied(db)
	transactions(db)
	interruptions(pool, db)
	notified(pool)
	run("drop table drv_lib_pq")
}

func values(db *sql.Conn) {
	statement, err := db.PrepareContext(ctx, "select $1::int, $2::text, $3::text, $4::text, $5::bytea, $6::int[], $7::float8")
	must(err)
	defer statement.Close()
	for number := range 8 {
		var a int
		var b, c string
		var d sql.NullString
		var e []byte
		var f pq.Int64Array
		var g float64
		row := statement.QueryRowContext(ctx, number, "it's ünïcode", "", nil, []byte{0, 1, 255}, pq.Array([]int64{1, 2, 3}), 1.5)
		must(row.Scan(&a, &b, &c, &d, &e, &f, &g))
		show("values", []any{a, b, c, d.Valid, e, f, g})
	}
	var sum int
	must(db.QueryRowContext(ctx, "select sum(n) from generate_series(1, $1::int) n", 50_000).Scan(&sum))
	show("unnamed", sum)
}

func copied(db *sql.Conn) {
	tx, err := db.BeginTx(ctx, nil)
	must(err)
	into, err := tx.PrepareContext(ctx, "copy drv_lib_pq (id, note) from stdin")
	must(err)
	sent := 0
	for number := 1000; number < 3000; number++ {
		note := fmt.Sprint("row ", number)
		sent += len(fmt.Sprintf("%d\t%s\n", number, note))
		_, err := into.Exec(number, note)
		must(err)
	}
	_, err = into.Exec()
	must(err)
	must(into.Close())
	must(tx.Commit())
	var count int
	must(db.QueryRowContext(ctx, "select count(*) from drv_lib_pq").Scan(&count))
	show("copy", map[string]int{"copyBytes": sent, "rows": count})
}

func transactions(db *sql.Conn) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	must(err)
	_, err = tx.Exec("insert into drv_lib_pq values ($1, $2); savepoint s")
	showError("parameters with several statements", err)
	must(tx.Rollback())
	tx, err = db.BeginTx(ctx, nil)
	must(err)
	_, err = tx.Exec("insert into drv_lib_pq values ($1, $2)", -1, "outer")
	must(err)
	_, err = tx.Exec("savepoint s")
	must(err)
	_, err = tx.Exec("select 1 / $1::int", 0)
	showError("savepoint", err)
	_, err = tx.Exec("select 1")
	showError("aborted", err)
	_, err = tx.Exec("rollback to s")
	must(err)
	must(tx.Commit())
	var id int
	must(db.QueryRowContext(ctx, "select id from drv_lib_pq where id < $1", 0).Scan(&id))
	show("committed", id)
	_, err = db.ExecContext(ctx, "selec 1")
	showError("syntax", err)
}

func interruptions(pool *sql.DB, db *sql.Conn) {
	sleeper, err := pool.Conn(ctx) // lib/pq gives up a connection on which it cancelled
	must(err)
	_, err = sleeper.ExecContext(ctx, "set application_name = 'drv lib/pq sleeper'")
	must(err)
	cancellable, cancel := context.WithCancel(ctx)
	go func() {
		asleep := "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and application_name like '%drv lib/pq sleeper'"
		for count := 0; count == 0; time.Sleep(50 * time.Millisecond) {
			must(pool.QueryRow(asleep).Scan(&count))
		}
		cancel()
	}()
	_, err = sleeper.ExecContext(cancellable, "select pg_sleep(60)")
	showError("cancel", err)
	sleeper.Close()
	_, err = db.ExecContext(ctx, "set statement_timeout = '50ms'")
	must(err)
	_, err = db.ExecContext(ctx, "select pg_sleep(60)")
	showError("timeout", err)
	_, err = db.ExecContext(ctx, "reset statement_timeout")
	must(err)
}

func notified(pool *sql.DB) {
	listener := pq.NewListener("", time.Second, time.Minute, nil)
	must(listener.Listen("drv_lib_pq"))
	_, err := pool.Exec("select pg_notify('drv_lib_pq', $1)", "hello")
	must(err)
	show("notify", (<-listener.Notify).Extra)
	must(listener.Close())
}
