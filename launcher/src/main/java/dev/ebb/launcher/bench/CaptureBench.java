package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb bench capture}. */
@Command(
    name = "capture",
    description =
        "Run pgbench's TPC-B on two servers in turns: one that is captured all the time, one that"
            + " never is, and compare the latencies.",
    footer = {
      "",
      "Both servers are started for it, and deleted at the end.",
      "Example: ./ebb bench capture --seconds 60 --clients 8"
    })
final class CaptureBench implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "60",
      description = "For each server (default: ${DEFAULT-VALUE}).")
  private int seconds = 60;

  @Option(
      names = "--slice",
      paramLabel = "S",
      defaultValue = "15",
      description = "Seconds at a time, in turns (default: ${DEFAULT-VALUE}).")
  private int slice = 15;

  @Option(
      names = "--clients",
      paramLabel = "N",
      defaultValue = "8",
      description = "pgbench's clients (default: ${DEFAULT-VALUE}).")
  private int clients = 8;

  @Option(
      names = "--rate",
      paramLabel = "TPS",
      defaultValue = "0",
      description =
          "Transactions a second; 0: as many as there can be (default: ${DEFAULT-VALUE}).")
  private int rate;

  @Option(
      names = "--scale",
      paramLabel = "N",
      defaultValue = "20",
      description = "pgbench's scale: 15 MB each (default: ${DEFAULT-VALUE}).")
  private int scale = 20;

  @Option(
      names = "--interval",
      paramLabel = "TIME",
      defaultValue = "1s",
      description = "Between captures, 1s at the least (default: ${DEFAULT-VALUE}).")
  private String interval = "1s";

  @Option(
      names = "--scratch",
      paramLabel = "DIR",
      defaultValue = ".",
      description = "Where the servers have their files (default: ${DEFAULT-VALUE}).")
  private Path scratch = Path.of(".");

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @SuppressWarnings("UnusedVariable") // picocli reads it
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this.")
  private boolean help;

  /** One of the two servers. */
  private record Side(BenchServer server, Target target, Samples samples, List<Double> tps) {}

  @Override
  public Integer call() throws Exception {
    if (seconds < 1 || slice < 1 || clients < 1 || scale < 1 || rate < 0) {
      throw new ParameterException(spec.commandLine(), "all numbers are at least 1, --rate 0");
    }
    Pgbench.requireInstalled();
    return BenchRun.run(spec, json, this::measure);
  }

  private CaptureReport measure(Cleanup cleanup) throws IOException, ApiException {
    Path home = OwnServer.home(scratch.toAbsolutePath().normalize(), ".ebb-bench", cleanup);
    Machine machine = Machine.look(home);
    var pgbench = new Pgbench(home, "simple", cleanup);
    Side captured =
        side(home, "captured", List.of("captureInterval: " + interval), pgbench, cleanup);
    Side plain =
        side(home, "plain", List.of("captureInterval: 7d", "captureWal: 1TB"), pgbench, cleanup);
    List<Side> turns = new ArrayList<>(List.of(captured, plain));
    turns.forEach(side -> pgbench.latencies(side.target(), clients, rate, slice, new Samples()));
    MetricsText before = captured.server().metrics();
    for (int done = 0; done < seconds; done += slice) {
      say(done + " of " + seconds + " s");
      for (Side side : turns) {
        side.tps().add(pgbench.latencies(side.target(), clients, rate, slice, side.samples()));
      }
      turns.add(turns.removeFirst());
    }
    return new CaptureReport(
        machine,
        clients,
        rate,
        scale,
        slice,
        interval,
        captured.samples().summary(),
        plain.samples().summary(),
        OverheadReport.median(captured.tps()),
        OverheadReport.median(plain.tps()),
        CaptureReport.Captures.between(before, captured.server().metrics()));
  }

  private Side side(Path home, String name, List<String> settings, Pgbench pgbench, Cleanup cleanup)
      throws IOException, ApiException {
    say("starting the server that is " + name + ", loading scale " + scale);
    BenchServer server = OwnServer.start(OwnServer.home(home, name, cleanup), settings, cleanup);
    Target target = server.createDatabase(cleanup);
    pgbench.load(target, scale);
    return new Side(server, target, new Samples(), new ArrayList<>());
  }

  private void say(String words) {
    if (!json) {
      System.err.println(words);
    }
  }
}
