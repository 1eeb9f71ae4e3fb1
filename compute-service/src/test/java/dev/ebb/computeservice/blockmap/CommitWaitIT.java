package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.blockmap.TestServer.Session;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A commit waits for a standby that never comes, and the wait is given up in each way that
 * PostgreSQL knows (storage rule 5). While the agent says that the commit is not durable, nobody
 * may learn of it: not its client, not another session.
 */
final class CommitWaitIT {

  private static final String[] WAITING = {
    "synchronous_standby_names=nobody",
    "synchronous_commit=on",
    "client_min_messages=error",
    "max_prepared_transactions=5"
  };
  private static final String COUNT = "SELECT count(*) FROM t";
  private static final String CANCEL =
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  private static final String TERMINATE =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

  private static Path store = Path.of("");

  @BeforeAll
  static void fillTheStore() throws Exception {
    store = TestPostgres.get().initdb();
    try (TestServer server = TestServer.start(store, Map.of(), List.of(), List.of())) {
      server.query(
          "postgres",
          "CREATE TABLE t(a int)",
          "CREATE PROCEDURE slow() LANGUAGE plpgsql AS"
              + " $$ BEGIN INSERT INTO t VALUES (1); COMMIT; END $$");
      server.stop();
    }
  }

  @Test
  void aCancelledWaitOfACommitThatIsNotDurableEndsTheServer() throws Exception {
    assertGivenUpWaitEndsTheServer("INSERT INTO t VALUES (1)", CANCEL);
  }

