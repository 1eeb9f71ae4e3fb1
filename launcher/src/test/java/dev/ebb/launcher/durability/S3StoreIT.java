package dev.ebb.launcher.durability;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.store.FaultyProxy;
import dev.ebb.shared.store.FaultyProxy.Fault;
import dev.ebb.shared.store.FaultyProxy.Seen;
import dev.ebb.shared.store.S3Config;
import dev.ebb.shared.store.S3TestServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A whole server whose store is S3, far away and unreliable.
 *
 * <p>{@code -Debb.seed=N} repeats the plan of faults, {@code -Debb.soak=true} goes on for longer.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Timeout(value = 30, unit = TimeUnit.MINUTES)
final class S3StoreIT {
  private static final long DELAY_MS = 50;
  private static final Duration BOUND = Duration.ofMinutes(1);

  /** The catalog's record, the head, the head's compare-and-set; and one to spare. */
  private static final int CHAIN_OF_A_PREPARED_WAKE = 4;

  /** Besides the manifest, and in parallel to the compare-and-set the boot pack. */
  private static final int CHAIN_OF_A_WAKE = 5;

  private static final S3TestServer server = new S3TestServer();

  @TempDir private static Path directory;

  private final long seed = Long.getLong("ebb.seed", System.nanoTime() & 0xffffff);
  private static final FaultyProxy proxy = new FaultyProxy(server.endpoint());
  private static Site site;

  @BeforeAll
  static void start() throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    S3Config bucket = server.newBucket();
    site =
        new Site(
            directory.resolve("s"),
            "2s",
            """
            store:
              s3:
                endpoint: %s
                bucket: %s
                prefix: %s
                ioTimeout: 1s
            """
                .formatted(proxy.endpoint(), bucket.bucket(), bucket.prefix()));
    site.start();
  }

  @AfterEach
  void heal() {
    proxy.plan((method, path) -> Fault.NONE);
    proxy.delayMs(0);
  }

  @AfterAll
  static void stop() {
    site.close();
    proxy.close();
    server.close();
  }

  @Test
  @Order(1) // what the other one leaves behind makes a boot pack overflow
  void wakeAsksTheFarStoreForLittleOneAfterTheOther() throws Exception {
    try (Connection connection = site.connect();
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE TABLE item AS SELECT i FROM generate_series(1, 10000) i");
    }
    proxy.delayMs(DELAY_MS);
    for (int round = 0; round < 3; round++) {
      site.suspend();
      quiet();
      int chain = chainOfAWake("prepared wake " + round);
      // The first wake may still fetch pages that no wake before it needed: they come next time.
      if (round > 0) {
        assertThat(chain).isLessThanOrEqualTo(CHAIN_OF_A_PREPARED_WAKE);
      }
    }
    site.close();
    site.start();
    quiet();
    assertThat(chainOfAWake("wake after a restart")).isLessThanOrEqualTo(CHAIN_OF_A_WAKE);
  }

  private static int chainOfAWake(String what) throws Exception {
    proxy.forget();
    long begin = System.nanoTime();
    try (Connection connection = site.connect();
        Statement statement = connection.createStatement()) {
      statement.execute("SELECT 1");
      long took = System.nanoTime() - begin;
      List<Seen> seen = onThePath(proxy.seen());
      int chain = FaultyProxy.longestChain(seen);
      say(
          "%s: %d ms, %d requests, %d one after the other"
              .formatted(what, TimeUnit.NANOSECONDS.toMillis(took), seen.size(), chain));
      for (Seen request : seen) {
        say(
            "  %s %s %d..%d ms"
                .formatted(
                    request.method(),
                    request.path(),
                    TimeUnit.NANOSECONDS.toMillis(request.beganNanos() - begin),
                    TimeUnit.NANOSECONDS.toMillis(request.endedNanos() - begin)));
      }
      return chain;
    }
  }

  /** Without the walk over the catalog for a running compute's name, which nobody waits for. */
  private static List<Seen> onThePath(List<Seen> requests) {
    var path = new ArrayList<Seen>();
    boolean resolved = false;
    for (Seen request : requests) {
      boolean catalog = request.path().contains("catalog");
      if (!catalog || !resolved) {
        path.add(request);
      }
      resolved |= catalog;
    }
    return path;
  }

  /** Until nothing has been asked of the store for a while. */
  private static void quiet() {
    var size = new int[] {-1};
    await(
        "quiet store",
        () -> {
          int before = size[0];
          size[0] = proxy.seen().size();
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(4 * DELAY_MS));
          return before == proxy.seen().size();
        });
  }

  @Test
  void nothingAcknowledgedIsLostOverAStoreThatFails() throws Exception {
    say("seed " + seed + " (-Debb.seed=" + seed + " repeats its plan of faults)");
    var random = new Random(seed);
    var load =
        new Load(
            site,
            List.of(
                new RowWriter(1, 1, false, random.nextLong()),
                new RowWriter(2, 20, false, random.nextLong()),
                new TransferWriter(1, random.nextLong())));
    load.prepare();
    proxy.delayMs(DELAY_MS / 5);
    proxy.plan(
        FaultyProxy.random(
            seed,
            15,
            Fault.DROP_BEFORE,
            Fault.DROP_AFTER,
            Fault.DROP_AFTER,
            Fault.TRUNCATE,
            Fault.SLOW_DOWN,
            Fault.HANG_AFTER));
    int rounds = Boolean.getBoolean("ebb.soak") ? 20 : 1;
    for (int round = 0; round < rounds; round++) {
      writeSome(load, random);
      load.stop();
      site.suspend();
      check(load, "suspend and wake");
      writeSome(load, random);
      site.kill();
      site.start();
      load.stop();
      check(load, "kill -9");
    }
    site.suspend();
    check(load, "the last suspend");
    say(
        "%d writes acknowledged, %d requests, %d of them with a fault"
            .formatted(
                load.acknowledged(),
                proxy.seen().size(),
                proxy.seen().stream().filter(request -> request.fault() != Fault.NONE).count()));
  }

  private static void writeSome(Load load, Random random) {
    int before = load.acknowledged();
    load.start();
    await("acknowledged writes", () -> load.acknowledged() >= before + 50);
    // Captures come about every 2 s: the moment that follows is somewhere in or between them.
    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(2_500)));
  }

  private static void check(Load load, String after) throws Exception {
    try (Connection connection = load.connect()) {
      int inDoubt = load.verify(connection);
      say("after %s: %d acknowledged, %d in doubt".formatted(after, load.acknowledged(), inDoubt));
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("no " + what + " within " + BOUND);
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(2));
    }
  }

  private static void say(String line) {
    System.out.println("S3StoreIT: " + line);
  }
}
