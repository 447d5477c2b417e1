"""psycopg 3 through its features; prints what came back, one JSON line a step. Connects by libpq's environment variables."""

import datetime
import decimal
import hashlib
import json
import logging
import threading
import time
import uuid

import psycopg
from psycopg.types.json import Jsonb


def show(step, value):
    print(json.dumps({"step": step, "value": value}, default=str), flush=True)


def error(step, act):
    try:
        act()
        show(step, "no error")
    except psycopg.Error as failed:
        show(step, [failed.sqlstate, failed.diag.message_primary])


def values(connection):
    sent = (
        42,
        2**40,
        1.5,
        decimal.Decimal("12345.678900"),
        True,
        "it's ünïcode",
        "",
        None,
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 12, 30, 15, 250000, tzinfo=datetime.timezone.utc),
        uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"),
        Jsonb({"a": [1, None, "x"]}),
        b"\x00\x01\xff",
        [1, None, 3],
        ["a", None, "", 'q"uo,te'],
    )
    marks = "%s, %s, %s, %s, %s, %s, %s, %s::text, %s, %s, %s, %s, %s, %s, %s::text[]"
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            show(f"values, binary results {binary}", cursor.execute(f"select {marks}", sent).fetchone())
    binary_marks = marks.replace("%s", "%b")
    show("values, binary parameters", connection.execute(f"select {binary_marks}", sent, binary=True).fetchone())
    show("percent", connection.execute("select '%%' || %s", ["%"]).fetchone())


def prepared(connection):
    connection.prepare_threshold = 2
    connection.prepared_max = 2
    for number in range(8):
        show("prepared", connection.execute("select %s::int + 1", [number]).fetchone())
    for number in range(3):  # three statements in a cache of two: evicted ones are deallocated and prepared again
        for text in ("select %s::int * 2", "select %s::int * 3", "select %s::int * 4"):
            for _ in range(3):
                show("cache", connection.execute(text, [number]).fetchone())
    connection.execute("deallocate all")
    show("after deallocate all", connection.execute("select %s::int * 4", [5], prepare=True).fetchone())


def batches(connection):
    with connection.cursor() as cursor:
        cursor.execute("create table drv_psycopg (id int primary key, note text)")
        cursor.executemany("insert into drv_psycopg values (%s, %s)", [(n, f"note {n}") for n in range(20)])
        show("executemany", cursor.rowcount)
        cursor.executemany(
            "update drv_psycopg set note = %s where id = %s returning id", [("x", 3), (None, 4)], returning=True
        )
        show("executemany returning", [cursor.fetchall(), cursor.nextset(), cursor.fetchall()])
    with connection.pipeline() as pipeline:
        first = connection.execute("select count(*) from drv_psycopg where id < %s", [10])
        second = connection.execute("select note from drv_psycopg where id = %s", [4])
        pipeline.sync()
        show("pipeline", [first.fetchone(), second.fetchone()])

    def failing():
        with connection.pipeline():
            connection.execute("insert into drv_psycopg values (%s, 'in a failing pipeline')", [100])
            connection.execute("insert into drv_psycopg values (%s, 'twice')", [1])
            connection.execute("insert into drv_psycopg values (%s, 'skipped')", [101])

    error("pipeline error", failing)
    show("after it", connection.execute("select count(*) from drv_psycopg").fetchone())


def copies(connection):
    sent = 0
    with connection.cursor() as cursor:
        with cursor.copy("copy drv_psycopg from stdin") as copy:
            for number in range(1000, 3000):
                line = f"{number}\trow {number}\n".encode()
                sent += len(line)
                copy.write(line)
        with cursor.copy("copy drv_psycopg (id, note) from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            for number in range(3000, 3010):
                copy.write_row((number, None if number % 2 else "binary"))
        with cursor.copy("copy (select * from drv_psycopg order by id) to stdout") as copy:
            digest = hashlib.sha256(b"".join(copy)).hexdigest()
    # Binary: a header of 19 bytes, a trailer of 2, and of each row 2 for the count, 8 for the number, 4 and the text.
    show("copy", {"copyBytes": sent + 19 + 2 + 10 * 14 + 5 * 6, "digest": digest})

    def malformed():
        with connection.cursor().copy("copy drv_psycopg from stdin") as copy:
            copy.write("not a number\tx\n")

    error("copy error", malformed)


def transactions(connection):
    with connection.transaction():
        connection.execute("insert into drv_psycopg values (%s, %s)", [-1, "outer"])

        def inner():
            with connection.transaction():
                connection.execute("insert into drv_psycopg values (%s, %s)", [-2, "inner"])
                connection.execute("select 1 / %s", [0])

        error("savepoint", inner)
    show("committed", connection.execute("select id from drv_psycopg where id < 0").fetchall())
    connection.autocommit = False
    error("syntax", lambda: connection.execute("selec 1"))
    error("aborted", lambda: connection.execute("select 1"))
    connection.rollback()
    with connection.cursor(name="drv cursor") as cursor:
        cursor.itersize = 30
        cursor.execute("select n from generate_series(1, %s) n", [100])
        show("server cursor", sum(row[0] for row in cursor))
    connection.commit()
    connection.autocommit = True


def interruptions(connection, other):
    def until_sleeping():
        asleep = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and application_name like '%drv psycopg sleeper'"
        while other.execute(asleep, prepare=False).fetchone() is None:
            time.sleep(0.05)
        connection.cancel_safe()

    connection.execute("set application_name = 'drv psycopg sleeper'")
    thread = threading.Thread(target=until_sleeping)
    thread.start()
    error("cancel", lambda: connection.execute("select pg_sleep(60)"))
    thread.join()
    connection.execute("set statement_timeout = '50ms'")
    error("timeout", lambda: connection.execute("select pg_sleep(60)"))
    connection.execute("reset statement_timeout")
    connection.execute("listen drv_psycopg")
    connection.execute("select pg_notify('drv_psycopg', %s)", ["hello"])
    notice = next(connection.notifies(timeout=20, stop_after=1))
    show("notify", [notice.channel, notice.payload])


def main():
    # Whether psycopg warns that a failed pipeline ended is a matter of timing, directly too.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    with psycopg.connect(autocommit=True) as connection, psycopg.connect(autocommit=True) as other:
        show("protocol", connection.info.server_version >= 180000 and connection.info.full_protocol_version)
        values(connection)
        prepared(connection)
        batches(connection)
        copies(connection)
        transactions(connection)
        interruptions(connection, other)
        digest = hashlib.sha256()
        for row in connection.execute("select n, repeat('x', 90) from generate_series(1, %s) n", [50_000]):
            digest.update(repr(row).encode())
        show("large", digest.hexdigest())
        connection.execute("drop table drv_psycopg")


main()
