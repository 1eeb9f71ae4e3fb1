package dev.ebb.launcher.wal;

import dev.ebb.launcher.cli.ReplayCommand;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb wal}. */
@Command(
    name = "wal",
    description = {
      "Read the log of a branch, as Kafka and the archive have it.",
      "Works while no server runs, too: name the configuration that it has."
    },
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    subcommands = {
      DumpCommand.class,
      TailCommand.class,
      StatsCommand.class,
      VerifyCommand.class,
      ExportCommand.class,
      ReplayCommand.class,
      FindCommand.class
    },
    footer = {"", "Example: ./ebb wal stats shop"})
public final class WalCommand implements Runnable {
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
        spec.commandLine(), "name a command: dump, tail, stats, verify, export, replay or find");
  }
}
