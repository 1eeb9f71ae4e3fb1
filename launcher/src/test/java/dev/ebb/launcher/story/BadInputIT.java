package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What nobody should do to a server that runs, and what it answers. */
final class BadInputIT {
  private static final Duration IDLE_TIMEOUT = Duration.ofSeconds(3);
  private static final Duration BOUND = Duration.ofSeconds(30);

  @TempDir private static Path directory;
  private static Server server;
  private static Database shop;

  @BeforeAll
  static void start() throws Exception {
    server =
        new Server(directory, "scaler: {idleTimeout: " + IDLE_TIMEOUT.toSeconds() + "s}").start();
    shop = server.create("shop");
    shop.execute("CREATE TABLE item (id int PRIMARY KEY)", "INSERT INTO item VALUES (1)");
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static void assertSqlState(String state, ThrowingCallable action) {
    assertThatExceptionOfType(SQLException.class)
        .isThrownBy(action)
        .returns(state, SQLException::getSQLState);
  }

  private static void assertRefused(int status, ThrowingCallable action) {
    assertThatExceptionOfType(ApiException.Refused.class)
        .isThrownBy(action)
        .returns(status, ApiException.Refused::status)
        .withMessageNotContaining("HTTP status");
  }

  private static Object send(String method, String path, @Nullable Map<String, ?> body)
      throws Exception {
    return String.valueOf(server.api().send(method, path, body));
  }

  @ParameterizedTest
  @ValueSource(strings = {"nothing", "shop@nothing", "Shop", "shop;drop", "postgres", "a@b@c", "@"})
  void unknownDatabaseIs3D000(String name) {
    assertSqlState("3D000", () -> new Database(server, name, "").connect().close());
  }

  @ParameterizedTest
  @ValueSource(strings = {"app", "nobody", "ebb_admin", "pg_monitor", "a\"; DROP ROLE app"})
  void wrongPasswordIs28P01(String user) {
    assertSqlState("28P01", () -> shop.connect(user, "wrong").close());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "Shop", "1st", "a b", "../../x", "ä", "postgres", "template1", "ebb_template"})
  void badNameIsRefused(String name) throws Exception {
    Object before = send("GET", "/v1/databases", null);
    assertThatExceptionOfType(ApiException.Refused.class)
        .isThrownBy(() -> server.create(name))
        .returns(400, ApiException.Refused::status)
        .withMessageMatching(".*(lower-case letter|reserved).*");
    assertThat(send("GET", "/v1/databases", null)).isEqualTo(before);
  }

  @Test
  void nameOf64CharactersIsRefusedAndOneOf63Works() throws Exception {
    assertRefused(400, () -> server.create("a".repeat(64)));
    Database longest = server.create("a".repeat(63));
    assertThat(longest.ask("SELECT current_database()")).isEqualTo(longest.name());
    send("DELETE", "/v1/databases/" + longest.name(), null);
  }

  @ParameterizedTest
  @ValueSource(strings = {"ebb_admin", "pg_owner", "public", "", "o'Neil"})
  void badOwnerIsRefused(String owner) throws Exception {
    Object before = send("GET", "/v1/databases", null);
    var body = Map.of("name", "owned", "owner", owner, "password", "word");
    assertRefused(400, () -> send("POST", "/v1/databases", body));
    assertThat(send("GET", "/v1/databases", null)).isEqualTo(before);
  }

  @Test
  void oddRolesAndPasswordsAreTakenAsTheyAre() throws Exception {
    String password = "p'a\"s\\s $$ ü";
    send("POST", "/v1/databases", Map.of("name", "odd", "owner", "app", "password", password));
    var odd = new Database(server, "odd", "");
    try (Connection owner = odd.connect("app", password);
        Statement statement = owner.createStatement()) {
      statement.execute("CREATE ROLE \"o'Neil; --\" LOGIN PASSWORD 'x'");
    }
    odd.suspend();
    try (Connection connection = odd.connect("o'Neil; --", "x")) {
      assertThat(Database.ask(connection, "SELECT current_user")).isEqualTo("o'Neil; --");
    }
    send("DELETE", "/v1/databases/odd", null);
  }

  @Test
  void whatAnOwnerSetsForTheDatabaseDoesNotReachEbbsOwnSession() throws Exception {
    Database set = server.create("settings");
    set.execute("ALTER DATABASE settings SET role = 'app'");
    set.suspend();
    assertThat(set.ask("SELECT current_user")).isEqualTo("app");
    set.execute("CREATE DATABASE copy TEMPLATE settings");
    set.suspend();
    send("DELETE", "/v1/databases/settings", null);
  }

