package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ApiException;
import dev.ebb.shared.model.Secret;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb bench wake}. */
@Command(
    name = "wake",
    description =
        "Measure connect-to-first-row on a suspended database, beside the start of the same"
            + " PostgreSQL alone.",
    footer = {
      "",
      "Without --database one is made, and dropped at the end.",
      "Examples:",
      "  ./ebb bench wake --rounds 100",
      "  PGPASSWORD=s3cret ./ebb bench wake --database shop --user app"
    })
final class WakeBench implements Callable<Integer> {
  /** Both sides rest before a measurement: the end of the one must not disturb the other. */
  private static final long PAUSE_MS = 100;

  private static final int ROUNDS_BETWEEN_WORDS = 10;

  /** In one transaction: each table locks four relations. */
  private static final int TABLES_AT_ONCE = 500;

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private ServerOptions options = new ServerOptions();

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "50",
      description = "How often (default: ${DEFAULT-VALUE}).")
  private int rounds = 50;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "5",
      description = "Rounds before those that count (default: ${DEFAULT-VALUE}).")
  private int warmup = 5;

  @Option(
      names = "--database",
      paramLabel = "NAME",
      description = "An existing database; its sessions are ended (default: a new one).")
  private @Nullable String database;

  @Option(
      names = "--user",
      paramLabel = "ROLE",
      defaultValue = "app",
      description = "Role of --database, its password in PGPASSWORD (default: ${DEFAULT-VALUE}).")
  private String user = "app";

  @Option(
      names = "--query",
      paramLabel = "SQL",
      defaultValue = "select 1",
      description = "What the first row is asked for with (default: ${DEFAULT-VALUE}).")
  private String query = "select 1";

  @Option(
      names = "--tables",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Measure a second database with so many tables, each with a primary key and a TOAST"
              + " table, beside the empty one (default: ${DEFAULT-VALUE}).")
  private int tables;

  private final Samples suspended = new Samples();
  private final Samples crowded = new Samples();
  private final Samples stopped = new Samples();
  private final Samples awake = new Samples();
  private final Samples running = new Samples();

  @Override
  public Integer call() throws Exception {
    if (rounds < 1 || warmup < 0 || tables < 0) {
      throw new ParameterException(
          spec.commandLine(), "--rounds is at least 1, --warmup and --tables 0");
    }
    return BenchRun.run(spec, options.json(), this::measure);
  }

  private WakeReport measure(Cleanup cleanup)
      throws ApiException, IOException, InterruptedException {
    BenchServer server = options.server();
    Target ebb = ebb(server, cleanup);
    PostgresPrograms programs = options.programs(server.compute(ebb));
    Path scratch = options.scratch(programs, cleanup);
    Machine machine = Machine.look(scratch);
    // A query of the user's may name tables that the bare PostgreSQL does not have.
    boolean sameQuery = database == null || query.equals("select 1");
    Map<String, String> settings = SameSettings.of(ebb);
    BarePostgres bare = BarePostgres.create(programs, scratch, settings, cleanup);
    var parts = new WakeParts();
    var crowdedParts = new WakeParts();
    @Nullable Target crowd = tables == 0 ? null : crowd(server, cleanup);
    for (int round = -warmup; round < rounds; round++) {
      boolean counts = round >= 0;
      // In turns, so that neither is always the one that follows the other.
      if (round % 2 == 0) {
        measureEbb(server, ebb, parts, counts);
        measureCrowd(server, crowd, crowdedParts, counts);
        measureBare(bare, sameQuery ? query : "select 1", counts);
      } else {
        measureBare(bare, sameQuery ? query : "select 1", counts);
        measureCrowd(server, crowd, crowdedParts, counts);
        measureEbb(server, ebb, parts, counts);
      }
      progress(round);
    }
    return new WakeReport(
        machine,
        query,
        warmup,
        settings,
        suspended.summary(),
        tables,
        crowded.summary(),
        crowdedParts,
        stopped.summary(),
        awake.summary(),
        running.summary(),
        parts);
  }

  private Target ebb(BenchServer server, Cleanup cleanup) throws ApiException {
    if (database == null) {
      return server.createDatabase(cleanup);
    }
    String password = System.getenv("PGPASSWORD");
    if (password == null) {
      throw new ParameterException(
          spec.commandLine(), "put the password of " + user + " into PGPASSWORD");
    }
    return server.target(database, user, new Secret(password));
  }

  /** A database with many tables: four files each. */
  private Target crowd(BenchServer server, Cleanup cleanup) throws ApiException {
    Target crowd = server.createDatabase(cleanup);
    for (int first = 1; first <= tables; first += TABLES_AT_ONCE) {
      if (!options.json()) {
        System.err.println("making tables: " + (first - 1) + " of " + tables);
      }
      crowd.execute(
          String.format(
              Locale.ROOT,
              """
              DO $$ BEGIN
                FOR i IN %d..%d LOOP
                  EXECUTE format('CREATE TABLE crowd_%%s (id int PRIMARY KEY, body text)', i);
                END LOOP;
              END $$
              """,
              first,
              Math.min(tables, first + TABLES_AT_ONCE - 1)));
    }
    return crowd;
  }

  private void measureCrowd(
      BenchServer server, @Nullable Target crowd, WakeParts parts, boolean counts)
      throws ApiException, InterruptedException {
    if (crowd == null) {
      return;
    }
    server.suspend(crowd);
    MetricsText before = server.metrics();
    Thread.sleep(PAUSE_MS);
    long firstNanos = crowd.firstRowNanos("select 1");
    MetricsText after = server.metrics();
    Object wake = server.wake(crowd);
    if (counts) {
      crowded.addNanos(firstNanos);
      parts.add(before, after, wake);
    }
  }

  private void measureEbb(BenchServer server, Target ebb, WakeParts parts, boolean counts)
      throws ApiException, InterruptedException {
    server.suspend(ebb);
    MetricsText before = server.metrics();
    Thread.sleep(PAUSE_MS);
    long firstNanos = ebb.firstRowNanos(query);
    MetricsText after = server.metrics();
    Object wake = server.wake(ebb);
    Thread.sleep(PAUSE_MS);
    long secondNanos = ebb.firstRowNanos(query);
    if (counts) {
      suspended.addNanos(firstNanos);
      awake.addNanos(secondNanos);
      parts.add(before, after, wake);
    }
  }

  private void measureBare(BarePostgres bare, String bareQuery, boolean counts)
      throws IOException, InterruptedException {
    Thread.sleep(PAUSE_MS);
    long beginNanos = System.nanoTime();
    bare.start();
    bare.target().firstRowNanos(bareQuery);
    long firstNanos = System.nanoTime() - beginNanos;
    Thread.sleep(PAUSE_MS);
    long secondNanos = bare.target().firstRowNanos(bareQuery);
    bare.stop();
    if (counts) {
      stopped.addNanos(firstNanos);
      running.addNanos(secondNanos);
    }
  }

  private void progress(int round) {
    if (!options.json() && round % ROUNDS_BETWEEN_WORDS == 0) {
      System.err.println(round < 0 ? "warming up" : "round " + round + " of " + rounds);
    }
  }
}
