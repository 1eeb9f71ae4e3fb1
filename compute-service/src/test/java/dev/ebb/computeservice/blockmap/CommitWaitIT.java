package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.blockmap.TestServer.Session;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
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
