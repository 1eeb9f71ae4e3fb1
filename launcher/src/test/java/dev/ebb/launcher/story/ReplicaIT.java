package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.launcher.process.BrokerProcess;
import dev.ebb.launcher.process.EbbProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Read replicas of a server's database: what they show, what they do not, and that they last. */
final class ReplicaIT {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final int SUSPENDS = Soak.ON ? 8 : 2;
  private static final int LOAD_SECONDS = Soak.ON ? 60 : 2;

  private static final String READ_ONLY = "25006";
  private static final String INVALID_VALUE = "22023";
  private static final String CANNOT_CONNECT_NOW = "57P03";

  /** Of what pgbench changes; each sum is the same in a state that a transaction left. */
  private static final String SUMS =
      "SELECT (SELECT sum(abalance) FROM pgbench_accounts) || ' '"
          + " || (SELECT sum(tbalance) FROM pgbench_tellers) || ' '"
          + " || (SELECT sum(bbalance) FROM pgbench_branches) || ' '"
          + " || (SELECT coalesce(sum(delta), 0) || ' ' || count(*) FROM pgbench_history)";

  @TempDir private Path directory;

  @Test
  void replicaFollowsThroughKillsCapturesAndSuspends() throws Exception {
    try (var server =
        new Server(directory, "compute.captureWal: 1MB", "compute.captureInterval: 1s")) {
      server.start();
      Database shop = server.create("shop");
      shop.execute("CREATE TABLE item (id int PRIMARY KEY)", "INSERT INTO item VALUES (1)");
      assertThatNothingIsRoutedToNothing(shop);

      Standbys.add(shop, 1);
      assertThatItReadsAndRefusesToWrite(shop);
      Set<Path> alone = Standbys.laid(server);

      Standbys.add(shop, 1);
      assertThatSessionsAreSpread(shop);
      surviveAKill(server, shop);
      survivePrimarysSleep(server, shop);
      assertThatSumsAreTheSame(server, shop);

      // Orphans of a server that was killed go, and what was wanted is there again.
      server.kill();
      server.start();
      Await.until("two replicas again", BOUND, () -> Standbys.running(server).size() == 2);
      // Most pages they do not have now: they read them from snapshots of later than their start.
      double captures = server.metric("ebb_capture_seconds_count");
      pgbench(shop, "-n", "-c", "2", "-T", "" + LOAD_SECONDS).awaitSuccess();
      Await.until(
          "captured behind it",
          BOUND,
          () -> server.metric("ebb_capture_seconds_count") >= captures + 1);
      assertThatSumsAreTheSame(server, shop);
      assertThatTheyAreSound(server, shop);

      Standbys.remove(shop, 1);
      assertThat(Standbys.laid(server)).hasSameSizeAs(alone);
      Standbys.remove(shop, 1);
      assertThat(Standbys.running(server)).isEmpty();
      assertThat(Standbys.laid(server)).as("what is left of replicas").isEmpty();
    }
  }

  /** Before a commit is durable it is nowhere to be seen but by who waits for it. */
  @Test
  void commitThatIsNotDurableIsNotShown() throws Exception {
    try (EbbProcess broker =
        EbbProcess.startMain(
            BrokerProcess.class.getName(), directory, Map.of(), "" + directory.resolve("kafka"))) {
      String at =
          broker.awaitLine(BrokerProcess.UP, BOUND).substring(BrokerProcess.UP.length()).strip();
      try (var server =
          new Server(
              directory,
              "kafka: {bootstrapServers: \""
                  + at
                  + "\", replicationFactor: 1,"
                  + " minInsyncReplicas: 1}")) {
        server.start();
        Database shop = server.create("shop");
        shop.execute("CREATE TABLE item (id int PRIMARY KEY)", "INSERT INTO item VALUES (1)");
        Standbys.add(shop, 1);
        try (Connection primary = shop.connect();
            Connection watch = shop.connect();
            Connection replica = shop.connectRouted("replica")) {
          assertThat(items(replica)).isEqualTo("1");
          broker.signal("STOP");
          CompletableFuture<Void> commit;
          try {
            commit = inBackground(primary, "INSERT INTO item VALUES (2)");
            Await.until(
                "the commit waits, its WAL ahead of what is durable",
                BOUND,
                () ->
                    Database.ask(
                                watch,
                                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                            .equals("1")
                        && isAheadOfDurable(server));
            assertThat(items(watch)).as("on the primary").isEqualTo("1");
            assertThat(items(replica)).as("on the replica").isEqualTo("1");
            assertThat(commit).isNotDone();
          } finally {
            broker.signal("CONT");
          }
          commit.get(BOUND.toSeconds(), TimeUnit.SECONDS);
          Await.until("the replica has it", BOUND, () -> items(replica).equals("2"));
        }
        assertThatBranchesTakeTheirReplicasAlong(server, shop);
        long postmaster = Standbys.number(Standbys.running(server).getFirst(), "pid");
        server.stop();
        assertThat(ProcessHandle.of(postmaster)).as("a replica of a server that stopped").isEmpty();
        assertThat(Standbys.laid(server)).isEmpty();
      }
    }
  }

  private static String items(Connection connection) throws SQLException {
    return Database.ask(connection, "SELECT count(*) FROM item");
  }

  private static boolean isAheadOfDurable(Server server) throws Exception {
    return server.computes().stream()
        .filter(compute -> "shop".equals(compute.get("database")))
        .filter(compute -> "primary".equals(compute.get("kind")))
        .anyMatch(compute -> !Objects.equals(compute.get("walLsn"), compute.get("durableLsn")));
  }

  private static CompletableFuture<Void> inBackground(Connection connection, String sql) {
    return CompletableFuture.runAsync(
        () -> {
          try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
          } catch (SQLException e) {
            throw new IllegalStateException(e);
          }
        },
        task -> Thread.ofVirtual().start(task));
  }

