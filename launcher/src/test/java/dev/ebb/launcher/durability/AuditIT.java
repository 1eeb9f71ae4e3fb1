package dev.ebb.launcher.durability;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The audit of captures: it raises no alarm where all is well, and finds what is not. */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
final class AuditIT {
  private static final Duration BOUND = Duration.ofMinutes(1);

  /** For how long there is work; longer where captures are slow to come. */
  private static final Duration LEAST =
      Duration.ofSeconds(Boolean.getBoolean("ebb.soak") ? 600 : 12);

  private static final int ENOUGH = 5;
  private static final String CAPTURED = "snapshot at redo";
  private static final String FAILED = "captures of the branch that failed";

  @TempDir private Path directory;
  private volatile boolean capturedOften;
  private volatile long lookAgainNanos = System.nanoTime();

  @BeforeEach
  void letPostgresIn() throws IOException {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
  }

  @Test
  void everyKindOfWorkLeavesNothingBehindInCaptures() throws Exception {
    try (var site = new Site(directory.resolve("s"), "1s", "")) {
      site.start();
      long least = System.nanoTime() + LEAST.toNanos();
      long most = least + BOUND.toNanos();
      BooleanSupplier over =
          () -> {
            long now = System.nanoTime();
            return now >= least && (now >= most || isCapturedOften(site));
          };
      var workers = new ArrayList<CompletableFuture<Integer>>();
      for (int i = 0; i < 3; i++) {
        var work = new Workload(site, i);
        workers.add(
            CompletableFuture.supplyAsync(
                () -> work.repeat(over), task -> Thread.ofPlatform().start(task)));
      }
      int rounds = 0;
      for (CompletableFuture<Integer> worker : workers) {
        rounds += worker.get();
      }
      long captures = site.countInLog(CAPTURED);
      System.out.println("[AuditIT] " + rounds + " rounds, " + captures + " captures");
      assertThat(captures).as("captures; %s", site.inLog("branch ")).isGreaterThan(ENOUGH);
      assertThat(site.inLog("not in the snapshot yet")).as("captures that waited").isEmpty();
      assertThat(site.countInLog("without a mark")).as("unmarked pages").isZero();
      assertThat(site.countInLog("did not reach")).as("captures given up").isZero();
      assertThat(site.countInLog("capture of branch")).as(FAILED).isZero();
      site.postmasters().forEach(ProcessHandle::destroyForcibly);
      try (Connection connection = new Load(site, List.of()).connect()) {
        assertThat(connection.isValid(10)).isTrue();
      }
      assertThat(site.asSuperuser(KillIT.AMCHECK)).as("what amcheck finds").isBlank();
    }
  }

  @Test
  void pageThatWasWrittenWithoutAMarkIsFoundAndCaptured() throws Exception {
    Path forget = directory.resolve("forget");
    try (var site =
        new Site(directory.resolve("s"), "1s", "", Map.of("EBB_TEST_FORGET", forget.toString()))) {
      site.start();
      try (Connection connection = site.connect();
          Statement statement = connection.createStatement()) {
        statement.execute("CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i");
        awaitCapture(site);
        String file = ask(statement, "SELECT pg_relation_filenode('t')");
        Files.writeString(forget, file);
        Files.setPosixFilePermissions(forget, PosixFilePermissions.fromString("rw-r--r--"));
        statement.execute("UPDATE t SET i = i + 1000");
        await("the audit to find the page", () -> count(site, "without a mark") > 0);
        awaitCapture(site);
      }
      Files.delete(forget);
      site.postmasters().forEach(ProcessHandle::destroyForcibly);
      try (Connection connection = new Load(site, List.of()).connect();
          Statement statement = connection.createStatement()) {
        assertThat(ask(statement, "SELECT sum(i) FROM t")).isEqualTo("105050");
      }
    }
  }

  /** Reads the whole log, so not as often as it is asked. */
  private boolean isCapturedOften(Site site) {
    long now = System.nanoTime();
    if (now >= lookAgainNanos) {
      lookAgainNanos = now + TimeUnit.MILLISECONDS.toNanos(500);
      capturedOften = count(site, CAPTURED) > ENOUGH;
    }
    return capturedOften;
  }

  private static String ask(Statement statement, String query) throws SQLException {
    try (var rows = statement.executeQuery(query)) {
      rows.next();
      return rows.getString(1);
    }
  }

  /** One that began after the call. */
  private static void awaitCapture(Site site) {
    long before = count(site, CAPTURED);
    await(
        "two more captures",
        () -> {
          try (Connection connection = site.connect();
              Statement statement = connection.createStatement()) {
            statement.execute("SELECT pg_logical_emit_message(true, 'test', '')");
          } catch (SQLException e) {
            throw new AssertionError(e);
          }
          return count(site, CAPTURED) >= before + 2;
        });
  }

  private static long count(Site site, String text) {
    try {
      return site.countInLog(text);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
    }
  }
}
