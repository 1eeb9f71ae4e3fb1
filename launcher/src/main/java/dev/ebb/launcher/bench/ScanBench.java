package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.config.Quantities;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb bench scan}. */
@Command(
    name = "scan",
    description =
        "Measure the first count(*) of a table behind a wake, with nothing of it on the local"
            + " disk, beside the same PostgreSQL alone with a cold page cache.",
    footer = {
      "",
      "A database is made for it, and dropped at the end.",
      "The kernel's page cache is dropped before each scan where this command may do so (root).",
      "Example: ./ebb bench scan --size 1GB --rounds 5"
    })
final class ScanBench implements Callable<Integer> {
  private static final long MIN_BYTES = 1L << 20;
  private static final long PAUSE_MS = 200;
  private static final String TABLE = "scanned";

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private ServerOptions options = new ServerOptions();

  @Option(
      names = "--size",
      paramLabel = "BYTES",
      defaultValue = "1GB",
      description = "Of the table (default: ${DEFAULT-VALUE}).")
  private String size = "1GB";

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "5",
      description = "How often (default: ${DEFAULT-VALUE}).")
  private int rounds = 5;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "1",
      description = "Rounds before those that count (default: ${DEFAULT-VALUE}).")
  private int warmup = 1;

  private final Samples ebbCold = new Samples();
  private final Samples ebbWarm = new Samples();
  private final Samples bareCold = new Samples();
  private final Samples bareWarm = new Samples();

  @Override
  public Integer call() throws Exception {
    long bytes = Quantities.parseBytes(size).orElse(0L);
    if (bytes < MIN_BYTES || rounds < 1 || warmup < 0) {
      throw new ParameterException(
          spec.commandLine(), "--size is at least 1MB, --rounds 1, --warmup 0");
    }
    return BenchRun.run(spec, options.json(), cleanup -> measure(bytes, cleanup));
  }

  private ScanReport measure(long bytes, Cleanup cleanup)
      throws ApiException, IOException, InterruptedException {
    BenchServer server = options.server();
    Target ebb = server.createDatabase(cleanup);
    PostgresPrograms programs = options.programs(server.compute(ebb));
    Path scratch = options.scratch(programs, cleanup);
    Machine machine = Machine.look(scratch);
    Map<String, String> settings = SameSettings.of(ebb);
    BarePostgres bare = BarePostgres.create(programs, scratch, settings, cleanup);
    bare.start();
    say("loading");
    long rows = load(ebb, bytes);
    load(bare.target(), bytes);
    bare.stop();
    boolean dropped = true;
    for (int round = -warmup; round < rounds; round++) {
      say(round < 0 ? "warming up" : "round " + (round + 1) + " of " + rounds);
      boolean counts = round >= 0;
      server.suspend(ebb);
      dropped &= PageCache.drop();
      Thread.sleep(PAUSE_MS);
      server.wake(ebb);
      scan(ebb, rows, ebbCold, counts);
      scan(ebb, rows, ebbWarm, counts);
      dropped &= PageCache.drop();
      bare.start();
      Thread.sleep(PAUSE_MS);
      scan(bare.target(), rows, bareCold, counts);
      scan(bare.target(), rows, bareWarm, counts);
      bare.stop();
    }
    return new ScanReport(
        machine,
        bytes,
        warmup,
        dropped,
        settings,
        ebbCold.summary(),
        bareCold.summary(),
        ebbWarm.summary(),
        bareWarm.summary());
  }

  /**
   * Fills the table: rows of about 150 bytes that compress to about half, as those of many
   * applications do. Frozen, so that a scan writes nothing. Returns how many rows there are.
   */
  private static long load(Target target, long bytes) {
    long rows = bytes / 156;
    target.execute(
        "create table "
            + TABLE
            + " (id bigint, customer int, amount numeric(10,2), at timestamptz, state text,"
            + " note text)",
        "insert into "
            + TABLE
            + " select n, (random() * 1000000)::int, (random() * 10000)::numeric(10,2),"
            + " timestamptz '2024-01-01' + n * interval '1 second',"
            + " (array['new', 'paid', 'packed', 'shipped'])[1 + n % 4],"
            + " 'order ' || n || ' of ' || md5(n::text) || ', to be delivered to the door'"
            + " from generate_series(1, "
            + rows
            + ") n",
        "vacuum (freeze) " + TABLE);
    return rows;
  }

  private static void scan(Target target, long rows, Samples samples, boolean counts) {
    Target.Timed timed = target.timed("select count(*) from " + TABLE);
    if (timed.number() != rows) {
      throw new BenchFailure(
          target.name() + " counted " + timed.number() + " rows instead of " + rows);
    }
    if (counts) {
      samples.addNanos(timed.nanos());
    }
  }

  private void say(String words) {
    if (!options.json()) {
      System.err.println(words);
    }
  }
}
