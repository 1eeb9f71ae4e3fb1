package dev.ebb.walservice;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.walservice.broker.EmbeddedBroker;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Commit latency through the log beside that of the same PostgreSQL with {@code fsync=on},
 * alternating. Not a test: run by name, {@code -Dit.test=CommitLatencyBench}. Needs pgbench.
 */
class CommitLatencyBench {
  private static final int ROUNDS = Integer.getInteger("ebb.bench.rounds", 3);
  private static final int SECONDS = Integer.getInteger("ebb.bench.seconds", 6);

  /** PostgreSQL's own default: with short ones the bare server pays for making segments. */
  private static final int SEGMENT_MB = 16;

  @TempDir Path dir;

  @Test
  void measure() throws Exception {
    var meters = new SimpleMeterRegistry();
    try (var broker = new EmbeddedBroker(dir.resolve("kafka"), 0);
        var bare = new TestPostgres(SEGMENT_MB);
        var shipped = new TestPostgres(SEGMENT_MB)) {
      broker.start();
      Vertx vertx = Vertx.vertx();
      var config = WalServiceConfig.embedded(broker, dir.resolve("spool"));
      get(vertx.deployVerticle(new WalService(config, meters)));
      bare.start("", "fsync=on", "full_page_writes=on");
      ship(new Bus(vertx), shipped);
      for (TestPostgres postgres : List.of(bare, shipped)) {
        pgbench(postgres, "-i", "-s", "10", "-q");
      }
      System.out.println("bench pid " + ProcessHandle.current().pid());
      System.out.println("clients | bare ms | ebb ms | ratio");
      for (int clients : new int[] {1, 8, 32}) {
        List<Double> bareMs = new ArrayList<>();
        List<Double> ebbMs = new ArrayList<>();
        for (int round = 0; round < ROUNDS; round++) {
          bareMs.add(run(bare, clients));
          ebbMs.add(run(shipped, clients));
        }
        double a = median(bareMs);
        double b = median(ebbMs);
        System.out.printf(
            "%7d | %.3f | %.3f | %.2f   %s %s%n", clients, a, b, b / a, bareMs, ebbMs);
        System.out.println(meters.get("ebb.wal.append").timer().takeSnapshot());
      }
      get(vertx.close());
    }
  }

  private static void ship(Bus bus, TestPostgres postgres) {
    BranchId branch = BranchId.random();
    postgres.start("");
    long system = postgres.systemIdentifier();
    Lsn end = Lsn.parse(postgres.query("select pg_current_wal_flush_lsn()"));
    get(bus.request(Addresses.WAL, new WalMessage.CreateLog(branch), 30_000));
    // Not a shutdown's end: nothing here is ever recovered, so that only the chain's check is lost.
    WalMessage.LogOpened opened =
        get(
            bus.request(
                Addresses.WAL,
                new WalMessage.OpenLog(
                    branch, new Generation(1), Lsn.INVALID, end, true, SEGMENT_MB << 20, -1),
                30_000));
    postgres.stopFast();
    postgres.start("ebb_bench", "max_wal_size=2GB");
    get(
        bus.request(
            opened.address(),
            new WalMessage.StartReceiver(
                branch,
                new Generation(1),
                end,
                system,
                "127.0.0.1",
                postgres.port(),
                "postgres",
                new Secret("x"),
                new Secret("ebb_bench")),
            30_000));
    postgres.query("create table warm (id int)");
  }

  private static double run(TestPostgres postgres, int clients) throws Exception {
    String output =
        pgbench(
            postgres,
            "-n",
            "-M",
            "prepared",
            "-T",
            Integer.toString(SECONDS),
            "-c",
            Integer.toString(clients),
            "-j",
            "1");
    for (String line : output.lines().toList()) {
      if (line.startsWith("latency average")) {
        return Double.parseDouble(line.replaceAll("[^0-9.]", ""));
      }
    }
    throw new IllegalStateException(output);
  }

  private static String pgbench(TestPostgres postgres, String... arguments) throws Exception {
    var command = new ArrayList<>(List.of("pgbench", "-h", "127.0.0.1", "-U", "postgres"));
    command.addAll(List.of("-p", Integer.toString(postgres.port())));
    command.addAll(List.of(arguments));
    command.add("postgres");
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IllegalStateException(output);
    }
    return output;
  }

  private static double median(List<Double> values) {
    return values.stream().sorted().toList().get(values.size() / 2);
  }

  private static <T> T get(io.vertx.core.Future<T> future) {
    try {
      return future.toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException
        | java.util.concurrent.TimeoutException
        | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
