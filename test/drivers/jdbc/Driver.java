// pgjdbc through its features; prints what came back, one JSON line a step. Takes libpq's environment variables.

import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.*;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.PGStatement;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

public class Driver {
  interface Act {
    void run() throws Exception;
  }

  static void show(String step, Object value) {
    System.out.println("{\"step\":" + quoted(step) + ",\"value\":" + json(value) + "}");
  }

  static String json(Object value) {
    if (value == null) return "null";
    if (value instanceof Number || value instanceof Boolean) return value.toString();
    if (value instanceof Object[] array) return json(Arrays.asList(array));
    if (value instanceof byte[] bytes) return quoted(HexFormat.of().formatHex(bytes));
    if (value instanceof List<?> list) return "[" + String.join(",", list.stream().map(Driver::json).toList()) + "]";
    if (value instanceof Map<?, ?> map)
      return "{" + String.join(",", map.entrySet().stream().map(e -> quoted((String) e.getKey()) + ":" + json(e.getValue())).toList()) + "}";
    return quoted(value.toString());
  }

  static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }

  static void error(String step, Act act) throws Exception {
    try {
      act.run();
      show(step, "no error");
    } catch (SQLException failed) {
      show(step, List.of(String.valueOf(failed.getSQLState()), failed.getMessage().split("\n")[0]));
    }
  }

  static Connection connect(Map<String, String> more) throws SQLException {
    Map<String, String> env = System.getenv();
    Properties properties = new Properties();
    properties.setProperty("user", env.get("PGUSER"));
    properties.setProperty("password", env.get("PGPASSWORD"));
    properties.putAll(more);
    return DriverManager.getConnection("jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE"), properties);
  }

  static List<Object> rows(ResultSet found) throws SQLException {
    List<Object> all = new ArrayList<>();
    while (found.next()) {
      List<Object> row = new ArrayList<>();
      for (int column = 1; column <= found.getMetaData().getColumnCount(); column++) {
        Object value = found.getObject(column);
        row.add(value instanceof java.sql.Array array ? array.toString() : value);
      }
      all.add(row);
    }
    return all;
  }

  static List<Object> ask(Connection connection, String text) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      return rows(statement.executeQuery(text));
    }
  }

  static void execute(Connection connection, String text) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(text);
    }
  }

  public static void main(String[] args) throws Exception {
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    try (Connection connection = connect(Map.of())) {
      execute(connection, "create table drv_jdbc (id int primary key, note text)");
      values(connection);
      batches(connection);
      copies(connection);
      transactions(connection);
      interruptions(connection);
      largeObject(connection);
      large(connection);
      execute(connection, "drop table drv_jdbc");
    }
    try (Connection simple = connect(Map.of("preferQueryMode", "simple"))) {
      try (PreparedStatement statement = simple.prepareStatement("select ?::int, ?::text")) {
        statement.setInt(1, 7);
        statement.setString(2, "it's simple");
        show("simple", rows(statement.executeQuery()));
      }
    }
  }

  /** From the fifth execution on the statement has a name on the server, and values are binary. */
  static void values(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement("select ?, ?, ?, ?::numeric, ?, ?::text, ?::text, ?::text, ?::date, ?::timestamptz, ?::uuid, ?::bytea, ?::int[], ?::text[]")) {
      for (int time = 0; time < 8; time++) {
        statement.setInt(1, 42 + time);
        statement.setLong(2, 1L << 40);
        statement.setDouble(3, 1.5);
        statement.setBigDecimal(4, new BigDecimal("12345.678900"));
        statement.setBoolean(5, true);
        statement.setString(6, "it's ünïcode");
        statement.setString(7, "");
        statement.setNull(8, Types.VARCHAR);
        statement.setObject(9, LocalDate.of(2024, 2, 29));
        statement.setObject(10, OffsetDateTime.parse("2024-02-29T12:30:15.25Z"));
        statement.setObject(11, UUID.fromString("01234567-89ab-cdef-0123-456789abcdef"));
        statement.setBytes(12, new byte[] {0, 1, -1});
        statement.setArray(13, connection.createArrayOf("int4", new Object[] {1, null, 3}));
        statement.setArray(14, connection.createArrayOf("text", new Object[] {"a", null, "", "q\"uo,te"}));
        show("values", rows(statement.executeQuery()));
      }
      show("named on the server", statement.unwrap(PGStatement.class).isUseServerPrepare());
    }
  }

  static void batches(Connection connection) throws Exception {
    try (PreparedStatement insert = connection.prepareStatement("insert into drv_jdbc values (?, ?)")) {
      for (int number = 0; number < 20; number++) {
        insert.setInt(1, number);
        insert.setString(2, number % 3 == 0 ? null : "note " + number);
        insert.addBatch();
      }
      show("batch", Arrays.stream(insert.executeBatch()).sum());
      for (int id : new int[] {100, 1, 101}) {
        insert.setInt(1, id);
        insert.setString(2, "in a failing batch");
        insert.addBatch();
      }
      error("batch error", insert::executeBatch);
      show("after it", ask(connection, "select count(*) from drv_jdbc"));
    }
    try (Statement several = connection.createStatement()) {
      several.addBatch("update drv_jdbc set note = 'x' where id = 1");
      several.addBatch("delete from drv_jdbc where id = 2");
      show("several", Arrays.stream(several.executeBatch()).sum());
      several.execute("select 1; select 2");
      several.getMoreResults();
      show("several", rows(several.getResultSet()));
    }
    try (PreparedStatement insert = connection.prepareStatement("insert into drv_jdbc values (?, 'key')", Statement.RETURN_GENERATED_KEYS)) {
      insert.setInt(1, 200);
      insert.executeUpdate();
      show("generated keys", rows(insert.getGeneratedKeys()));
    }
    try (Connection rewriting = connect(Map.of("reWriteBatchedInserts", "true")); PreparedStatement insert = rewriting.prepareStatement("insert into drv_jdbc values (?, ?)")) {
      for (int number = 300; number < 307; number++) {
        insert.setInt(1, number);
        insert.setString(2, "rewritten");
        insert.addBatch();
      }
      show("rewritten batch", insert.executeBatch().length);
    }
  }

  static void copies(Connection connection) throws Exception {
    CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
    StringBuilder lines = new StringBuilder();
    for (int number = 1000; number < 3000; number++) lines.append(number).append("\trow ").append(number).append('\n');
    long count = copy.copyIn("copy drv_jdbc from stdin", new StringReader(lines.toString()));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    copy.copyOut("copy (select * from drv_jdbc order by id) to stdout", out);
    Map<String, Object> shown = new LinkedHashMap<>();
    shown.put("count", count);
    shown.put("copyBytes", lines.length());
    shown.put("digest", MessageDigest.getInstance("SHA-256").digest(out.toByteArray()));
    show("copy", shown);
    error("copy error", () -> copy.copyIn("copy drv_jdbc from stdin", new StringReader("not a number\tx\n")));
    show("after it", ask(connection, "select 1"));
  }

  static void transactions(Connection connection) throws Exception {
    connection.setAutoCommit(false);
    execute(connection, "insert into drv_jdbc values (-1, 'outer')");
    Savepoint savepoint = connection.setSavepoint("drv");
    error("savepoint", () -> execute(connection, "select 1 / 0"));
    error("aborted", () -> execute(connection, "select 1"));
    connection.rollback(savepoint);
    connection.commit();
    show("committed", ask(connection, "select id from drv_jdbc where id < 0"));
    error("syntax", () -> execute(connection, "selec 1"));
    connection.rollback();
    try (PreparedStatement fetching = connection.prepareStatement("select n from generate_series(1, ?) n")) {
      fetching.setFetchSize(30);
      fetching.setInt(1, 100);
      show("fetch size", rows(fetching.executeQuery()).size());
    }
    connection.commit();
    connection.setAutoCommit(true);
  }

  static void interruptions(Connection connection) throws Exception {
    try (Connection other = connect(Map.of()); Statement sleeping = connection.createStatement()) {
      execute(connection, "set application_name = 'drv jdbc sleeper'");
      Thread canceller = new Thread(() -> {
        try {
          while (ask(other, "select 1 from pg_stat_activity where wait_event = 'PgSleep' and application_name like '%drv jdbc sleeper'").isEmpty()) Thread.sleep(50);
          sleeping.cancel();
        } catch (Exception failed) {
          failed.printStackTrace();
        }
      });
      canceller.start();
      error("cancel", () -> sleeping.execute("select pg_sleep(60)"));
      canceller.join();
      sleeping.setQueryTimeout(1);
      error("timeout", () -> sleeping.execute("select pg_sleep(60)"));
      execute(connection, "listen drv_jdbc");
      execute(other, "notify drv_jdbc, 'hello'");
      show("notify", connection.unwrap(PGConnection.class).getNotifications(20_000)[0].getParameter());
    }
  }

  /** Large objects go by FunctionCall. */
  static void largeObject(Connection connection) throws Exception {
    connection.setAutoCommit(false);
    LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
    long oid = manager.createLO(LargeObjectManager.READWRITE);
    try (LargeObject object = manager.open(oid, LargeObjectManager.READWRITE)) {
      object.write("a large object".getBytes(StandardCharsets.UTF_8));
      object.seek(2);
      show("large object", new String(object.read(5), StandardCharsets.UTF_8));
    }
    manager.delete(oid);
    connection.commit();
    connection.setAutoCommit(true);
  }

  static void large(Connection connection) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (PreparedStatement statement = connection.prepareStatement("select n, repeat('x', 90) from generate_series(1, ?) n")) {
      statement.setInt(1, 50_000);
      ResultSet found = statement.executeQuery();
      while (found.next()) digest.update((found.getInt(1) + found.getString(2)).getBytes(StandardCharsets.UTF_8));
    }
    show("large", digest.digest());
  }
}
