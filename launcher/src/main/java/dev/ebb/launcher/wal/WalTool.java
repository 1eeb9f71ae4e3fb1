package dev.ebb.launcher.wal;

import dev.ebb.launcher.config.ConfigReader;
import dev.ebb.launcher.config.ConfigReader.Flag;
import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.launcher.up.LogAccess;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalCursor;
import dev.ebb.walservice.history.BranchWal;
import java.io.BufferedWriter;
import java.io.Console;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A command that reads one branch's log. */
abstract class WalTool implements Callable<Integer> {
  private static final int BAR_WIDTH = 100;
  private static final int BUFFER_CHARS = 1 << 16;
  private static final long ASSUMED_MEMORY_BYTES = 4L << 30;

  @Spec private CommandSpec spec = CommandSpec.create();
  private @Nullable PrintWriter out;

  @Parameters(paramLabel = "NAME@BRANCH", description = "The branch; without @BRANCH: main.")
  private String branch = "";

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "The server's configuration, YAML or JSON.")
  private @Nullable Path config;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      defaultValue = "${env:EBB_DATA}",
      description = "Its data directory (default: .ebb).")
  private @Nullable String data;

  @SuppressWarnings("UnusedVariable") // picocli reads it
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this.")
  private boolean help;

  @Override
  public final Integer call() throws Exception {
    List<Flag> flags = new ArrayList<>();
    if (data != null && !data.isBlank()) {
      flags.add(new Flag("--data", "dataDir", data));
    }
    EbbConfig read = new ConfigReader(System.getenv(), memoryBytes()).read(config, flags);
    check();
    try (LogAccess access = LogAccess.open(read)) {
      int code = run(BranchLogs.find(access, branch));
      out().flush(); // before a broker that ends says so
      return code;
    } finally {
      out().flush();
    }
  }

  private static long memoryBytes() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean machine
        ? machine.getTotalMemorySize()
        : ASSUMED_MEMORY_BYTES;
  }

  /** Looks at the arguments before anything is opened. */
  void check() {}

  /** Does it; returns the exit code. */
  abstract int run(BranchLogs logs) throws Exception;

  /** Not flushed line by line, as the command line's own is. */
  final PrintWriter out() {
    PrintWriter present = out;
    if (present == null) {
      present =
          new PrintWriter(new BufferedWriter(spec.commandLine().getOut(), BUFFER_CHARS), false);
      out = present;
    }
    return present;
  }

  final ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  /** An LSN of the command line; {@code otherwise} where there is none. */
  final Lsn lsn(String option, @Nullable String text, Lsn otherwise) {
    if (text == null) {
      return otherwise;
    }
    try {
      return Lsn.parse(text);
    } catch (IllegalArgumentException e) {
      throw usage(option + ": \"" + text + "\" is no LSN, such as 0/16B3748");
    }
  }

  /** What is done with a record. */
  @FunctionalInterface
  interface Each {
    /** False ends it. */
    boolean record(WalCursor cursor) throws Exception;
  }

  /** Goes through records up to a position, with a bar where somebody watches. */
  final void walk(BranchWal wal, WalCursor cursor, Lsn to, Each each) throws Exception {
    try (ProgressBar bar = bar(wal, to)) {
      while (cursor.next() && cursor.record().start().isBefore(to)) {
        if (bar != null) {
          bar.stepTo(cursor.record().end().minus(wal.first()));
        }
        if (!each.record(cursor)) {
          return;
        }
      }
    }
  }

  /** Whether records go to where a bar would be. */
  boolean prints() {
    return false;
  }

  private @Nullable ProgressBar bar(BranchWal wal, Lsn to) throws IOException {
    boolean watched = Optional.ofNullable(System.console()).filter(Console::isTerminal).isPresent();
    if (!watched || prints()) {
      return null;
    }
    Lsn end = to.isBefore(wal.end()) ? to : wal.end();
    return new ProgressBarBuilder()
        .setTaskName(spec.name())
        .setUnit(" MB", 1 << 20)
        .setInitialMax(Math.max(1, end.minus(wal.first())))
        .setStyle(ProgressBarStyle.ASCII)
        .setConsumer(new ConsoleProgressBarConsumer(System.err, BAR_WIDTH))
        .build();
  }
}