  /** A name that comes to mean another branch has replicas of that one from then on. */
  private void assertThatBranchesTakeTheirReplicasAlong(Server server, Database shop)
      throws Exception {
    var branches = new Branches(server, shop.name());
    Database dev = branches.create(shop, "dev");
    // Never started: it has no log of its own yet.
    Standbys.add(dev, 1);
    try (Connection replica = dev.connectRouted("replica")) {
      assertThat(items(replica)).isEqualTo("2");
      dev.execute("INSERT INTO item VALUES (3)");
      Await.until("its first log is followed", BOUND, () -> items(replica).equals("3"));
    }
    branches.reset("dev");
    Await.until(
        "the branch as it was reset is what its replica shows",
        BOUND,
        () -> {
          try (Connection replica = dev.connectRouted("replica")) {
            return items(replica).equals("2");
          } catch (SQLException e) {
            return false; // the old one is gone, the new one not there yet
          }
        });
    branches.drop("dev", false);
    assertThat(Standbys.running(server)).as("of the dropped branch nothing is left").hasSize(1);
  }

  // ---------------------------------------------------------------- steps

  private static void assertThatNothingIsRoutedToNothing(Database shop) {
    assertThatThrownBy(() -> shop.connectRouted("replica").close())
        .isInstanceOfSatisfying(
            SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo(CANNOT_CONNECT_NOW));
    assertThatThrownBy(() -> shop.connectRouted("nearest").close())
        .isInstanceOfSatisfying(
            SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo(INVALID_VALUE))
        .hasMessageContaining("ebb.route");
  }

  private static void assertThatItReadsAndRefusesToWrite(Database shop) throws Exception {
    try (Connection replica = shop.connectRouted("replica")) {
      assertThat(Database.ask(replica, "SELECT pg_is_in_recovery()")).isEqualTo("t");
      assertThat(items(replica)).as("it was added behind this commit").isEqualTo("1");
      assertThatThrownBy(() -> replica.createStatement().execute("INSERT INTO item VALUES (2)"))
          .isInstanceOfSatisfying(
              SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo(READ_ONLY));
      shop.execute("INSERT INTO item VALUES (2)");
      Await.until("the commit is seen", BOUND, () -> items(replica).equals("2"));
    }
    try (Connection primary = shop.connectRouted("primary")) {
      assertThat(Database.ask(primary, "SELECT pg_is_in_recovery()")).isEqualTo("f");
    }
    Map<?, ?> told = Standbys.running(shop.server()).getFirst();
    assertThat(told.get("database")).isIn("shop", "");
    assertThat(told.get("lagBytes")).isInstanceOf(Number.class);
    assertThat(told.get("lagMs")).isInstanceOf(Number.class);
    assertThat(shop.server().get("/metrics"))
        .contains("ebb_replica_lag_bytes", "ebb_replica_lag_time", "ebb_replica_conflicts_total");
  }

