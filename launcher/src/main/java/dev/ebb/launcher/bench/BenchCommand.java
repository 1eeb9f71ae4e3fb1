package dev.ebb.launcher.bench;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb bench}. */
@Command(
    name = "bench",
    description = "Measure a running server beside the same PostgreSQL alone.",
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    subcommands = {
      WakeBench.class,
      OverheadBench.class,
      CaptureBench.class,
      BranchBench.class,
      ScanBench.class,
      ReplicaBench.class,
      GatewayBench.class
    },
    footer = {"", "Example: ./ebb bench wake"})
public final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  @SuppressWarnings("UnusedVariable") // picocli reads it
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this.")
  private boolean help;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "name a command: wake, overhead, capture, branch, scan, replica or gateway");
  }
}
