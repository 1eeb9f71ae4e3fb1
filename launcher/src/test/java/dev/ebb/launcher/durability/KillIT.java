package dev.ebb.launcher.durability;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.durability.Strike.Moment;
import dev.ebb.launcher.durability.Strike.Victim;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGKILL to the postmaster and to the whole {@code ebb}, in turn, under a load of inserts,
 * transactions, updates and table rewrites, with a capture about every second: under load, in the
 * middle of a capture, of a suspend, of the recovery from the kill before. Afterwards every
 * acknowledged write is there, once, and {@code amcheck} finds nothing.
 *
 * <p>{@code -Debb.seed=N} repeats the order of kills and the delays; threads and processes run as
 * they like. {@code -Debb.soak=true} kills ten times as often.
 */
@Timeout(value = 60, unit = TimeUnit.MINUTES)
final class KillIT {
  private static final int SOAK_DECKS = 10;
  private static final Duration BOUND = Duration.ofMinutes(1);
  private static final int KILLS_OF_A_DECK = 20;
  private static final int WARM_WRITES = 20;
  private static final String CAPTURED = "snapshot at redo";

  /** Rows that say what is wrong: none where nothing is. */
  static final String AMCHECK =
      """
      SET client_min_messages = warning;
      CREATE EXTENSION IF NOT EXISTS amcheck;
      SELECT c.oid::regclass, found.*
      FROM pg_class c, LATERAL verify_heapam(c.oid) found
      WHERE c.relkind IN ('r', 't', 'm') AND c.relpersistence = 'p';
      SELECT bt_index_check(i.indexrelid, true)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
      WHERE a.amname = 'btree' AND i.indisvalid AND c.relpersistence = 'p';
      """;

  @TempDir private Path directory;

  private final long seed = Long.getLong("ebb.seed", System.nanoTime() & 0xffffff);
  private final Random random = new Random(seed);
  private int kills;
  private int killsInCapture;
  private int killsBehindCapture;

  @Test
  void everyAcknowledgedWriteIsThereOnceAfterEveryKill() throws Exception {
    say("seed " + seed + " (-Debb.seed=" + seed + " repeats it)");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    // WAL leaves Kafka soon, so that recoveries read what was trimmed around.
    try (var site =
        new Site(directory.resolve("s"), "1s", "wal: {archiveWal: 2MB, archiveAge: 3s}")) {
      site.start();
      var load = new Load(site, writers());
      load.prepare();
      try {
        int decks = Boolean.getBoolean("ebb.soak") ? SOAK_DECKS : 1;
        for (int deck = 0; deck < decks; deck++) {
          for (Strike strike : Strike.twentyKills(random)) {
            round(site, load, strike);
          }
          // A suspend may have ended the postmaster before its kill did.
          while (kills < (deck + 1) * KILLS_OF_A_DECK) {
            round(site, load, new Strike(Victim.POSTMASTER, Moment.UNDER_LOAD));
          }
        }
        // What the last kill left is suspended, and read once more from the store alone.
        site.suspend();
        check(site, load, "a clean suspend");
      } catch (Exception | AssertionError e) {
        throw new AssertionError("seed " + seed + ", kill " + kills + ": " + e.getMessage(), e);
      }
      say(
          "%d kills, %d of them in a capture, %d behind one; %d writes acknowledged; %d captures; %d archived"
              .formatted(
                  kills,
                  killsInCapture,
                  killsBehindCapture,
                  load.acknowledged(),
                  site.countInLog(CAPTURED),
                  site.archiveObjects()));
      assertThat(site.archiveObjects()).as("archived parts of the log").isPositive();
      assertThat(load.leastAcknowledged()).as("writes of the slowest writer").isPositive();
      assertThat(killsInCapture).as("kills in a capture").isPositive();
      assertThat(killsBehindCapture).as("kills behind a capture").isPositive();
    }
  }

  private List<Writer> writers() {
    return List.of(
        new RowWriter(1, 1, false, random.nextLong()),
        new RowWriter(2, 1, false, random.nextLong()),
        new RowWriter(3, 20, false, random.nextLong()),
        new RowWriter(4, 1, true, random.nextLong()),
        new TransferWriter(1, random.nextLong()),
        new TransferWriter(2, random.nextLong()),
        new TableWriter(1, random.nextLong()),
        new TableWriter(2, random.nextLong()),
        new TwoPhaseWriter(1, random.nextLong()),
        new TwoPhaseWriter(2, random.nextLong()));
  }

