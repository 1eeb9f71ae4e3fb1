package dev.ebb.launcher;

import dev.ebb.launcher.bench.BenchCommand;
import dev.ebb.launcher.cli.EbbCommand;
import java.util.List;

/** {@code ebb}. Touches nothing that takes long to load: the commands decide what they need. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    int code = EbbCommand.commandLine(furtherCommands()).execute(arguments);
    // What up and run started has daemon threads and others: the command's return is the end.
    System.exit(code);
  }

  /** Commands that live in packages of their own: an instance of each picocli command. */
  static List<Object> furtherCommands() {
    return List.of(new BenchCommand());
  }
}
