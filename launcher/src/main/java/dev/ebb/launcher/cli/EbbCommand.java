package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.config.ConfigException;
import java.io.IOException;
import java.io.InputStream;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb} itself: its subcommands, and how errors are told. */
@Command(
    name = "ebb",
    description = "Serverless PostgreSQL that you run yourself.",
    mixinStandardHelpOptions = true,
    versionProvider = EbbCommand.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    footer = {
      "  build    Build what is missing or stale.",
      "  test     Build and run every test; --soak: the long ones too.",
      "  format   Format the sources.",
      "",
      "Examples:",
      "  ./ebb up                                            everything in one process",
      "  ./ebb db create shop --owner app --password s3cret",
      "  ./ebb psql shop                                     wakes it",
      "  ./ebb branch create shop@dev                        a copy that costs nothing",
      "  ./ebb ps",
      "",
      "\"./ebb COMMAND --help\" tells all about a command.",
      "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 no server answers,",
      "130 interrupted, 141 nobody reads what is printed."
    })
public final class EbbCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  /** The commands of this package, by name, in the order that the help shows them in. */
  private static final Map<String, Supplier<Object>> COMMANDS = commands();

  private static Map<String, Supplier<Object>> commands() {
    var commands = new LinkedHashMap<String, Supplier<Object>>();
    commands.put("up", UpCommand::new);
    commands.put("run", RunCommand::new);
    commands.put("db", DatabaseCommand::new);
    commands.put("branch", BranchCommand::new);
    commands.put("replica", ReplicaCommand::new);
    commands.put("suspend", SuspendCommand::new);
    commands.put("wake", WakeCommand::new);
    commands.put("ps", PsCommand::new);
    commands.put("psql", PsqlCommand::new);
    commands.put("fsck", FsckCommand::new);
    commands.put("config", ConfigCommand::new);
    return commands;
  }

  /**
   * The command line for these words. Knows only the command that the first word names, where there
   * is such a one: looking into all of them takes longer than everything else that a short command
   * does.
   *
   * @param further commands that other packages bring, by name
   */
  public static CommandLine commandLine(Map<String, Supplier<Object>> further, String... words) {
    var all = new LinkedHashMap<>(COMMANDS);
    all.putAll(further);
    var line = new CommandLine(new EbbCommand());
    Supplier<Object> named = words.length == 0 ? null : all.get(words[0]);
    if (named != null) {
      line.addSubcommand(words[0], named.get());
    } else {
      all.forEach((name, command) -> line.addSubcommand(name, command.get()));
    }
    line.setUsageHelpAutoWidth(true);
    line.setExecutionExceptionHandler(EbbCommand::tell);
    line.setParameterExceptionHandler(EbbCommand::tellUsage);
    return line;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "name a command: \"./ebb --help\" lists them");
  }

  private static int tell(Exception error, CommandLine line, CommandLine.ParseResult parsed) {
    line.getErr().println("ebb: " + text(error));
    line.getErr().flush();
    return switch (error) {
      case ApiException.Unreachable e -> ExitCodes.UNREACHABLE;
      case ConfigException e -> ExitCodes.USAGE;
      default -> ExitCodes.FAILURE;
    };
  }

  private static String text(Throwable error) {
    String message = error.getMessage();
    return message == null || message.isBlank() ? error.getClass().getSimpleName() : message;
  }

  private static int tellUsage(ParameterException error, String[] arguments) {
    CommandLine line = error.getCommandLine();
    String name = line.getCommandSpec().qualifiedName();
    line.getErr().println("ebb: " + text(error) + " (see \"./" + name + " --help\")");
    line.getErr().flush();
    return ExitCodes.USAGE;
  }

  /** Reads the version that the build wrote. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() throws IOException {
      var properties = new Properties();
      try (InputStream stream = Version.class.getResourceAsStream("/ebb-version.properties")) {
        if (stream != null) {
          properties.load(stream);
        }
      }
      return new String[] {"ebb " + properties.getProperty("version", "of an unknown version")};
    }
  }
}
