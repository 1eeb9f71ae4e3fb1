package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.BitSet;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGKILL to the server while it makes a branch and while another branch recovers for the first
 * time, under writes to the parent. A branch that was announced has every row that was acknowledged
 * before it was asked for; one that was not is either that, too, or can be cleared away.
 *
 * <p>{@code -Debb.seed=N} repeats the delays; {@code -Debb.soak=true} kills more often.
 */
final class BranchKillIT {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final int ROUNDS = Boolean.getBoolean("ebb.soak") ? 25 : 2;
  private static final int MAX_DELAY_MS = 250;

  @TempDir private Path directory;

  private final long seed = Long.getLong("ebb.seed", System.nanoTime() & 0xffffff);
  private final Random random = new Random(seed);

  @Test
  void branchesAreWholeOrCanBeClearedAfterEveryKill() throws Exception {
    System.out.println("BranchKillIT: seed " + seed);
    try (var server = new Server(directory, "compute.captureInterval: 2s").start()) {
      server.first().suspend();
      Database shop = server.create("shop");
      var branches = new Branches(server, "shop");
      shop.execute("CREATE TABLE entry (number int PRIMARY KEY, payload text)");
      try (var writers = new RowWriters(shop, 3)) {
        for (int round = 0; round < ROUNDS; round++) {
          writers.awaitMore(100, BOUND);
          BitSet before = writers.copy();
          Database whole = branches.create(shop, "whole" + round);
          var recovering = Thread.ofVirtual().start(() -> connect(whole));
          var making = Thread.ofVirtual().start(() -> make(branches, shop, madeBeside(whole)));
          long delayMs = random.nextInt(MAX_DELAY_MS);
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(delayMs));
          server.kill();
          recovering.join();
          making.join();
          server.start();

          assertThat(writers.missingAmong(whole, before)).as("after %d ms", delayMs).isEmpty();
          Amcheck.assertSound(whole);
          whole.suspend();
          checkOrClear(branches, shop, madeBeside(whole), before, writers);
        }
        writers.stop();
        assertThat(writers.missingAmong(shop, writers.copy())).isEmpty();
      }
      Amcheck.assertSound(shop);
    }
  }

  private static String madeBeside(Database whole) {
    return "made-" + whole.name().replaceFirst(".*@", "");
  }

  private static void connect(Database database) {
    try (var connection = database.connect()) {
      Database.ask(connection, "SELECT count(*) FROM entry");
    } catch (SQLException e) {
      // The server was killed meanwhile.
    }
  }

  private static void make(Branches branches, Database shop, String name) {
    try {
      branches.create(shop, name);
    } catch (IOException | ApiException e) {
      // The server was killed meanwhile.
    }
  }

  private static void checkOrClear(
      Branches branches, Database shop, String name, BitSet before, RowWriters writers)
      throws Exception {
    Map<?, ?> listed = branches.list().get(name);
    if (listed == null) {
      branches.create(shop, name);
    } else if ("creating".equals(listed.get("state"))) {
      assertThatThrownBy(() -> shop.at(name).connect()).isInstanceOf(SQLException.class);
      assertThatThrownBy(() -> branches.create(shop, name)).hasMessageContaining("creating");
      branches.drop(name, false);
      branches.create(shop, name);
    }
    assertThat(writers.missingAmong(shop.at(name), before)).isEmpty();
    Amcheck.assertSound(shop.at(name));
    shop.at(name).suspend();
  }
}
