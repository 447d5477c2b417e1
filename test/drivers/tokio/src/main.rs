//! tokio-postgres through its features; prints what came back, one JSON line a step. Takes libpq's environment variables.

use futures_util::{future, pin_mut, stream, SinkExt, StreamExt, TryStreamExt};
use std::io::Cursor;
use std::time::Duration;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Error, NoTls, SimpleQueryMessage};

type Shown = Result<(), Error>;
type Parameter<'a> = &'a (dyn ToSql + Sync);
type Messages = tokio::sync::mpsc::UnboundedReceiver<AsyncMessage>;

fn show(step: &str, value: impl std::fmt::Debug) {
    println!("{{\"step\":{step:?},\"value\":{:?}}}", format!("{value:?}"));
}

fn show_error(step: &str, error: &Error) {
    match error.as_db_error() {
        Some(failed) => show(step, (failed.code().code(), failed.message())),
        None => show(step, error.to_string()),
    }
}

async fn connect(name: &str) -> (Client, Messages) {
    let from = |name: &str| std::env::var(name).unwrap_or_default();
    let mut config = tokio_postgres::Config::new();
    config.host(&from("PGHOST")).port(from("PGPORT").parse().expect("PGPORT"));
    config.user(&from("PGUSER")).password(from("PGPASSWORD")).dbname(&from("PGDATABASE"));
    let (client, mut connection) = config.application_name(name).connect(NoTls).await.expect("a connection");
    let (sender, messages) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut all = stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = all.next().await {
            let _ = sender.send(message);
        }
    });
    (client, messages)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Shown {
    let (mut client, messages) = connect("drv tokio sleeper").await;
    values(&client).await?;
    pipelines(&client).await?;
    copies(&client).await?;
    transactions(&mut client).await?;
    interruptions(&client, messages).await?;
    let text = "select n, repeat('x', 90) from generate_series(1, $1) n";
    let mut found = Box::pin(client.query_raw(text, [50_000]).await?);
    let mut sum = 0usize;
    while let Some(row) = found.try_next().await? {
        sum += row.get::<_, i32>(0) as usize + row.get::<_, &str>(1).len();
    }
    show("large", sum);
    client.batch_execute("drop table drv_tokio").await
}

async fn values(client: &Client) -> Shown {
    let text = "select $1::int4, $2::int8, $3::float8, $4::bool, $5::text, $6::text, $7::text, $8::bytea, $9::int4[], $10::text[]";
    let statement = client.prepare(text).await?;
    let nothing: Option<&str> = None;
    let bytes = &b"\x00\x01\xff"[..];
    let numbers = vec![Some(1), None, Some(3)];
    let texts = vec![Some("a"), None, Some(""), Some("q\"uo,te")];
    for number in 0..8 {
        let given: [Parameter; 10] =
            [&number, &(1i64 << 40), &1.5f64, &true, &"it's ünïcode", &"", &nothing, &bytes, &numbers, &texts];
        let row = client.query_one(&statement, &given).await?;
        show("numbers", (row.get::<_, i32>(0), row.get::<_, i64>(1), row.get::<_, f64>(2), row.get::<_, bool>(3)));
        show("texts", (row.get::<_, &str>(4), row.get::<_, &str>(5), row.get::<_, Option<&str>>(6)));
        let (raw, some, all): (&[u8], Vec<Option<i32>>, Vec<Option<&str>>) = (row.get(7), row.get(8), row.get(9));
        show("bytes, arrays", (raw, some, all));
    }
    let typed = client.query_typed("select $1 + 1 as n", &[(&41i32, Type::INT4)]).await?;
    show("typed", typed[0].get::<_, i32>(0));
    let simple = client.simple_query("select 1 as one; select null as two").await?;
    let rows = simple.iter().filter_map(|one| match one {
        SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
        _ => None,
    });
    show("simple", rows.collect::<Vec<_>>());
    Ok(())
}

