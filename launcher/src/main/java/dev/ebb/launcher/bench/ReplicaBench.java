package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ApiException;
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

/** {@code ebb bench replica}. */
@Command(
    name = "replica",
    description =
        "Measure the time from adding a replica to its first row, beside a wake and the start of"
            + " the same PostgreSQL alone.",
    footer = {"", "Example: ./ebb bench replica --rounds 20"})
final class ReplicaBench implements Callable<Integer> {
  /** All sides rest before a measurement: the end of the one must not disturb the other. */
  private static final long PAUSE_MS = 200;

  private static final String QUERY = "select count(*) from item";
  private static final String ROUTE = "-c ebb.route=replica";

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

  private final Samples asleep = new Samples();
  private final Samples busy = new Samples();
  private final Samples wakes = new Samples();
  private final Samples stopped = new Samples();

  @Override
  public Integer call() throws Exception {
    if (rounds < 1 || warmup < 0) {
      throw new ParameterException(spec.commandLine(), "--rounds is at least 1, --warmup 0");
    }
    return BenchRun.run(spec, options.json(), this::measure);
  }

  private ReplicaReport measure(Cleanup cleanup)
      throws ApiException, IOException, InterruptedException {
    BenchServer server = options.server();
    Target ebb = server.createDatabase(cleanup);
    ebb.execute("CREATE TABLE item (id int)", "INSERT INTO item SELECT generate_series(1, 1000)");
    PostgresPrograms programs = options.programs(server.compute(ebb));
    Path scratch = options.scratch(programs, cleanup);
    Machine machine = Machine.look(scratch);
    Map<String, String> settings = SameSettings.of(ebb);
    BarePostgres bare = BarePostgres.create(programs, scratch, settings, cleanup);
    for (int round = -warmup; round < rounds; round++) {
      boolean counts = round >= 0;
      server.suspend(ebb);
      add(server, ebb, asleep, counts);
      Thread.sleep(PAUSE_MS);
      record(wakes, counts, ebb.firstRowNanos(QUERY));
      // WAL behind the snapshot, which the replica has to get and replay.
      ebb.execute("INSERT INTO item SELECT generate_series(1, 10000)");
      add(server, ebb, busy, counts);
      bare(bare, counts);
    }
    return new ReplicaReport(
        machine,
        warmup,
        settings,
        asleep.summary(),
        busy.summary(),
        wakes.summary(),
        stopped.summary());
  }

  private static void record(Samples samples, boolean counts, long nanos) {
    if (counts) {
      samples.addNanos(nanos);
    }
  }

  /** Takes the time, and takes the replica away again. */
  private static void add(BenchServer server, Target ebb, Samples samples, boolean counts)
      throws ApiException, InterruptedException {
    Thread.sleep(PAUSE_MS);
    long beginNanos = System.nanoTime();
    server.addReplica(ebb);
    ebb.firstRowNanos(QUERY, ROUTE);
    record(samples, counts, System.nanoTime() - beginNanos);
    server.removeReplica(ebb);
  }

  private void bare(BarePostgres bare, boolean counts) throws IOException, InterruptedException {
    Thread.sleep(PAUSE_MS);
    long beginNanos = System.nanoTime();
    bare.start();
    bare.target().firstRowNanos("select 1");
    record(stopped, counts, System.nanoTime() - beginNanos);
    bare.stop();
  }
}