  private void round(Site site, Load load, Strike strike) throws Exception {
    int before = load.acknowledged();
    load.start();
    await("acknowledged write", () -> load.acknowledged() >= before + WARM_WRITES);
    pause(random.nextInt(1_000));
    switch (strike.moment()) {
      case UNDER_LOAD -> kill(site, strike.victim());
      case IN_CAPTURE -> {
        long captures = site.countInLog(CAPTURED);
        FileTime control = controlFile(site);
        // A running compute checkpoints for a capture only: the blocks are read next.
        await("capture", () -> !controlFile(site).equals(control));
        pause(random.nextInt(30));
        kill(site, strike.victim());
        killsInCapture += site.countInLog(CAPTURED) == captures ? 1 : 0;
      }
      case BEHIND_CAPTURE -> {
        long captures = site.countInLog(CAPTURED);
        await("snapshot of the running compute", () -> hasMoreCaptures(site, captures));
        pause(random.nextInt(500));
        kill(site, strike.victim());
        killsBehindCapture++;
      }
      case IN_SUSPEND -> {
        Thread suspend = Thread.ofVirtual().name("suspend").start(() -> suspend(site));
        pause(random.nextInt(400));
        kill(site, strike.victim());
        suspend.join();
      }
      case IN_RECOVERY -> {
        // Backends outlive their postmaster for a moment and look like one.
        List<ProcessHandle> old = site.postgres();
        kill(site, strike.victim());
        revive(site, strike.victim());
        // The load's own connections wake it: somewhere from fetching the log to the first commits.
        await("new postmaster", () -> !old.containsAll(site.postmasters()));
        pause(random.nextInt(150));
        kill(site, strike.victim());
      }
    }
    revive(site, strike.victim());
    if (random.nextBoolean()) {
      // Half of the time the load goes on over the recovery.
      pause(random.nextInt(500));
    }
    load.stop();
    check(site, load, strike.toString());
  }

  /** Ends what is to be killed, by its process id, and waits until it is gone. */
  private void kill(Site site, Victim victim) throws Exception {
    List<ProcessHandle> postmasters = site.postmasters();
    switch (victim) {
      case POSTMASTER -> postmasters.forEach(ProcessHandle::destroyForcibly);
      case EBB -> site.kill();
    }
    kills += victim == Victim.EBB ? 1 : Math.min(1, postmasters.size());
    // Also where only its ebb was killed: a postmaster without one must not go on.
    await("end of the postmaster", () -> postmasters.stream().noneMatch(ProcessHandle::isAlive));
  }

  private static void revive(Site site, Victim victim) throws Exception {
    if (victim == Victim.EBB) {
      site.start();
    }
  }

  private static void suspend(Site site) {
    try {
      site.suspend();
    } catch (ApiException e) {
      // What it has to do with is killed under its feet.
    }
  }

  private void check(Site site, Load load, String after) throws Exception {
    long begin = System.nanoTime();
    try (Connection connection = load.connect()) {
      long answered = System.nanoTime();
      int inDoubt = load.verify(connection);
      assertThat(site.asSuperuser(AMCHECK)).as("what amcheck finds").isBlank();
      say(
          "kill %d, %s: first answer after %d ms; %d acknowledged, %d in doubt; looked %d ms"
              .formatted(
                  kills,
                  after,
                  TimeUnit.NANOSECONDS.toMillis(answered - begin),
                  load.acknowledged(),
                  inDoubt,
                  TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - answered)));
    }
  }

  /** Reads the whole log, so not as often as the rest is looked at. */
  private static boolean hasMoreCaptures(Site site, long than) {
    pause(50);
    try {
      return site.countInLog(CAPTURED) > than;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** When the running compute's control file was last written. */
  private static FileTime controlFile(Site site) {
    try (Stream<Path> computes = Files.list(site.cache().resolve("computes"))) {
      // Others are laid out for branches that sleep.
      for (Path data : computes.map(found -> found.resolve("data")).toList()) {
        if (Files.exists(data.resolve("postmaster.pid"))) {
          return Files.getLastModifiedTime(data.resolve("global/pg_control"));
        }
      }
      throw new AssertionError("no compute is running");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("no " + what + " within " + BOUND);
      }
      pause(1);
    }
  }

  /** The moment of a kill is what the test is about: here a delay is not a wait for something. */
  private static void pause(long ms) {
    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(ms));
  }

  private static void say(String line) {
    System.out.println("KillIT: " + line);
  }
}
