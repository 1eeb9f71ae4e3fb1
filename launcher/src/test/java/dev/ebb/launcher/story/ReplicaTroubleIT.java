package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** What replicas have to live with: bad moments of a snapshot, much WAL, little room, a hang. */
@EnabledIfSystemProperty(named = "ebb.soak", matches = "true")
final class ReplicaTroubleIT {
  private static final Duration BOUND = Duration.ofSeconds(60);

  /** Well below what a clean stop and an immediate one may take together. */
  private static final Duration SOON = Duration.ofSeconds(25);

  private static final String SERVES_BEHIND = "is behind and serves all the same";
  private static final String RAISED = "P0001";
  private static final int ROW_BYTES = 900;
  private static final int MEGABYTE = 1 << 20;

  /** Of WAL that a replica starts behind, and once more while it stands still. */
  private static final int BEHIND_MB = Soak.ON ? 400 : 16;

  /** More than the local cache may hold. */
  private static final int CHANGED_MB = 40;

  /**
   * Waits, in one statement, for the end of a checkpoint, changes a page and aborts: at once, and
   * so before the capture that asked for the checkpoint has read any page.
   */
  private static final String ABORT_BEHIND_A_CHECKPOINT =
      """
      DO $$
      DECLARE before pg_lsn := (SELECT redo_lsn FROM pg_control_checkpoint());
      BEGIN
        WHILE before = (SELECT redo_lsn FROM pg_control_checkpoint()) LOOP
        END LOOP;
        INSERT INTO doomed VALUES (2);
        RAISE EXCEPTION 'given up';
      END $$
      """;

  private static final String SUM = "SELECT count(*) || ' ' || coalesce(sum(id), 0) FROM big";

  @TempDir private Path directory;

  @Test
  void replicaStartsFromAnyMomentAndStartsAnewWhereWhatItChangedFillsTheCache() throws Exception {
    try (var server =
        new Server(directory, "compute.captureInterval: 1s", "compute.localCache: 32MB").start()) {
      Database shop = server.create("shop");
      startFromASnapshotOfAnAbort(server, shop);
      startAnewWhereTheCacheIsFull(server, shop);
    }
  }

  // ---------------------------------------------------------------- a bad moment

