package dev.ebb.launcher;

import dev.ebb.launcher.bench.BenchCommand;
import dev.ebb.launcher.cli.EbbCommand;
import dev.ebb.launcher.cli.StandardOutput;
import dev.ebb.launcher.wal.WalCommand;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** {@code ebb}. Touches nothing that takes long to load: the commands decide what they need. */
public final class Main {
  /** Commands that live in packages of their own. */
  private static final Map<String, Supplier<Object>> FURTHER =
      Map.of("bench", BenchCommand::new, "wal", WalCommand::new);

  /** Those that are no less worth when nobody reads what they print. */
  private static final Set<String> SERVERS = Set.of("up", "run");

  private Main() {}

  public static void main(String[] arguments) {
    StandardOutput.watch();
    int code = EbbCommand.commandLine(FURTHER, arguments).execute(arguments);
    if (arguments.length == 0 || !SERVERS.contains(arguments[0])) {
      code = StandardOutput.exitCode(code);
    }
    // What up and run started has daemon threads and others: the command's return is the end.
    System.exit(code);
  }
}
