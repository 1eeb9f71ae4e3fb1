package dev.ebb.launcher.durability;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.durability.Claimant.Claim;
import dev.ebb.launcher.durability.Site.Compute;
import dev.ebb.walservice.broker.EmbeddedBroker;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two whole sites that know nothing of each other: they share the object store and Kafka, and
 * neither a bus nor a cluster. To each of them the other one is the zombie that a partition of the
 * network leaves behind, and nothing but the branch's head and the order of its log can fence it.
 */
@Timeout(300)
final class FenceIT {
  private static final Duration BOUND = Duration.ofMinutes(1);
  private static final int CLAIMANTS = 3;

  @TempDir private static Path directory;

  private static EmbeddedBroker broker;
  private static Site capturing;
  private static Site quiet;

  @BeforeAll
  static void start() throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    broker = new EmbeddedBroker(directory.resolve("kafka"), 0);
    broker.start();
    String shared =
        """
        store: {local: {dir: %s}}
        kafka: {bootstrapServers: "%s", replicationFactor: 1, minInsyncReplicas: 1}
        """
            .formatted(directory.resolve("store"), broker.bootstrapServers());
    capturing = new Site(directory.resolve("c"), "1s", shared);
    quiet = new Site(directory.resolve("q"), "10m", shared);
    // One after the other: the first one makes the database.
    capturing.start();
    quiet.start();
  }

  @AfterAll
  static void stop() {
    if (quiet != null) {
      quiet.close();
    }
    if (capturing != null) {
      capturing.close();
    }
    if (broker != null) {
      broker.close();
    }
  }

  /**
   * Its host is in full health, captures every second, and learns of the other from Kafka and the
   * store alone: usually before the new one has committed anything.
   */
  @Test
  void primaryThatRunsOnNeverAcknowledgesAfterAnotherTookOver() throws Exception {
    takeOver(capturing, quiet, false);
  }

  /**
   * Its host stands still meanwhile: what the old primary sends waits in the socket and is read
   * when the host goes on. (A capture that stood still would keep a lock of the local object
   * store.)
   */
  @Test
  void primaryWhoseHostStoodStillNeverAcknowledgesAfterAnotherTookOver() throws Exception {
    takeOver(quiet, capturing, true);
  }

  private static void takeOver(Site from, Site to, boolean standStill) throws Exception {
    try (Connection connection = from.connect()) {
      execute(connection, "DROP TABLE IF EXISTS claim");
      execute(connection, "CREATE TABLE claim (client int, number int)");
    }
    // One that only reads must learn of its end, too: it would answer with what is no longer true.
    await("end of the compute before the old one", () -> computeOf(to).isEmpty());
    await("old compute", () -> computeOf(from).isPresent());
    Compute old = computeOf(from).orElseThrow();
    ProcessHandle oldPostmaster = ProcessHandle.of(old.pid()).orElseThrow();
    List<Claimant> claimants = new ArrayList<>();
    for (int i = 0; i < CLAIMANTS; i++) {
      claimants.add(new Claimant(i, () -> Site.connectTo(old)));
    }
    claimants.add(new Claimant(CLAIMANTS, from::connect));
    await("acknowledged row", () -> claimants.stream().allMatch(one -> one.count() > 20));
    if (standStill) {
      signal("STOP", from.pid());
    }

    long tookOverAtNanos;
    boolean oldOneWasAlive;
    try (Connection fresh = to.connect()) {
      execute(fresh, "INSERT INTO claim VALUES (-1, 1)");
      tookOverAtNanos = System.nanoTime();
      oldOneWasAlive = oldPostmaster.isAlive();
      // More of them, who all come after the end: one statement each.
      for (int i = 1; i <= 2 * CLAIMANTS; i++) {
        claimants.add(new Claimant(CLAIMANTS + i, () -> Site.connectTo(old)));
      }
      pause(500);
      execute(fresh, "INSERT INTO claim VALUES (-1, 2)");
      if (standStill) {
        assertThat(oldPostmaster.isAlive())
            .as("the old postmaster before its host goes on")
            .isTrue();
        signal("CONT", from.pid());
      }
      await("end of the old postmaster", () -> !oldPostmaster.isAlive());
      execute(fresh, "INSERT INTO claim VALUES (-1, 3)");
    } finally {
      signal("CONT", from.pid());
    }

    List<Claim> claims = new ArrayList<>();
    for (Claimant claimant : claimants) {
      claims.addAll(claimant.claims(BOUND.toMillis()));
    }
    Set<String> there = rows(to);
    long late = claims.stream().filter(claim -> claim.begunAtNanos() > tookOverAtNanos).count();
    System.out.printf(
        "FenceIT: %d statements to the old primary, %d of them after the new one's first commit;"
            + " old postmaster alive then: %s; connections ended with: %s%n",
        claims.size(),
        late,
        oldOneWasAlive,
        claimants.stream().map(Claimant::end).distinct().toList());
    assertThat(claims.stream().filter(Claim::acknowledged).map(FenceIT::row))
        .as("acknowledged by the old primary, looked for in the new one")
        .isNotEmpty()
        .allMatch(there::contains);
    assertThat(claims.stream().filter(claim -> claim.begunAtNanos() > tookOverAtNanos))
        .as("begun on the old primary after the new one's first commit")
        .noneMatch(Claim::acknowledged)
        .noneMatch(claim -> there.contains(row(claim)));
    if (standStill) {
      assertThat(oldOneWasAlive).as("both alive").isTrue();
      assertThat(late).as("statements that came too late").isPositive();
    }
    assertThat(there).contains("-1 1", "-1 2", "-1 3");
    await("new compute", () -> computeOf(to).isPresent());
    assertThat(computeOf(to).orElseThrow().generation()).isGreaterThan(old.generation());
  }

  private static String row(Claim claim) {
    return claim.client() + " " + claim.number();
  }

  /** The rows, each of them once. */
  private static Set<String> rows(Site site) throws SQLException {
    var rows = new HashSet<String>();
    try (Connection connection = site.connect();
        Statement statement = connection.createStatement();
        ResultSet found = statement.executeQuery("SELECT client, number FROM claim")) {
      while (found.next()) {
        String row = found.getInt(1) + " " + found.getInt(2);
        assertThat(rows.add(row)).as("row " + row + " is there once").isTrue();
      }
    }
    return rows;
  }

  private static Optional<Compute> computeOf(Site site) {
    try {
      return site.compute();
    } catch (Exception e) { // the API is asked again
      return Optional.empty();
    }
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static void signal(String signal, long pid) throws Exception {
    int status = new ProcessBuilder("kill", "-" + signal, String.valueOf(pid)).start().waitFor();
    assertThat(status).as("kill -" + signal).isZero();
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("no " + what + " within " + BOUND);
      }
      pause(10);
    }
  }

  private static void pause(long ms) {
    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(ms));
  }
}