  /**
   * A table that an abort takes away is gone when the capture looks, and the WAL that says so is
   * not flushed by then. What is replayed up to the snapshot's end must tell of it all the same.
   */
  private static void startFromASnapshotOfAnAbort(Server server, Database shop) throws Exception {
    shop.execute("CREATE TABLE item (id int PRIMARY KEY)");
    try (Connection admin = shop.connectAsAdmin();
        Connection doomed = shop.connect();
        Statement statement = doomed.createStatement()) {
      doomed.setAutoCommit(false);
      statement.execute("CREATE TABLE doomed (id int)");
      statement.execute("INSERT INTO doomed VALUES (1)");
      // Once it is in a snapshot, the audit of the next one has no cause to look for it. The first
      // of two may have begun before.
      for (int i = 1; i <= 2; i++) {
        double before = captures(server);
        shop.execute("INSERT INTO item VALUES (" + i + ")");
        Await.until("a snapshot", BOUND, () -> captures(server) > before);
      }
      long writer =
          Long.parseLong(
              Database.ask(
                  admin, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"));
      double last = captures(server);
      shop.execute("INSERT INTO item VALUES (3)");
      // It would flush what the abort leaves to it.
      Standbys.signal("STOP", writer);
      try {
        assertThat(stateOf(statement, ABORT_BEHIND_A_CHECKPOINT)).isEqualTo(RAISED);
        Await.until("the snapshot of it", BOUND, () -> captures(server) > last);
      } finally {
        Standbys.signal("CONT", writer);
      }
    }
    Standbys.add(shop, 1);
    assertThat(crashes(server)).isZero();
    try (Connection replica = shop.connectRouted("replica")) {
      assertThat(Database.ask(replica, "SELECT count(*) FROM item")).isEqualTo("3");
    }
  }

  private static double captures(Server server) throws Exception {
    return server.metric("ebb_capture_seconds_count");
  }

  private static double crashes(Server server) throws Exception {
    return server.metric("ebb_replica_crashes_total");
  }

  private static String stateOf(Statement statement, String sql) {
    try {
      statement.execute(sql);
      return "";
    } catch (SQLException e) {
      return e.getSQLState();
    }
  }

  // ---------------------------------------------------------------- little room

  /** What it changed it cannot give back; another one has none of that, and gives back the rest. */
  private static void startAnewWhereTheCacheIsFull(Server server, Database shop) throws Exception {
    Object full = theOne(server).get("replica");
    shop.execute("CREATE TABLE big (id int PRIMARY KEY, pad text)");
    write(shop, CHANGED_MB);
    Await.until(
        "another one in its place",
        BOUND,
        () ->
            Standbys.running(server).stream()
                .anyMatch(r -> !Objects.equals(r.get("replica"), full)));
    assertThat(server.log()).contains("takes too much of the local cache");
    String all = shop.ask(SUM);
    Await.until(
        "that one shows all of it",
        BOUND,
        () -> {
          try (Connection replica = shop.connectRouted("replica")) {
            return Database.ask(replica, SUM).equals(all);
          } catch (SQLException e) {
            return false; // it began when only some of it was in a snapshot, and went like the
            // first
          }
        });
  }

  private static Map<?, ?> theOne(Server server) throws Exception {
    return Standbys.running(server).getFirst();
  }

  /** Adds so much to the table, or somewhat more. */
  private static void write(Database shop, int megabytes) throws SQLException {
    int rows = (int) ((long) megabytes * MEGABYTE / ROW_BYTES);
    shop.execute(
        "INSERT INTO big SELECT coalesce((SELECT max(id) FROM big), 0) + i,"
            + " (SELECT string_agg(md5((i * 31 + j)::text), '') FROM generate_series(1, 28) j)"
            + " FROM generate_series(1, "
            + rows
            + ") i");
  }

  // ---------------------------------------------------------------- much WAL, and a hang

  @Test
  void replicaCatchesUpBeforeItServesAndOneThatHangsIsReplacedOrRemoved() throws Exception {
    try (var server =
        new Server(directory, "compute.captureInterval: 1h", "compute.captureWal: 8GB").start()) {
      Database shop = server.create("shop");
      shop.execute("CREATE TABLE big (id int PRIMARY KEY, pad text)");
      shop.suspend();
      catchUp(server, shop);
      if (Soak.ON) { // half a minute; VitalsTest has the judgement
        replaceOneWhosePostmasterHangs(server, shop);
      }
      removeOneThatHangs(server, shop);
    }
  }

  /** The newest snapshot is from before all of it. */
  private static void catchUp(Server server, Database shop) throws Exception {
    double captures = captures(server);
    write(shop, BEHIND_MB);
    String all = shop.ask(SUM);
    Standbys.add(shop, 1);
    try (Connection replica = shop.connectRouted("replica");
        Connection admin = Standbys.connect(theOne(server), shop)) {
      if (server.log().contains(SERVES_BEHIND)) { // it may, where that takes longer than 10 s
        Standbys.awaitAllOf(shop, admin, BOUND);
      }
      assertThat(Database.ask(replica, SUM)).as("the first that it shows").isEqualTo(all);
      // And one that serves, and stood still meanwhile.
      Database.ask(admin, "SELECT pg_wal_replay_pause()");
      write(shop, BEHIND_MB);
      Await.until(
          "it is told to be behind",
          BOUND,
          () ->
              Standbys.number(theOne(server), "lagBytes") > (long) BEHIND_MB * MEGABYTE
                  && Standbys.number(theOne(server), "lagMs") > 0);
      assertThat(Database.ask(replica, SUM)).isEqualTo(all);
      Database.ask(admin, "SELECT pg_wal_replay_resume()");
      Await.until(
          "it has caught up", BOUND, () -> Standbys.number(theOne(server), "lagBytes") == 0);
      assertThat(Database.ask(replica, SUM)).isEqualTo(shop.ask(SUM));
    }
    assertThat(captures(server)).as("captures meanwhile").isEqualTo(captures);
  }

  /** Its sessions live, and nobody new gets in. */
  private static void replaceOneWhosePostmasterHangs(Server server, Database shop)
      throws Exception {
    Map<?, ?> held = theOne(server);
    try (Connection session = Standbys.connect(held, shop)) {
      Standbys.signal("STOP", Standbys.number(held, "pid"));
      assertThat(Database.ask(session, "SELECT 1")).as("in the meantime").isEqualTo("1");
      Await.until(
          "another one in its place",
          BOUND,
          () ->
              Standbys.running(server).stream()
                  .anyMatch(r -> !Objects.equals(r.get("replica"), held.get("replica"))));
    }
    assertThat(ProcessHandle.of(Standbys.number(held, "pid"))).isEmpty();
    assertThat(server.log()).contains("it does not answer");
  }

  private static void removeOneThatHangs(Server server, Database shop) throws Exception {
    long postmaster = Standbys.number(theOne(server), "pid");
    Standbys.signal("STOP", postmaster);
    // It has none new from now on; one may have ended by itself.
    List<ProcessHandle> held =
        ProcessHandle.of(postmaster).stream().flatMap(ProcessHandle::children).toList();
    assertThat(held).isNotEmpty();
    for (ProcessHandle child : held) {
      assertThat(new ProcessBuilder("kill", "-STOP", "" + child.pid()).start().waitFor())
          .isBetween(0, 1);
    }
    long begin = System.nanoTime();
    Standbys.remove(shop, 1);
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(SOON);
    assertThat(ProcessHandle.of(postmaster)).isEmpty();
    assertThat(held).noneMatch(ProcessHandle::isAlive);
    assertThat(Standbys.laid(server)).isEmpty();
  }
}
