package dev.ebb.launcher.wal;

import dev.ebb.launcher.cli.ExitCodes;
import dev.ebb.launcher.cli.StandardOutput;
import dev.ebb.launcher.config.ConfigReader;
import dev.ebb.launcher.config.ConfigReader.Flag;
import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.launcher.up.LogAccess;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.walservice.history.BranchRecords;
import dev.ebb.walservice.history.BranchWal;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
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
  private static final int STANDARD_OUTPUT = 1;
  private static final int STANDARD_ERROR = 2;
  private static final int BAR_WIDTH = 100;
  private static final int RECORDS_A_STEP = 1_000;
  private static final int BUFFER_CHARS = 1 << 16;
  private static final long ASSUMED_MEMORY_BYTES = 4L << 30;

  @Spec private CommandSpec spec = CommandSpec.create();
  private @Nullable PrintWriter out;
  private BooleanSupplier stopped = () -> false;

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
    try (Ending ending = Ending.onSignals()) {
      stopped = ending::isAsked;
      return read(ending, read);
    }
  }

  /** Tells nobody that it broke off because it was to. */
  private int read(Ending ending, EbbConfig config) throws Exception {
    try (LogAccess access = LogAccess.open(config)) {
      return ending.interruptibly(() -> {
        int code = run(BranchLogs.find(access, branch));
        out().flush(); // before a broker that ends says so
        return code;
      });
    } catch (Over e) {
      return e.code();
    } catch (Exception e) {
      if (isOver()) {
        return ExitCodes.INTERRUPTED;
      }
      switch (e) {
        case EbbException.Corrupt corrupt ->
            throw new WalFailure("the log is damaged: " + corrupt.getMessage());
        case WalException damaged ->
            throw new WalFailure("the WAL is damaged: " + damaged.getMessage());
        default -> throw e;
      }
    } finally {
      out().flush();
    }
  }

  /** Ends a command without a word: nobody wants more of it. */
  static final class Over extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final int code;

    private Over(int code) {
      super("nobody wants more", null, false, false);
      this.code = code;
    }

    int code() {
      return code;
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

  final PrintWriter err() {
    return spec.commandLine().getErr();
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

  /** Whether it is interrupted. */
  final boolean isOver() {
    return stopped.getAsBoolean();
  }

  /** Ends the command where it is interrupted. */
  final void endIfInterrupted() {
    if (isOver()) {
      throw new Over(ExitCodes.INTERRUPTED);
    }
  }

  /** Ends the command where it is interrupted, or whoever read what it prints has gone. */
  final void endIfOver() {
    endIfInterrupted();
    if (StandardOutput.isAbandoned()) {
      throw new Over(ExitCodes.NOBODY_READS);
    }
  }

  /** Where a range of positions begins and ends. */
  final void checkOrder(Lsn from, Lsn to) {
    if (!from.isBefore(to)) {
      throw usage("--to " + to + " is not behind --from " + from);
    }
  }

  /** What is done with a record. */
  @FunctionalInterface
  interface Each {
    /** False ends it. */
    boolean record(WalRecord record) throws Exception;
  }

  /**
   * Goes through the records from one position up to another, with a bar where somebody watches.
   * Does not return where nobody wants more.
   *
   * @return how many there were
   * @throws WalFailure where the log ends before {@code from}
   */
  final long walk(BranchWal wal, BranchRecords records, Lsn from, Lsn to, Each each)
      throws Exception {
    long seen = 0;
    try (ProgressBar bar = bar(wal)) {
      while (!isOver() && records.next() && records.record().start().isBefore(to)) {
        if (seen % RECORDS_A_STEP == 0) {
          endIfOver();
          if (bar != null) {
            bar.stepTo(wal.done());
          }
        }
        seen++;
        if (!each.record(records.record())) {
          break;
        }
      }
    }
    endIfOver();
    if (seen == 0 && from.isValid() && !wal.end().isAfter(from)) {
      throw new WalFailure(
          "the log of \"%s\" ends at %s, before --from %s".formatted(branch, wal.end(), from));
    }
    return seen;
  }

  /** Whether records go to standard output, where a terminal would show them instead of a bar. */
  boolean prints() {
    return false;
  }

  final @Nullable ProgressBar bar(BranchWal wal) {
    if (!isTerminal(STANDARD_ERROR) || (prints() && isTerminal(STANDARD_OUTPUT))) {
      return null;
    }
    return new ProgressBarBuilder()
        .setTaskName(spec.name())
        .setUnit(" records of the log", 1)
        .setInitialMax(Math.max(1, wal.total()))
        .setStyle(ProgressBarStyle.ASCII)
        .setConsumer(new ConsoleProgressBarConsumer(System.err, BAR_WIDTH))
        .build();
  }

  /** {@code isatty}, which Java has for all three streams at once only. */
  private static boolean isTerminal(int descriptor) {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
      return target.startsWith("/dev/pts/")
          || target.startsWith("/dev/tty")
          || target.equals("/dev/console");
    } catch (IOException e) {
      return false;
    }
  }
}
