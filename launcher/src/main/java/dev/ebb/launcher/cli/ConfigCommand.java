package dev.ebb.launcher.cli;

import dev.ebb.launcher.config.ConfigException;
import dev.ebb.launcher.config.ConfigPrinter;
import dev.ebb.launcher.config.EbbConfig;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb config}. */
@Command(
    name = "config",
    mixinStandardHelpOptions = true,
    versionProvider = EbbCommand.Version.class,
    description = "Check and show the configuration.",
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    subcommands = ConfigCommand.Show.class,
    footer = {"", "Example: ./ebb config show --config ebb.yaml"})
final class ConfigCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "name a command: show");
  }

  /** {@code ebb config show}. */
  @Command(
      name = "show",
      mixinStandardHelpOptions = true,
      versionProvider = EbbCommand.Version.class,
      description = "Show the effective configuration; secrets as ***.",
      footer = {"", "Example: ./ebb config show --config ebb.yaml --port 7000"})
  static final class Show implements Callable<Integer> {
    @Spec private CommandSpec spec = CommandSpec.create();
    @Mixin private ConfigOptions options = new ConfigOptions();

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() throws ConfigException {
      EbbConfig config = options.read("api.httpPort");
      var out = spec.commandLine().getOut();
      out.println(json ? ConfigPrinter.json(config) : ConfigPrinter.yaml(config));
      out.flush();
      return ExitCodes.OK;
    }
  }
}
