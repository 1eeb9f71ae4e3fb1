package dev.ebb.gateway.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import dev.ebb.gateway.Await;
import dev.ebb.gateway.RawClient;
import dev.ebb.gateway.RealPostgres;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients that break the protocol in every state, on both ports, while others work on the same
 * connections. {@code -Debb.fuzz.seconds=N} goes on for longer, {@code -Debb.fuzz.seed=N} repeats,
 * {@code -Debb.fuzz.round=N} does only that round of it.
 */
final class ClientFuzzIT {
  private static final long SECONDS = Long.getLong("ebb.fuzz.seconds", 6);
  private static final long SEED = Long.getLong("ebb.fuzz.seed", System.nanoTime() & 0xffffff);
  private static final Long ONLY = Long.getLong("ebb.fuzz.round");
  private static final int AT_ONCE = 4;
  private static final long HEAP_BYTES = 100L << 20;

  /** Of which one may be to blame for what is noticed later. */
  private static final List<Long> LAST = new CopyOnWriteArrayList<>();

  @TempDir private static Path directory;
  private static Fuzzed fuzzed;

  @BeforeAll
  static void start() throws Exception {
    fuzzed = new Fuzzed(directory);
    try (var owner =
        RawClient.login(fuzzed.gateway.port, Fuzzed.ROLE, RealPostgres.PASSWORD, Fuzzed.DATABASE)) {
      owner.query("CREATE TABLE IF NOT EXISTS fuzz_in (a text)");
      owner.readUntilReady();
    }
  }

  @AfterAll
  static void stop() {
    fuzzed.close();
  }

  @Test
  void nobodyElseNoticesWhatBrokenClientsDo() throws Exception {
    System.out.println("ebb.fuzz.seed=" + SEED);
    List<String> wrong = new CopyOnWriteArrayList<>();
    var rounds = new AtomicLong();
    try (var log = new LogTrap(Level.WARN);
        var session = new Watcher("session", fuzzed.gateway.port, Fuzzed.ROLE);
        var pool = new Watcher("pool", fuzzed.gateway.poolPort, Fuzzed.ROLE)) {
      long heapBefore = heap();
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
      var attackers =
          java.util.stream.IntStream.range(0, ONLY == null ? AT_ONCE : 1)
              .mapToObj(i ->
                  Thread.ofVirtual()
                      .start(() -> {
                        while (wrong.isEmpty()
                            && System.nanoTime() < end
                            && session.failure() == null
                            && pool.failure() == null
                            && log.caught().isEmpty()
                            && (ONLY == null || rounds.get() == 0)) {
                          attack(ONLY == null ? rounds.getAndIncrement() : ONLY, wrong);
                          if (ONLY != null) {
                            rounds.set(1);
                          }
                        }
                      }))
              .toList();
      for (Thread attacker : attackers) {
        attacker.join();
      }
      System.out.printf(
          "%d rounds, %d and %d queries of watchers%n",
          rounds.get(), session.asked(), pool.asked());
      if (!log.caught().isEmpty() || session.failure() != null || pool.failure() != null) {
        System.out.println("rounds " + LAST + " came last");
      }
      assertThat(wrong).as("seed %d", SEED).isEmpty();
      Await.until(
          "the broken clients' connections to end",
          () -> fuzzed.gateway.gauge("ebb.gateway.connections") == 2 || session.failure() != null);
      long asked = pool.asked();
      System.gc();
      Await.until(
          "the watchers to go on", () -> pool.asked() > asked + 100 || pool.failure() != null);
      assertThat(session.failure()).as("seed %d", SEED).isNull();
      assertThat(pool.failure()).as("seed %d", SEED).isNull();
      assertThat(log.caught()).as("seed %d", SEED).isEmpty();
      assertThat(heap() - heapBefore).as("heap").isLessThan(HEAP_BYTES);
      assertThat(asked).isPositive();
      assertThat(backends()).isLessThanOrEqualTo(3);
    }
  }

  private static long backends() {
    return RealPostgres.shared()
        .number("SELECT count(*) FROM pg_stat_activity WHERE usename = '" + Fuzzed.ROLE + "'");
  }

  private static long heap() {
    System.gc();
    Runtime runtime = Runtime.getRuntime();
    return runtime.totalMemory() - runtime.freeMemory();
  }

  private static void attack(long round, List<String> wrong) {
    LAST.add(round);
    if (LAST.size() > 3 * AT_ONCE) {
      LAST.removeFirst();
    }
    try {
      String told = new Attack(SEED, round).run(fuzzed.gateway.port, fuzzed.gateway.poolPort);
      if (!told.isEmpty()) {
        wrong.add("round " + round + ": " + told);
      }
    } catch (Exception e) {
      wrong.add("round " + round + ": " + e);
    }
  }
}
