package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.config.Quantities;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb bench branch}. */
@Command(
    name = "branch",
    description =
        "Measure the creation of a branch until its first row, of a suspended and of a busy"
            + " parent, beside the wake of the same database.",
    footer = {
      "",
      "Makes a database for each size, and drops it at the end.",
      "Example: ./ebb bench branch --size 10MB,1GB --rounds 20"
    })
final class BranchBench implements Callable<Integer> {
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
  private static final String QUERY = "SELECT payload FROM filler WHERE id = 1";
  private static final int ROW_BYTES = 1_000;
  private static final int ROWS_AT_ONCE = 50_000;

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private ServerOptions options = new ServerOptions();

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "20",
      description = "How often (default: ${DEFAULT-VALUE}).")
  private int rounds = 20;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "3",
      description = "Rounds before those that count (default: ${DEFAULT-VALUE}).")
  private int warmup = 3;

  @Option(
      names = "--size",
      paramLabel = "SIZE",
      split = ",",
      defaultValue = "10MB",
      description = "How much the parent holds; several with commas (default: ${DEFAULT-VALUE}).")
  private List<String> sizes = List.of("10MB");

  @Option(
      names = "--clients",
      paramLabel = "N",
      defaultValue = "4",
      description = "Sessions that write to a busy parent (default: ${DEFAULT-VALUE}).")
  private int clients = 4;

  private int branches;

  @Override
  public Integer call() throws Exception {
    if (rounds < 1 || warmup < 0 || clients < 1) {
      throw new ParameterException(
          spec.commandLine(), "--rounds and --clients are at least 1, --warmup 0");
    }
    List<Long> bytes = sizes.stream().map(this::bytes).toList();
    return BenchRun.run(
        spec,
        options.json(),
        cleanup -> {
          var report = new BranchReport(rounds, warmup, clients, new ArrayList<>());
          BenchServer server = options.server();
          for (int i = 0; i < bytes.size(); i++) {
            report.sizes().add(measure(server, sizes.get(i), bytes.get(i), cleanup));
          }
          return report;
        });
  }

  private long bytes(String size) {
    return Quantities.parseBytes(size)
        .orElseThrow(() ->
            new ParameterException(
                spec.commandLine(), "--size: \"" + size + "\" is no size, such as 10MB or 1GB"));
  }

  private BranchReport.Size measure(BenchServer server, String label, long bytes, Cleanup cleanup)
      throws ApiException {
    Target parent = server.createDatabase(cleanup);
    fill(parent, bytes);
    server.suspend(parent);
    BenchServer.Stored stored = server.stored(parent);
    var wake = new Samples();
    var suspended = new BranchReport.Times();
    var busy = new BranchReport.Times();
    progress(label + ": branches of a suspended parent");
    for (int round = -warmup; round < rounds; round++) {
      server.suspend(parent);
      rest();
      branch(server, parent, round >= 0 ? suspended : new BranchReport.Times());
      rest();
      long nanos = parent.firstRowNanos(QUERY);
      if (round >= 0) {
        wake.addNanos(nanos);
      }
    }
    progress(label + ": branches of a busy parent");
    long written;
    try (var load = new BranchLoad(parent, clients)) {
      for (int round = -warmup; round < rounds; round++) {
        rest();
        branch(server, parent, round >= 0 ? busy : new BranchReport.Times());
      }
      written = load.transactionsPerSecond();
    }
    return new BranchReport.Size(label, stored, wake.summary(), suspended, busy, written);
  }

  private void branch(BenchServer server, Target parent, BranchReport.Times into)
      throws ApiException {
    long beginNanos = System.nanoTime();
    Target branch = server.createBranch(parent, "b" + ++branches);
    long createdNanos = System.nanoTime();
    branch.firstRowNanos(QUERY);
    long endNanos = System.nanoTime();
    into.created().addNanos(createdNanos - beginNanos);
    into.answered().addNanos(endNanos - beginNanos);
    server.dropBranch(branch);
  }

  private static void fill(Target target, long bytes) {
    target.execute(
        "CREATE TABLE filler (id int PRIMARY KEY, payload text)",
        "ALTER TABLE filler ALTER payload SET STORAGE EXTERNAL");
    long rows = Math.max(1, bytes / ROW_BYTES);
    for (long from = 1; from <= rows; from += ROWS_AT_ONCE) {
      target.execute(
          "INSERT INTO filler SELECT i, repeat(md5(i::text), 29) FROM generate_series("
              + from
              + ", "
              + Math.min(rows, from + ROWS_AT_ONCE - 1)
              + ") i");
    }
  }

  private static void rest() {
    LockSupport.parkNanos(PAUSE_NANOS);
  }

  private void progress(String what) {
    if (!options.json()) {
      System.err.println(what);
    }
  }
}