/// Several in flight on one connection, each with its own Sync; one of them fails.
async fn pipelines(client: &Client) -> Shown {
    client.batch_execute("create table drv_tokio (id int primary key, note text)").await?;
    let insert = client.prepare("insert into drv_tokio values ($1, $2)").await?;
    let notes: Vec<(i32, String)> = (0..20).map(|id| (id, format!("note {id}"))).collect();
    let given: Vec<[Parameter; 2]> = notes.iter().map(|(id, note)| [id as Parameter, note as Parameter]).collect();
    let done = future::try_join_all(given.iter().map(|one| client.execute(&insert, one))).await?;
    show("pipeline", done.iter().sum::<u64>());
    let divide = client.prepare("select 6 / $1::int").await?;
    let divisors = [2, 0, 3];
    let given: Vec<[Parameter; 1]> = divisors.iter().map(|one| [one as Parameter]).collect();
    for result in future::join_all(given.iter().map(|one| client.query_one(&divide, one))).await {
        match result {
            Ok(row) => show("divided", row.get::<_, i32>(0)),
            Err(error) => show_error("divided", &error),
        }
    }
    Ok(())
}

async fn copies(client: &Client) -> Shown {
    let mut sent = 0;
    let sink = client.copy_in("copy drv_tokio from stdin").await?;
    pin_mut!(sink);
    for number in 1000..3000 {
        let line = format!("{number}\trow {number}\n");
        sent += line.len();
        sink.feed(Cursor::new(line.into_bytes())).await?;
    }
    let count = sink.finish().await?;
    let binary = client.copy_in("copy drv_tokio from stdin (format binary)").await?;
    let writer = BinaryCopyInWriter::new(binary, &[Type::INT4, Type::TEXT]);
    pin_mut!(writer);
    for number in 3000..3010 {
        let note = if number % 2 == 0 { None } else { Some("binary") };
        writer.as_mut().write(&[&number, &note]).await?;
    }
    writer.finish().await?;
    let out = client.copy_out("copy (select * from drv_tokio order by id) to stdout").await?;
    let chunks: Vec<_> = out.try_collect().await?;
    // Binary: a header of 19 bytes, a trailer of 2, and of each row 2 for the count, 8 for the number, 4 and the text.
    println!("{{\"step\":\"copy\",\"value\":{{\"copyBytes\":{}}}}}", sent + 19 + 2 + 10 * 14 + 5 * 6);
    show("copied", (count, chunks));
    let sink = client.copy_in("copy drv_tokio from stdin").await?;
    pin_mut!(sink);
    sink.send(Cursor::new(b"not a number\tx\n".to_vec())).await?;
    show_error("copy error", &sink.finish().await.expect_err("malformed"));
    drop(client.copy_in::<_, Cursor<Vec<u8>>>("copy drv_tokio from stdin").await?); // CopyFail
    show("after it", client.query_one("select 1", &[]).await?.get::<_, i32>(0));
    Ok(())
}

async fn transactions(client: &mut Client) -> Shown {
    let mut outer = client.transaction().await?;
    outer.execute("insert into drv_tokio values ($1, 'outer')", &[&-1]).await?;
    let inner = outer.savepoint("drv").await?;
    inner.execute("insert into drv_tokio values ($1, 'inner')", &[&-2]).await?;
    show_error("savepoint", &inner.query("select 1 / $1::int", &[&0]).await.expect_err("division"));
    show_error("aborted", &inner.batch_execute("select 1").await.expect_err("aborted"));
    inner.rollback().await?;
    let portal = outer.bind("select n from generate_series(1, $1) n", &[&100]).await?;
    for size in [30, 30, 60] {
        show("portal", outer.query_portal(&portal, size).await?.len());
    }
    outer.commit().await?;
    let committed = client.query("select id from drv_tokio where id < $1", &[&0]).await?;
    show("committed", committed.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>());
    show_error("syntax", &client.query("selec 1", &[]).await.expect_err("syntax"));
    Ok(())
}

async fn interruptions(client: &Client, mut messages: Messages) -> Shown {
    let (other, _) = connect("drv tokio").await;
    let cancel = async {
        let asleep = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and application_name like '%drv tokio sleeper'";
        while other.query(asleep, &[]).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        client.cancel_token().cancel_query(NoTls).await
    };
    let (slept, cancelled) = future::join(client.query("select pg_sleep(60)", &[]), cancel).await;
    cancelled?;
    show_error("cancel", &slept.expect_err("cancelled"));
    client.batch_execute("set statement_timeout = '50ms'").await?;
    show_error("timeout", &client.query("select pg_sleep(60)", &[]).await.expect_err("timeout"));
    client.batch_execute("reset statement_timeout; listen drv_tokio").await?;
    other.query("select pg_notify('drv_tokio', $1)", &[&"hello"]).await?;
    while let Some(message) = messages.recv().await {
        if let AsyncMessage::Notification(notice) = message {
            show("notify", (notice.channel(), notice.payload()));
            break;
        }
    }
    Ok(())
}
