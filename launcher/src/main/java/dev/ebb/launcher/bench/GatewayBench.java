package dev.ebb.launcher.bench;

import dev.ebb.launcher.bench.GatewayReport.Cell;
import dev.ebb.launcher.bench.GatewayReport.Idle;
import dev.ebb.launcher.bench.GatewayReport.Measured;
import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb bench gateway}. */
@Command(
    name = "gateway",
    description =
        "Run pgbench select-only on a compute directly, through PgBouncer and through Ebb's"
            + " gateway, in turns.",
    footer = {
      "",
      "Starts a server of its own, with a second gateway that is a process by itself, and PgBouncer"
          + " where it is installed; stops and deletes all of it.",
      "Example: ./ebb bench gateway --clients 1,16,64 --rounds 5"
    })
final class GatewayBench implements Callable<Integer> {
  private static final List<String> PROTOCOLS = List.of("simple", "extended", "prepared");
  private static final String PREPARED = "prepared";
  private static final int RECONNECTING = 16;
  private static final long CONNECT_NANOS = TimeUnit.MINUTES.toNanos(5);
  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
  private static final Pattern HEAP_USED = Pattern.compile("used (\\d+)K");

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--clients",
      paramLabel = "N",
      split = ",",
      defaultValue = "1,16,64",
      description = "Numbers of clients (default: ${DEFAULT-VALUE}).")
  private List<Integer> clients = List.of(1, 16, 64);

  @Option(
      names = "--protocols",
      paramLabel = "NAME",
      split = ",",
      defaultValue = "simple,extended,prepared",
      description = "How pgbench sends statements (default: ${DEFAULT-VALUE}).")
  private List<String> protocols = PROTOCOLS;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "5",
      description = "How often each has its turn (default: ${DEFAULT-VALUE}).")
  private int rounds = 5;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "5",
      description = "For each turn (default: ${DEFAULT-VALUE}).")
  private int seconds = 5;

  @Option(
      names = "--scale",
      paramLabel = "N",
      defaultValue = "5",
      description = "pgbench's scale: 15 MB each (default: ${DEFAULT-VALUE}).")
  private int scale = 5;

  @Option(
      names = "--pool-size",
      paramLabel = "N",
      defaultValue = "20",
      description = "Connections to the compute that each pooler has (default: ${DEFAULT-VALUE}).")
  private int poolSize = 20;

  @Option(
      names = "--idle",
      paramLabel = "N",
      split = ",",
      defaultValue = "1000,10000",
      description =
          "Numbers of idle clients at which memory is looked at; 0 for none (default:"
              + " ${DEFAULT-VALUE}).")
  private List<Integer> idle = List.of(1_000, 10_000);

  @Option(
      names = "--pgbouncer",
      paramLabel = "PATH",
      description = "Which PgBouncer (default: the installed one).")
  private @Nullable Path pgbouncer;

  @Option(
      names = "--scratch",
      paramLabel = "DIR",
      defaultValue = ".",
      description = "Where the server has its files (default: ${DEFAULT-VALUE}).")
  private Path scratch = Path.of(".");

  @Option(
      names = "--os-user",
      paramLabel = "USER",
      defaultValue = "postgres",
      description = "Runs PgBouncer where this command runs as root (default: ${DEFAULT-VALUE}).")
  private String osUser = "postgres";

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @SuppressWarnings("UnusedVariable") // picocli reads it
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this.")
  private boolean help;

  /**
   * One way to the compute.
   *
   * @param pid of the process in between; 0 where there is none
   */
  private record Way(Target target, long pid, boolean preparedStatements) {}

  @Override
  public Integer call() throws Exception {
    if (rounds < 1 || seconds < 1 || scale < 1 || poolSize < 1) {
      throw new ParameterException(spec.commandLine(), "all numbers are at least 1");
    }
    if (clients.stream().anyMatch(n -> n < 1) || idle.stream().anyMatch(n -> n < 0)) {
      throw new ParameterException(spec.commandLine(), "there is no negative number of clients");
    }
    if (!PROTOCOLS.containsAll(protocols)) {
      throw new ParameterException(
          spec.commandLine(), "--protocols are " + String.join(", ", PROTOCOLS));
    }
    Pgbench.requireInstalled();
    return BenchRun.run(spec, json, this::measure);
  }

  private GatewayReport measure(Cleanup cleanup) throws IOException, ApiException {
    Path home = OwnServer.home(scratch.toAbsolutePath().normalize(), ".ebb-bench", cleanup);
    say("starting a server and a gateway");
    MeasuredGateway gateway = MeasuredGateway.start(home, poolSize, cleanup);
    Target ebb = gateway.server().createDatabase(cleanup);
    BenchServer.Compute compute = gateway.server().compute(ebb);
    var pgbench = new Pgbench(home, "simple", cleanup);
    say("loading scale " + scale);
    pgbench.load(compute.direct(), scale);
    PostgresPrograms programs = PostgresPrograms.of(compute.pid(), osUser);
    Optional<PgBouncer> other =
        Optional.ofNullable(pgbouncer)
            .or(PgBouncer::installed)
            .map(program ->
                PgBouncer.start(program, programs, home, compute.direct(), poolSize, cleanup));
    Way pooled =
        new Way(named(ebb, "Ebb, pool", gateway.poolPort()), gateway.process().pid(), true);
    List<Way> ways = new ArrayList<>();
    ways.add(new Way(named(compute.direct(), "direct", compute.direct().port()), 0, true));
    other.ifPresent(bouncer ->
        ways.add(new Way(bouncer.target(), bouncer.pid(), bouncer.preparedStatements())));
    ways.add(pooled);
    ways.add(new Way(named(ebb, "Ebb, session", gateway.sessionPort()), pooled.pid(), true));
    List<Cell> cells = cells(pgbench, ways);
    List<Way> poolers = ways.stream().filter(way -> way.pid() != 0).toList();
    List<Idle> memory = new ArrayList<>();
    for (Way way : poolers) {
      if (!way.target().name().equals("Ebb, session")) {
        memory.addAll(memory(pgbench, way, way.pid() == pooled.pid(), cleanup));
      }
    }
    return new GatewayReport(
        Machine.look(home),
        other.map(PgBouncer::version).orElse(null),
        scale,
        poolSize,
        seconds,
        SameSettings.of(compute.direct()),
        cells,
        memory);
  }

  private static Target named(Target of, String name, int port) {
    return new Target(name, of.host(), port, of.database(), of.user(), of.password());
  }

  private List<Cell> cells(Pgbench pgbench, List<Way> ways) {
    List<Cell> cells = new ArrayList<>();
    for (String protocol : protocols) {
      List<Way> able =
          ways.stream()
              .filter(way -> way.preparedStatements() || !protocol.equals(PREPARED))
              .toList();
      for (int count : clients) {
        cells.add(cell(pgbench, able, protocol, false, count));
      }
    }
    cells.add(cell(pgbench, ways, "simple", true, RECONNECTING));
    return cells;
  }

  private Cell cell(
      Pgbench pgbench, List<Way> ways, String protocol, boolean reconnect, int count) {
    Map<String, Measured> measured = new LinkedHashMap<>();
    for (Way way : ways) {
      pgbench.selectOnly(way.target(), protocol, reconnect, count, seconds, new Samples());
      measured.put(way.target().name(), new Measured());
    }
    List<Way> turns = new ArrayList<>(ways);
    String workload = reconnect ? "reconnecting" : protocol;
    for (int round = 0; round < rounds; round++) {
      say(workload + ", " + count + " clients: round " + (round + 1) + " of " + rounds);
      for (Way way : turns) {
        Measured into = measured.getOrDefault(way.target().name(), new Measured());
        long before = way.pid() == 0 ? 0 : ProcessUse.cpuMicros(way.pid());
        Pgbench.Selected selected =
            pgbench.selectOnly(way.target(), protocol, reconnect, count, seconds, into.latencies());
        long after = way.pid() == 0 ? 0 : ProcessUse.cpuMicros(way.pid());
        into.add(selected, after - before);
      }
      // Nobody always follows the same one.
      Collections.rotate(turns, 1);
    }
    return new Cell(workload, count, measured);
  }

  /** Memory with none, and with each number of idle clients. */
  private List<Idle> memory(Pgbench pgbench, Way way, boolean isJava, Cleanup cleanup) {
    List<Idle> found = new ArrayList<>();
    found.add(look(way, 0, isJava));
    for (int count : idle.stream().filter(n -> n > 0).sorted().toList()) {
      say(way.target().name() + ": " + count + " idle clients");
      long before = ProcessUse.openFiles(way.pid());
      Process clientsOf = pgbench.idle(way.target(), count, cleanup);
      try {
        await(() -> ProcessUse.openFiles(way.pid()) - before >= count, clientsOf, count);
        found.add(look(way, count, isJava));
      } finally {
        clientsOf.destroyForcibly();
      }
      await(() -> ProcessUse.openFiles(way.pid()) - before < poolSize, null, count);
    }
    return found;
  }

  private static void await(
      java.util.function.BooleanSupplier reached, @Nullable Process clients, int count) {
    long endNanos = System.nanoTime() + CONNECT_NANOS;
    while (!reached.getAsBoolean()) {
      if (System.nanoTime() > endNanos || (clients != null && !clients.isAlive())) {
        throw new BenchFailure(
            count
                + " idle clients did not come or go: is the limit of open files (ulimit -n) high enough?");
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  private static Idle look(Way way, int count, boolean isJava) {
    long heap = isJava ? heapBytes(way.pid()) : 0;
    return new Idle(way.target().name(), count, ProcessUse.residentBytes(way.pid()), heap);
  }

  /** What is in use of a JVM's heap behind a full collection. */
  private static long heapBytes(long pid) {
    jcmd(pid, "GC.run");
    Matcher used = HEAP_USED.matcher(jcmd(pid, "GC.heap_info"));
    return used.find() ? Long.parseLong(used.group(1)) * 1024 : 0;
  }

  private static String jcmd(long pid, String command) {
    try {
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                  Long.toString(pid),
                  command)
              .redirectErrorStream(true)
              .start();
      return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new BenchFailure("jcmd cannot be run: " + e.getMessage(), e);
    }
  }

  private void say(String words) {
    if (!json) {
      System.err.println(words);
    }
  }
}
