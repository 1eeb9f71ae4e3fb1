package dev.ebb.launcher.cli;

import dev.ebb.launcher.up.Up;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code ebb up}. */
@Command(
    name = "up",
    mixinStandardHelpOptions = true,
    versionProvider = EbbCommand.Version.class,
    description = "Start everything in one process and stay until Ctrl-C.",
    footer = {
      "",
      "The first start makes a database \"ebb\" with the owner \"app\".",
      "Ctrl-C captures what runs and stops; a second Ctrl-C stops at once.",
      "Examples:",
      "  ./ebb up --password s3cret",
      "  ./ebb up --data /var/lib/ebb --port 5432 --idle-timeout 30s"
    })
final class UpCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private ConfigOptions options = new ConfigOptions();

  @Option(
      names = "--password",
      paramLabel = "PASSWORD",
      description = "Password of the first database's owner (default: a random one, shown once).")
  private @Nullable String password;

  @Option(names = "--training", hidden = true)
  private boolean training;

  @Override
  public Integer call() throws Exception {
    var out = spec.commandLine().getOut();
    if (training) {
      Up.train(out);
    } else {
      Up.run(options.read("api.httpPort"), password, out);
    }
    return ExitCodes.OK;
  }
}