  @Test
  void apiTellsWhatIsWrong() throws Exception {
    assertRefused(409, () -> server.create("shop"));
    assertRefused(404, () -> send("DELETE", "/v1/databases/nothing", null));
    assertRefused(404, () -> new Database(server, "nothing", "").suspend());
    assertRefused(404, () -> new Database(server, "nothing", "").wake());
    assertRefused(404, () -> send("POST", "/v1/databases/shop/branches/nothing/suspend", null));
    assertRefused(400, () -> send("POST", "/v1/databases", Map.of("name", "lonely")));
    assertRefused(
        400,
        () -> send("POST", "/v1/databases", Map.of("name", 7, "owner", "app", "password", "word")));
    var stranger = new ApiClient(server.url(), "wrong");
    assertRefused(401, () -> stranger.send("GET", "/v1/databases", null));
    assertThat(shop.ask("SELECT count(*) FROM item")).isEqualTo("1");
  }

  @Test
  void dropEndsTheSessionsAndTheNameIsFreeAgain() throws Exception {
    Database dropped = server.create("dropped");
    dropped.execute("CREATE TABLE item (id int)");
    try (Connection client = dropped.connect();
        Statement statement = client.createStatement()) {
      send("DELETE", "/v1/databases/dropped", null);
      assertThatExceptionOfType(SQLException.class)
          .isThrownBy(() -> statement.execute("SELECT 1"))
          .matches(e -> String.valueOf(e.getSQLState()).matches("57P01|08\\w{3}"), "SQLSTATE");
    }
    assertSqlState("3D000", () -> dropped.connect().close());

    Database again = server.create("dropped");
    assertThat(again.ask("SELECT to_regclass('item') IS NULL")).isEqualTo("t");
    send("DELETE", "/v1/databases/dropped", null);
  }

  @Test
  void clientsThatConnectDuringASuspendGetIn() throws Exception {
    Database busy = server.create("busy");
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int round = 0; round < 3; round++) {
        busy.wake();
        List<Future<String>> answers = new ArrayList<>();
        Callable<String> suspend =
            () -> {
              busy.suspend();
              return "in";
            };
        answers.add(threads.submit(suspend));
        for (int i = 0; i < 8; i++) {
          answers.add(threads.submit(() -> connectOnce(busy)));
        }
        for (Future<String> answer : answers) {
          assertThat(answer.get(BOUND.toSeconds(), TimeUnit.SECONDS)).isEqualTo("in");
        }
      }
    }
    send("DELETE", "/v1/databases/busy", null);
  }

  /** Getting in is what counts: a suspend may end who was in before it began. */
  private static String connectOnce(Database database) throws SQLException {
    try (Connection connection = database.connect()) {
      Database.ask(connection, "SELECT 1");
    } catch (SQLException e) {
      if (!"57P01".equals(e.getSQLState())) {
        throw e;
      }
    }
    return "in";
  }

  @Test
  void cancelRequestEndsTheStatementOnly() throws Exception {
    try (Connection connection = shop.connect();
        Statement statement = connection.createStatement();
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<Boolean> sleeper = threads.submit(() -> statement.execute("SELECT pg_sleep(60)"));
      Await.until(
          "the statement runs",
          BOUND,
          () ->
              shop.ask("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
                  .equals("1"));
      statement.cancel();
      assertThat(sleeper)
          .failsWithin(BOUND)
          .withThrowableOfType(java.util.concurrent.ExecutionException.class)
          .havingCause()
          .isInstanceOfSatisfying(
              SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("57014"));
      assertThat(Database.ask(connection, "SELECT count(*) FROM item")).isEqualTo("1");
    }
  }

  @Test
  void idleSessionIsSuspendedWhileOpenTransactionAndStatementAreNot() throws Exception {
    Database idle = server.create("idle");
    Database open = server.create("open");
    Database running = server.create("running");
    open.execute("CREATE TABLE item (id int)");
    try (Connection idler = idle.connect();
        Connection writer = open.connect();
        Connection sleeper = running.connect();
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      writer.setAutoCommit(false);
      try (Statement statement = writer.createStatement()) {
        statement.execute("INSERT INTO item VALUES (1)");
      }
      long seconds = IDLE_TIMEOUT.toSeconds() * 3;
      Future<String> slept =
          threads.submit(
              () -> Database.ask(sleeper, "SELECT 'slept' || pg_sleep(" + seconds + ")"));
      Database.ask(idler, "SELECT 1");

      Await.until("the idle one sleeps", BOUND, () -> idle.state().equals("suspended"));
      assertSqlState("57P01", () -> Database.ask(idler, "SELECT 1"));
      assertThat(slept.get(BOUND.toSeconds(), TimeUnit.SECONDS)).isEqualTo("slept");
      writer.commit();
      assertThat(Database.ask(writer, "SELECT count(*) FROM item")).isEqualTo("1");
    }
    for (Database done : List.of(idle, open, running)) {
      send("DELETE", "/v1/databases/" + done.name(), null);
    }
  }
}
