package dev.ebb.launcher.bench;

import dev.ebb.launcher.bench.OverheadReport.Cell;
import dev.ebb.launcher.bench.Pgbench.Workload;
import dev.ebb.launcher.client.ApiException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb bench overhead}. */
@Command(
    name = "overhead",
    description =
        "Run pgbench on Ebb, with and without the gateway, and on the same PostgreSQL alone with"
            + " fsync=on, in turns.",
    footer = {
      "",
      "A database is made for it, and dropped at the end.",
      "Example: ./ebb bench overhead --seconds 30 --clients 1,8,32"
    })
final class OverheadBench implements Callable<Integer> {
  private static final String PROTOCOLS = "simple|extended|prepared";

  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private ServerOptions options = new ServerOptions();

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "20",
      description = "For each target, workload and number of clients (default: ${DEFAULT-VALUE}).")
  private int seconds = 20;

  @Option(
      names = "--slice",
      paramLabel = "S",
      defaultValue = "5",
      description = "Seconds at a time, in turns (default: ${DEFAULT-VALUE}).")
  private int slice = 5;

  @Option(
      names = "--warmup",
      paramLabel = "S",
      defaultValue = "3",
      description = "Seconds that do not count, before each cell (default: ${DEFAULT-VALUE}).")
  private int warmup = 3;

  @Option(
      names = "--scale",
      paramLabel = "N",
      defaultValue = "50",
      description =
          "pgbench's scale: 15 MB each; at least the number of clients, or these wait for each"
              + " other (default: ${DEFAULT-VALUE}).")
  private int scale = 50;

  @Option(
      names = "--clients",
      paramLabel = "N",
      split = ",",
      defaultValue = "1,8,32",
      description = "Numbers of clients (default: ${DEFAULT-VALUE}).")
  private List<Integer> clients = List.of(1, 8, 32);

  @Option(
      names = "--protocol",
      paramLabel = PROTOCOLS,
      defaultValue = "simple",
      description = "How pgbench sends statements (default: ${DEFAULT-VALUE}).")
  private String protocol = "simple";

  @Override
  public Integer call() throws Exception {
    if (seconds < 1
        || slice < 1
        || warmup < 1
        || scale < 1
        || clients.stream().anyMatch(n -> n < 1)) {
      throw new ParameterException(spec.commandLine(), "all numbers are at least 1");
    }
    if (!List.of(PROTOCOLS.split("\\|", -1)).contains(protocol)) {
      throw new ParameterException(spec.commandLine(), "--protocol is one of " + PROTOCOLS);
    }
    return BenchRun.run(spec, options.json(), this::measure);
  }

  private OverheadReport measure(Cleanup cleanup) throws ApiException {
    BenchServer server = options.server();
    Pgbench.requireInstalled();
    Target ebb = server.createDatabase(cleanup);
    BenchServer.Compute compute = server.compute(ebb);
    PostgresPrograms programs = options.programs(compute);
    Path scratch = options.scratch(programs, cleanup);
    var pgbench = new Pgbench(scratch, protocol, cleanup);
    Machine machine = Machine.look(scratch);
    Map<String, String> settings = SameSettings.of(ebb);
    BarePostgres bare = BarePostgres.create(programs, scratch, settings, cleanup);
    bare.start();
    List<Target> targets = new ArrayList<>(List.of(ebb));
    if (compute.direct().isReachable()) {
      targets.add(compute.direct());
    }
    targets.add(bare.target());
    say("loading scale " + scale);
    pgbench.load(ebb, scale);
    pgbench.load(bare.target(), scale);
    List<Cell> cells = new ArrayList<>();
    for (Workload workload : Workload.values()) {
      for (int count : clients) {
        cells.add(measure(pgbench, targets, workload, count));
      }
    }
    return new OverheadReport(
        machine,
        scale,
        slice,
        protocol,
        settings,
        targets.stream().map(Target::name).toList(),
        cells);
  }

  private Cell measure(Pgbench pgbench, List<Target> targets, Workload workload, int count) {
    for (Target target : targets) {
      pgbench.run(target, workload, count, warmup);
    }
    Map<String, List<Double>> tps = new LinkedHashMap<>();
    targets.forEach(target -> tps.put(target.name(), new ArrayList<>()));
    List<Target> turns = new ArrayList<>(targets);
    for (int done = 0; done < seconds; done += slice) {
      say(workload.words() + ", " + count + " clients: " + done + " of " + seconds + " s");
      for (Target target : turns) {
        double measured = pgbench.run(target, workload, count, slice);
        tps.getOrDefault(target.name(), new ArrayList<>()).add(measured);
      }
      // Nobody always follows the same one.
      Collections.rotate(turns, 1);
    }
    return new Cell(workload, count, tps);
  }

  private void say(String words) {
    if (!options.json()) {
      System.err.println(words);
    }
  }
}