  private static void assertThatSessionsAreSpread(Database shop) throws Exception {
    Set<String> ports = new TreeSet<>();
    List<Connection> open = new ArrayList<>();
    try {
      for (int i = 0; i < 4; i++) {
        Connection replica = shop.connectRouted("replica");
        open.add(replica);
        ports.add(Database.ask(replica, "SELECT inet_server_port()"));
      }
    } finally {
      for (Connection connection : open) {
        connection.close();
      }
    }
    assertThat(ports).as("where four sessions are on two replicas").hasSize(2);
  }

  /** Neither the primary nor the other replica takes notice of one that is killed. */
  private void surviveAKill(Server server, Database shop) throws Exception {
    pgbench(shop, "-i", "-q", "-s", "1").awaitSuccess();
    Program load = pgbench(shop, "-n", "-c", "4", "-T", "" + LOAD_SECONDS);
    Map<?, ?> victim = Standbys.running(server).getFirst();
    try (Connection other = shop.connectRouted("replica")) {
      // Where the kill is to strike it, the session is on the other one.
      Connection spared =
          Database.ask(other, "SELECT inet_server_port()").equals("" + victim.get("port"))
              ? shop.connectRouted("replica")
              : other;
      try (spared) {
        assertThat(new ProcessBuilder("kill", "-9", "" + victim.get("pid")).start().waitFor())
            .isZero();
        Await.until(
            "another one in its place",
            BOUND,
            () ->
                Standbys.running(server).size() == 2
                    && Standbys.running(server).stream()
                        .noneMatch(r -> Objects.equals(r.get("replica"), victim.get("replica"))));
        assertThat(items(spared)).isEqualTo("2");
      }
    }
    load.awaitSuccess();
    assertThat(load.output()).contains("number of failed transactions: 0");
    assertThat(server.metric("ebb_replica_crashes_total")).isEqualTo(1);
  }

  private static void survivePrimarysSleep(Server server, Database shop) throws Exception {
    try (Connection replica = shop.connectRouted("replica")) {
      for (int i = 1; i <= SUSPENDS; i++) {
        int rows = 2 + i;
        shop.execute("INSERT INTO item VALUES (" + (100 + i) + ")");
        shop.suspend();
        Await.until(
            "what was committed before the suspend", BOUND, () -> items(replica).equals("" + rows));
        Await.until(
            "the end of the log is replayed",
            BOUND,
            () ->
                Standbys.running(server).stream()
                    .allMatch(r -> Standbys.number(r, "lagBytes") == 0));
      }
    }
    shop.wake();
  }

  private static void assertThatSumsAreTheSame(Server server, Database shop) throws Exception {
    String sums = shop.ask(SUMS);
    for (Map<?, ?> replica : Standbys.running(server)) {
      try (Connection admin = Standbys.connect(replica, shop)) {
        Standbys.awaitAllOf(shop, admin, BOUND);
        assertThat(Database.ask(admin, SUMS)).isEqualTo(sums);
      }
    }
  }

  /** As PostgreSQL itself checks tables and indexes. */
  private static void assertThatTheyAreSound(Server server, Database shop) throws Exception {
    try (Connection admin = shop.connectAsAdmin();
        Statement statement = admin.createStatement()) {
      statement.execute("CREATE EXTENSION IF NOT EXISTS amcheck");
    }
    List<Map<?, ?>> checked =
        Soak.ON ? Standbys.running(server) : Standbys.running(server).subList(0, 1);
    for (Map<?, ?> replica : checked) {
      try (Connection admin = Standbys.connect(replica, shop)) {
        Standbys.awaitAllOf(shop, admin, BOUND);
        Amcheck.assertSound("a replica", admin);
      }
    }
  }

  // ---------------------------------------------------------------- helpers

  /** A program that runs, and where it prints to. */
  private record Program(Process process, Path printed) {
    void awaitSuccess() throws Exception {
      assertThat(process.waitFor(BOUND.toSeconds() + LOAD_SECONDS, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).as(output()).isZero();
    }

    String output() throws IOException {
      return Files.readString(printed, StandardCharsets.ISO_8859_1);
    }
  }

  private Program pgbench(Database database, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of("pgbench"));
    command.addAll(List.of(arguments));
    Path output = Files.createTempFile(directory, "pgbench", ".log");
    var builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    Map<String, String> environment = builder.environment();
    environment.put("PGHOST", "127.0.0.1");
    environment.put("PGPORT", String.valueOf(database.server().port()));
    environment.put("PGDATABASE", database.name());
    environment.put("PGUSER", Database.OWNER);
    environment.put("PGPASSWORD", Database.PASSWORD);
    environment.put("LC_ALL", "C");
    return new Program(builder.start(), output);
  }
}
