package dev.ebb.gateway.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import dev.ebb.gateway.Await;
import dev.ebb.gateway.FakeComputes;
import dev.ebb.gateway.RawClient;
import dev.ebb.gateway.RealPostgres;
import dev.ebb.gateway.Wire;
import io.vertx.core.Future;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Computes that answer nonsense, at login and later: the client who asked may get it, an error or
 * the end of its connection, and all others their answers, over other connections. Properties as
 * those of {@link ClientFuzzIT}.
 */
final class BackendFuzzIT {
  private static final long SECONDS = Long.getLong("ebb.fuzz.seconds", 4);
  private static final long SEED = Long.getLong("ebb.fuzz.seed", System.nanoTime() & 0xffffff);
  private static final int ASKERS = 3;
  private static final int LOOK_MS = 30;
  private static final int LOGIN_MS = 20_000;

  @TempDir private static Path directory;
  private static Fuzzed fuzzed;
  private static NonsensePostgres nonsense;

  @BeforeAll
  static void start() throws IOException {
    fuzzed = new Fuzzed(directory);
    nonsense = new NonsensePostgres(RealPostgres.shared().port(), SEED);
    fuzzed.gateway.computes.onWake =
        n -> Future.succeededFuture(FakeComputes.ready(nonsense.port()));
  }

  @AfterAll
  static void stop() throws IOException {
    fuzzed.close();
    nonsense.close();
  }

  @Test
  void nobodyElseNoticesWhatBrokenComputesSay() throws Exception {
    System.out.println("ebb.fuzz.seed=" + SEED);
    List<String> wrong = new CopyOnWriteArrayList<>();
    var asked = new AtomicLong();
    var logins = new AtomicLong();
    try (var log = new LogTrap(Level.ERROR);
        var session = new Watcher("session", fuzzed.gateway.port, Fuzzed.ROLE);
        var pool = new Watcher("pool", fuzzed.gateway.poolPort, Fuzzed.ROLE);
        var neighbour = new Watcher("neighbour", fuzzed.gateway.poolPort, Fuzzed.VICTIM)) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
      var watchers = List.of(session, pool, neighbour);
      BooleanSupplier goesOn =
          () ->
              System.nanoTime() < end
                  && wrong.isEmpty()
                  && watchers.stream().allMatch(each -> each.failure() == null);
      var attackers = new ArrayList<Thread>();
      for (int i = 0; i < ASKERS; i++) {
        attackers.add(start(goesOn, wrong, () -> ask(asked.incrementAndGet(), wrong)));
      }
      attackers.add(start(goesOn, wrong, () -> logIn(logins.incrementAndGet(), wrong)));
      for (Thread attacker : attackers) {
        attacker.join();
      }
      System.out.printf(
          "%d questions, %d logins; watchers %d, %d, %d%n",
          asked.get(), logins.get(), session.asked(), pool.asked(), neighbour.asked());
      assertThat(wrong).as("seed %d", SEED).isEmpty();
      for (Watcher each : watchers) {
        long before = each.asked();
        Await.until("it to go on", () -> each.asked() > before + 20 || each.failure() != null);
        assertThat(each.failure()).as("seed %d", SEED).isNull();
      }
      System.gc();
      // That a compute does not hold what it should is told to the operator, with all there is.
      assertThat(log.caught())
          .as("seed %d", SEED)
          .allMatch(each -> each.contains("EbbException$Corrupt"));
      assertThat(nonsense.reused()).as("asked after nonsense; seed %d", SEED).isEmpty();
    }
    Await.until(
        "all connections to end", () -> fuzzed.gateway.gauge("ebb.gateway.connections") == 0);
  }

  /** What may fail in any way. */
  @FunctionalInterface
  private interface Step {
    void run() throws Exception;
  }

  private static Thread start(BooleanSupplier goesOn, List<String> wrong, Step step) {
    return Thread.ofVirtual()
        .start(() -> {
          try {
            while (goesOn.getAsBoolean()) {
              step.run();
            }
          } catch (Exception e) {
            wrong.add(e.toString());
          }
        });
  }

  /** Asks for nonsense; whatever comes, it is not of another client. */
  private static void ask(long number, List<String> wrong) throws Exception {
    var random = new Random(SEED * 31 + number);
    random.nextInt();
    var token = new Token(number);
    int port = random.nextInt(4) == 0 ? fuzzed.gateway.port : fuzzed.gateway.poolPort;
    var wire = new Wire();
    String sql = "SELECT '" + token + "' /* " + NonsensePostgres.MARK + " */";
    switch (random.nextInt(4)) {
      case 0 -> wire.query(sql);
      case 1 -> wire.query(sql + " FROM generate_series(1, 5); SELECT 1/0");
      case 2 -> wire.parse("x", sql).bind("", "x", null).describe('P', "").execute("", 0).sync();
      default -> wire.query("COPY (" + sql + ") TO STDOUT");
    }
    try (var client =
        RawClient.login(port, Fuzzed.VICTIM, RealPostgres.PASSWORD, Fuzzed.DATABASE)) {
      client.send(wire.bytes());
      client.patience(LOOK_MS);
      var heard = new StringBuilder();
      try {
        byte[] some;
        while (heard.indexOf("Z\0\0\0\5I") < 0 && (some = client.readSome()) != null) {
          heard.append(new String(some, StandardCharsets.ISO_8859_1));
        }
      } catch (SocketTimeoutException e) {
        // It waits for what will not come.
      }
      token
          .foreignIn(heard.toString())
          .ifPresent(foreign -> wrong.add(token + " was told of " + foreign));
      if (heard.indexOf("internal error in the gateway") >= 0) {
        wrong.add(token + ": an internal error");
      }
    }
  }

  /** Logs in to a compute that may not keep to the protocol: that works, or fails in time. */
  private static void logIn(long number, List<String> wrong) throws Exception {
    int port = number % 2 == 0 ? fuzzed.gateway.port : fuzzed.gateway.poolPort;
    try (var client = RawClient.connect(port)) {
      client.patience(LOGIN_MS);
      client.startup(Fuzzed.HOPEFUL, Fuzzed.DATABASE);
      client.authenticate(RealPostgres.PASSWORD);
      String told = client.readUntilReady();
      if (told.contains("internal error in the gateway")) {
        wrong.add("login " + number + ": " + told);
      }
    } catch (SocketTimeoutException e) {
      wrong.add("login " + number + " hangs");
    } catch (IOException e) {
      // It was refused.
    }
  }
}
