package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGKILL to the server while a child's first start rolls back what its parent had prepared
 * (storage rule 33). Their locks would stay in the child for ever.
 */
final class InheritedTransactionsIT {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final int PREPARED = 60;
  private static final long POLL_NANOS = 1_000_000;
  private static final String COUNT = "SELECT count(*) FROM pg_prepared_xacts";

  @TempDir private Path directory;

  @Test
  void killBetweenAFirstStartAndItsLastRollbackLeavesNoneOfThemInTheChild() throws Exception {
    try (var server = new Server(directory).start()) {
      server.first().suspend();
      Database shop = server.create("shop");
      var branches = new Branches(server, "shop");
      shop.execute("CREATE TABLE entry (number int)");
      for (int i = 0; i < PREPARED; i++) {
        shop.execute(
            "BEGIN; INSERT INTO entry VALUES (" + i + "); PREPARE TRANSACTION 'p" + i + "'");
      }
      Database ofRunning = branches.create(shop, "running");
      shop.suspend();
      Database ofSuspended = branches.create(shop, "suspended");

      for (Database child : new Database[] {ofRunning, ofSuspended}) {
        int before = rollbacks(server);
        var starting = Thread.ofVirtual().start(() -> connect(child));
        awaitRollback(server, before);
        server.kill();
        starting.join();
        assertThat(rollbacks(server) - before).as("it came in between").isLessThan(PREPARED);
        server.start();

        assertThat(child.ask(COUNT)).as("as soon as somebody is let in").isEqualTo("0");
        assertThat(child.ask("SELECT count(*) FROM entry")).isEqualTo("0");
        // From now on they are the branch's own.
        child.execute("BEGIN; INSERT INTO entry VALUES (-1); PREPARE TRANSACTION 'own'");
        child.suspend();
        assertThat(child.ask(COUNT)).isEqualTo("1");
        child.execute("COMMIT PREPARED 'own'");
        child.suspend();
      }

      assertThat(shop.ask(COUNT)).isEqualTo(String.valueOf(PREPARED));
      for (int i = 0; i < PREPARED; i++) {
        shop.execute("COMMIT PREPARED 'p" + i + "'");
      }
      assertThat(shop.ask("SELECT count(*) FROM entry")).isEqualTo(String.valueOf(PREPARED));
    }
  }

  /** The whole of them takes some hundred milliseconds. */
  private static void awaitRollback(Server server, int before) throws Exception {
    long begin = System.nanoTime();
    while (rollbacks(server) == before) {
      assertThat(System.nanoTime() - begin).as("a rollback").isLessThan(BOUND.toNanos());
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  private static int rollbacks(Server server) throws Exception {
    return (int) server.log().lines().filter(line -> line.contains("is rolled back here")).count();
  }

  private static void connect(Database database) {
    try (var connection = database.connect()) {
      Database.ask(connection, "SELECT 1");
    } catch (SQLException e) {
      // The server was killed meanwhile.
    }
  }
}