  @Test
  void aTerminatedWaitOfACommitThatIsNotDurableEndsTheServer() throws Exception {
    assertGivenUpWaitEndsTheServer("INSERT INTO t VALUES (1)", TERMINATE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "PREPARE TRANSACTION 'a'",
        "COMMIT PREPARED 'before'",
        "ROLLBACK PREPARED 'before'"
      })
  void aCancelledWaitOfATwoPhaseStepThatIsNotDurableEndsTheServer(String step) throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      compute.durability = new IOException("not durable");
      try (TestServer server = compute.start(WAITING);
          Session writer = server.connect("postgres");
          Session other = server.connect("postgres")) {
        writer.query("SET synchronous_commit = local");
        writer.query("BEGIN");
        writer.query("INSERT INTO t VALUES (1)");
        if (!step.startsWith("PREPARE")) {
          writer.query("PREPARE TRANSACTION 'before'");
        }
        writer.query("SET synchronous_commit = on");
        other.query(COUNT); // fetches what the queries need
        CompletableFuture<List<String>> done = writer.send(step);
        awaitWaiting(other, done);
        assertThat(done).isNotDone();
        var _ = other.send(CANCEL);
        assertThatThrownBy(() -> done.get(30, TimeUnit.SECONDS)).isNotNull();
        assertThat(server.supervisor.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(compute.durableWaits.get()).isPositive();
      }
    }
  }

  @Test
  void aStatementTimeoutInAProcedureEndsTheServerIfTheCommitIsNotDurable() throws Exception {
    assertGivenUpWaitEndsTheServer("CALL slow()", "SELECT 1");
  }

  private static void assertGivenUpWaitEndsTheServer(String commit, String giveUp)
      throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      compute.durability = new IOException("not durable");
      try (TestServer server = compute.start(WAITING);
          Session writer = server.connect("postgres");
          Session other = server.connect("postgres")) {
        assertThat(other.query(COUNT)).containsExactly("0");
        writer.query(
            "SET statement_timeout = '%s'".formatted(commit.startsWith("CALL") ? "1s" : "0"));
        CompletableFuture<List<String>> committed = writer.send(commit);
        awaitWaiting(other, committed);
        CompletableFuture<List<String>> seen = other.send(giveUp + ";" + COUNT);
        assertThatThrownBy(() -> committed.get(30, TimeUnit.SECONDS)).isNotNull();
        assertThat(committed).isCompletedExceptionally();
        seen.handle((rows, _) -> rows == null ? List.of("0") : rows)
            .thenAccept(rows -> assertThat(rows).containsExactly("0"))
            .get(30, TimeUnit.SECONDS);
        assertThat(server.supervisor.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(compute.durableWaits.get()).isPositive();
        assertThat(compute.map.statistics().durableWaits()).isPositive();
      }
    }
  }

  private static void awaitWaiting(Session observer, CompletableFuture<?> commit) throws Exception {
    TestServer.await(
        "the commit waits for its standby",
        () -> {
          try {
            return commit.isDone()
                || !observer
                    .query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                    .isEmpty();
          } catch (Exception e) {
            return true; // the server is ending
          }
        });
  }

  /** Whose signal it is that ends a process of the server while a commit waits. */
  enum Blow {
    FAST_SHUTDOWN("INT", false),
    IMMEDIATE_SHUTDOWN("QUIT", false),
    KILLED_POSTMASTER("KILL", false),
    KILLED_BACKEND("KILL", true),
    TERMINATED_BACKEND("TERM", true);

    final String signal;
    final boolean toTheWaiting;

    Blow(String signal, boolean toTheWaiting) {
      this.signal = signal;
      this.toTheWaiting = toTheWaiting;
    }
  }

  /** Of ending processes nobody learns that the commit that they waited for was made. */
  @ParameterizedTest
  @EnumSource
  void aServerThatEndsWhileACommitWaitsTellsNobodyOfIt(Blow blow) throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      compute.durability = new IOException("not durable");
      try (TestServer server = compute.start(WAITING);
          Session writer = server.connect("postgres");
          Session reader = server.connect("postgres");
          Session other = server.connect("postgres")) {
        assertThat(reader.query(COUNT)).containsExactly("0");
        CompletableFuture<List<String>> committed = writer.send("INSERT INTO t VALUES (1)");
        awaitWaiting(other, committed);
        long waiting =
            Long.parseLong(
                other
                    .query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                    .getFirst());
        assertThat(committed).isNotDone();

        TestServer.signal(blow.toTheWaiting ? waiting : server.postmaster, blow.signal);

        while (!reader.send(COUNT).handle((rows, error) -> isOver(rows, error)).get()) {
          Thread.onSpinWait();
        }
        assertThatThrownBy(() -> committed.get(30, TimeUnit.SECONDS)).isNotNull();
        assertThat(committed).isCompletedExceptionally();
        assertThat(server.supervisor.waitFor(30, TimeUnit.SECONDS)).isTrue();
      }
    }
  }

  /** Whether there are no answers any more; until then others do not see the row. */
  private static boolean isOver(List<String> rows, Throwable error) {
    if (error == null) {
      assertThat(rows).containsExactly("0");
    }
    return error != null;
  }

  @Test
  void aSmartShutdownLetsTheCommitWaitOn() throws Exception {
    assertTheCommitWaitsOn((server, other) -> TestServer.signal(server.postmaster, "TERM"));
  }

  /** What is passed on the command line outranks every file. */
  @Test
  void standbyNamesThatAreEmptiedInTheConfigurationLetTheCommitWaitOn() throws Exception {
    assertTheCommitWaitsOn((server, other) -> {
      other.query("ALTER SYSTEM SET synchronous_standby_names = ''");
      other.query("ALTER SYSTEM SET synchronous_commit = local");
      other.query("SELECT pg_reload_conf()");
      assertThat(other.query("SHOW synchronous_standby_names")).containsExactly("nobody");
    });
  }

  private interface Attempt {
    void run(TestServer server, Session other) throws Exception;
  }

  private static void assertTheCommitWaitsOn(Attempt attempt) throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      compute.durability = new IOException("not durable");
      try (TestServer server = compute.start(WAITING);
          Session writer = server.connect("postgres");
          Session other = server.connect("postgres")) {
        other.query(COUNT);
        CompletableFuture<List<String>> committed = writer.send("INSERT INTO t VALUES (1)");
        awaitWaiting(other, committed);

        attempt.run(server, other);

        // Several looks at all that there is: whoever was woken would be seen to go on.
        for (int i = 0; i < 20; i++) {
          assertThat(
                  other.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))
              .containsExactly("1");
          assertThat(other.query(COUNT)).containsExactly("0");
        }
        assertThat(committed).isNotDone();
        assertThat(compute.durableWaits.get()).isZero();
      }
    }
  }

  /** PostgreSQL does not look for its client while it waits for a standby. */
  @Test
  void aClientThatClosesItsSocketLeavesTheCommitWaiting() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      compute.durability = new IOException("not durable");
      try (TestServer server = compute.start(WAITING);
          Session other = server.connect("postgres")) {
        other.query(COUNT);
        Socket client = server.sendAndNeverRead("INSERT INTO t VALUES (1)");
        awaitWaiting(other, new CompletableFuture<>());
        client.close();
        for (int i = 0; i < 20; i++) {
          assertThat(other.query(COUNT)).containsExactly("0");
        }
        awaitWaiting(other, new CompletableFuture<>());
        assertThat(compute.durableWaits.get()).isZero();
      }
    }
  }

  /** The right of every user to opt out of waiting is a right to opt out of the promise. */
  @ParameterizedTest
  @ValueSource(strings = {"off", "local"})
  void aCommitThatOptedOutOfWaitingDoesNotWait(String setting) throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      compute.durability = new IOException("not durable");
      try (TestServer server = compute.start(WAITING);
          Session writer = server.connect("postgres")) {
        writer.query("SET synchronous_commit = " + setting);
        writer.query("INSERT INTO t VALUES (1)");
        assertThat(writer.query(COUNT)).containsExactly("1");
        assertThat(compute.durableWaits.get()).isZero();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"remote_write", "remote_apply"})
  void aCommitThatWaitsForLessThanAFlushWaitsAllTheSame(String setting) throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      compute.durability = new IOException("not durable");
      try (TestServer server = compute.start(WAITING);
          Session writer = server.connect("postgres");
          Session other = server.connect("postgres")) {
        writer.query("SET synchronous_commit = " + setting);
        CompletableFuture<List<String>> committed = writer.send("INSERT INTO t VALUES (1)");
        awaitWaiting(other, committed);
        assertThat(committed).isNotDone();
        assertThat(other.query(COUNT)).containsExactly("0");
      }
    }
  }

  @Test
  void aCancelledWaitIsHeldUntilTheCommitIsDurableAndThenReturns() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start(WAITING);
          Session writer = server.connect("postgres");
          Session other = server.connect("postgres")) {
        CompletableFuture<List<String>> committed = writer.send("INSERT INTO t VALUES (1)");
        awaitWaiting(other, committed);
        assertThat(committed).isNotDone();
        other.query(CANCEL);
        committed.get(30, TimeUnit.SECONDS);
        assertThat(compute.durableWaits.get()).isEqualTo(1);
        assertThat(other.query(COUNT)).containsExactly("1");
      }
    }
  }

  @Test
  void anAgentThatIsGoneMeansNotDurable() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start(WAITING);
          Session writer = server.connect("postgres");
          Session other = server.connect("postgres")) {
        CompletableFuture<List<String>> committed = writer.send("INSERT INTO t VALUES (1)");
        awaitWaiting(other, committed);
        other.query(CANCEL.replace("SyncRep", "nothing")); // fetches what the query needs
        compute.closeAgent();
        other.query(CANCEL);
        assertThatThrownBy(() -> committed.get(30, TimeUnit.SECONDS)).isNotNull();
        assertThat(server.supervisor.waitFor(30, TimeUnit.SECONDS)).isTrue();
      }
    }
  }

  @Test
  void theTextInAUsersOwnLogMessageDoesNoHarm() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start()) {
        server.query(
            "postgres",
            "DO $$ BEGIN RAISE WARNING 'canceling wait for synchronous replication due to user"
                + " request'; END $$");
        assertThat(server.query("postgres", "SELECT 7")).containsExactly("7");
        assertThat(compute.durableWaits.get()).isPositive();
      }
    }
  }
}
